#!/usr/bin/env python3
"""Compiles every right-hand side of the tables in docs/pytorch.md, once.

    tests/pytorch_table.py COMPILER AND ITS ARGUMENTS, with SOURCE where the file goes
"""
import pathlib
import re
import subprocess
import sys
import tempfile

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs/pytorch.md"
NAMES = """
Tensor<float> t{{1, 2, 3}, {4, 5, 6}};
Variable<float> x(t.clone(), true);
Tensor<float> u = t.clone();
Variable<float> y(t.clone()), z = x;
Variable<float> a({{2, 1}, {1, 2}}), b({{1, 2}, {3, 4}, {5, 6}}), v({1, 2});
Variable<double> exact({1.0, 2.0}, true);
Variable<float> images(Tensor<float>::ones({2, 3, 8, 8}));
Variable<float> eight(Tensor<float>::ones({1, 8, 4, 4})), filters(Tensor<float>::ones({3, 3, 3, 3}));
Tensor<std::int64_t> labels{0, 2};
Tensor<std::uint8_t> mask{1, 0}, pixels = Tensor<std::uint8_t>::zeros({4, 4, 3});
std::vector<float> floats{1, 2, 3, 4, 5, 6};
Random numbers(1);
nn::Sequential model{nn::Linear(3, 3), nn::ReLU()};
optim::Adam adam(model.parameters());
io::DLManagedTensorVersioned* managed = nullptr;
using Device = Cpu;
"""
# Lines in which a name of its own is declared, rather than a value.
DECLARATION = re.compile(r"^\w+ \w+$")

cells = [re.split(r"(?<!\\)\|", line) for line in PAGE.read_text().splitlines()
         if line.startswith("| `")]
rows = [(left.strip(" `"), right.strip(" `").replace("\\|", "|")) for _, left, right, _ in cells]
program = ["#include <iostream>", "#include <vector>", '#include "sfumato/sfumato.hpp"', *(
    f'#include "sfumato/io/{header}.hpp"' for header in
    ("dlpack", "image", "npy", "npz", "pytorch_writer", "resize", "safetensors", "weights")),
    "using namespace sfumato;", NAMES]
for number, (_, code) in enumerate(rows):
    line = code if DECLARATION.match(code) else f"static_cast<void>({code})"
    program.append(f'void row_{number}() {{\n#line {number} "row"\n{line}; }}')
with tempfile.TemporaryDirectory() as scratch:
    source = pathlib.Path(scratch) / "rows.cpp"
    source.write_text("\n".join(program))
    run = subprocess.run([word.replace("SOURCE", str(source)) for word in sys.argv[1:]],
                         text=True, stderr=subprocess.PIPE)
wrong = sorted({int(number) for number in re.findall(r"^row:(\d+):.*error", run.stderr, re.M)})
for number in wrong:
    print(f"docs/pytorch.md: {rows[number][0]} is not {rows[number][1]}")
if run.returncode != 0 or len(rows) < 150:
    sys.exit(f"{len(rows)} rows, of at least 150; {len(wrong)} do not compile\n"
             + ("" if wrong else run.stderr[:3000]))
print(f"{len(rows)} rows compile")
