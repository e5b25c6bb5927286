#!/usr/bin/env python3
"""Compiles and runs the C++ of a page and compares what it prints with what the page shows.

    tests/docs_code.py PAGE -- COMPILER AND ALL ITS ARGUMENTS

The blocks ```cpp of a page are one program: those that begin with a type, a template or an include
stand outside main(), the others in it, in order, and in braces where the page has the comment
`each block by itself`. A block that has main() is a program of its own. The
blocks ```text that follow one directly are what it prints. Blocks ```cpp excerpt are left out.
"""
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

STANDARD = ("cmath", "iostream", "string", "thread", "vector")
OURS = ("io/image", "io/pytorch_writer", "io/safetensors", "io/weights", "sfumato", "style/pictures",
        "style/weights")
SOURCE = pathlib.Path(__file__).resolve().parent.parent
page, command = pathlib.Path(sys.argv[1]), sys.argv[3:]
spec = importlib.util.spec_from_file_location("examples_test", SOURCE / "tests/examples_test.py")
examples_test = importlib.util.module_from_spec(spec)
spec.loader.exec_module(examples_test)

outside, inside, programs, shown = [], [], [], []
alone = "<!-- each block by itself -->" in page.read_text()
for line, code, output in [
        (page.read_text()[:match.start()].count("\n") + 2, match[1], match[2]) for match in
        re.finditer(r"^```cpp\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```)?", page.read_text(), re.M)]:
    code = f'#line {line} "{page.resolve()}"\n{code}'
    if "int main(" in code:
        programs.append(code)
    elif re.match(r"(///.*\n|//.*\n)*(struct|class|template|namespace|#include|inline|enum)", code.split("\n", 1)[1]):
        outside.append(code)
    else:
        inside.append("{\n" + code + "}" if alone else code)
    shown.append(output or "")
if outside or inside:
    programs.append("\n".join([*(f"#include <{header}>" for header in STANDARD),
                               *(f'#include "sfumato/{header}.hpp"' for header in OURS),
                               *(code for code in outside if "#include" in code), "using namespace sfumato;",
                               *(code for code in outside if "#include" not in code), "int main() {", *inside, "}"]))
printed = ""
with tempfile.TemporaryDirectory() as scratch:
    (pathlib.Path(scratch) / "examples").symlink_to(SOURCE / "examples")
    (pathlib.Path(scratch) / "weights").symlink_to(SOURCE / "weights")
    for number, program in enumerate(programs):
        source = pathlib.Path(scratch) / f"{page.stem}{number}.cpp"
        source.write_text(program)
        binary = source.with_suffix("")
        arguments = [word.replace("SOURCE", str(source)).replace("BINARY", str(binary)) for word in command]
        if subprocess.run(arguments).returncode != 0:
            sys.exit(f"{page}: does not compile")
        run = subprocess.run([binary], cwd=scratch, text=True, stdout=subprocess.PIPE)
        printed += run.stdout
        if run.returncode != 0:
            sys.exit(f"{page}: exit {run.returncode} after\n{run.stdout}")
if any(shown) and not examples_test.same("".join(shown), printed):
    sys.exit(f"{page} shows\n{''.join(shown)}\nbut it prints\n{printed}")
print(f"{page.name}: {len(programs)} programs run as the page says")
