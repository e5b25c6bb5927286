#!/usr/bin/env python3
"""Changes the library in one place at a time and lists the changes that no test notices.

    tests/mutate.py --copy /tmp/mutants
    tests/mutate.py --copy /tmp/mutants --only 'ops/pool' --count 20 --seed 3
    tests/mutate.py --copy /tmp/mutants.1 --shard 1/4        # the first quarter of the same changes
    tests/mutate.py --copy /tmp/mutants --list               # says what it would change

A change replaces an operator, a number, true or false, min or max, or negates a condition, in a header below
include/. Which ones is drawn with --seed, evenly from the folders. Works in --copy, a copy of this checkout which
it makes or brings up to date: the checkout itself stays as it is. For each change, the tests of the
header are compiled (those of its own name first) and run, one file after the other, until one fails: it does not
compile, a test fails, or it runs longer than --timeout. Otherwise the change is a survivor: a test is missing, or
the change makes no difference that a test could see, which is to be said then. Exits with 1 if there are any.

Needs what the tests need. A change takes from half a minute to some minutes of one processor.
"""

import argparse
import itertools
import json
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys

FOLDERS = ("core", "cpu", "autodiff", "ops", "nn", "losses", "optim", "data", "io", "style")

# Tests of a header that have neither its name nor its folder's, by the beginning of its path.
ALSO = {
    "nn/resnet": ["style_terms"],
    "ops/cast": ["ops_cast"],
    "core/tensor": ["core_tensor", "core_pool"],
    "core/storage": ["core_tensor", "core_pool", "allocation_failures"],
    "core/pool": ["core_pool", "allocation_failures"],
    "core/fork": ["core_fork"],
    "core/threads": ["core_threads", "core_fork"],
    "core/random": ["core_tensor"],
    "core/error": ["core_shape"],
    "core/loops": ["cpu_map_reduce", "ops_values"],
    "core/geometry": ["ops_pooling", "ops_convolution"],
    "core/backend": ["cpu_map_reduce", "ops_values"],
    "cpu/map": ["cpu_map_reduce"],
    "cpu/reduce": ["cpu_map_reduce"],
    "cpu/gemm": ["ops_matmul"],
    "cpu/half": ["ops_half"],
    "cpu/pooling": ["ops_pooling"],
    "cpu/rectify": ["ops_values", "ops_gradients"],
    "cpu/im2col": ["cpu_convolution", "ops_convolution"],
    "cpu/": ["ops_convolution"],
    "autodiff/": ["autodiff_graph", "ops_gradients"],
    "ops/conv": ["ops_convolution"],
    "ops/padding": ["ops_values", "ops_convolution"],
    "losses/style": ["losses_values", "style_transfer"],
    "io/file": ["io_file", "io_npy"],
    "io/pickle": ["io_pytorch"],
    "io/zip": ["io_pytorch", "io_npy"],
}

# What is changed into what. The layout of the code puts spaces around operators of two operands, and none around
# those of types.
OPERATORS = [
    (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "),
    (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " + "), (" / ", " * "),
    (" % ", " / "), (" += ", " -= "), (" -= ", " += "), (" *= ", " += "), (" << ", " >> "), (" >> ", " << "),
    ("true", "false"), ("false", "true"), ("std::min", "std::max"), ("std::max", "std::min"),
]
OPERATOR = re.compile("|".join(r"\b" + re.escape(old) + r"\b" if old[0] != " " else re.escape(old)
                               for old, _ in OPERATORS))
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.'])")
CONDITION = re.compile(r"\bif \(")


def blank(text):
    """The code with comments, strings and what the compiler decides as spaces, so that places stay the same."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'', spaces, text, flags=re.S)
    return re.sub(r"^[ \t]*#[^\n]*(?:\\\n[^\n]*)*|\b(?:static_assert|if constexpr|requires|template <)[^\n]*", spaces,
                  text, flags=re.M)


def changes(path, text):
    """Every change of a header: (path, begin, end, what stands there instead)."""
    code = blank(text)
    for match in OPERATOR.finditer(code):
        yield path, match.start(), match.end(), dict(OPERATORS)[match.group()]
    for match in NUMBER.finditer(code):
        old = match.group()
        yield path, match.start(), match.end(), str(float(old) * 2 + 1) if "." in old else str(int(old) + 1)
    for match in CONDITION.finditer(code):
        depth = 0
        for end in range(match.end() - 1, len(code)):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            if depth == 0:
                break
        else:
            continue
        condition = text[match.end():end]
        if ";" not in condition:
            yield path, match.end(), end, f"!({condition})"


def draw(include, options):
    """Changes drawn evenly from the folders, in an order that only the seed and the code decide."""
    drawn = random.Random(options.seed)
    by_folder = []
    for folder in FOLDERS:
        found = []
        for header in sorted((include / "sfumato" / folder).rglob("*.hpp")):
            path = header.relative_to(include / "sfumato").as_posix()
            if options.only and not re.search(options.only, path):
                continue
            if path.startswith("cpu/kernels/") and not options.kernels:
                continue
            found += changes(path, header.read_text())
        drawn.shuffle(found)
        by_folder.append(found)
    chosen = []
    while len(chosen) < options.count and any(by_folder):
        for found in by_folder:
            if found and len(chosen) < options.count:
                chosen.append(found.pop())
    return chosen


def tests_of(path, tests):
    """The names of the header's test files, the likeliest to notice first."""
    folder, stem = path.split("/")[0], pathlib.PurePosixPath(path).stem
    names = [name for name in tests if name.startswith(f"{folder}_{stem}")]
    for beginning, others in ALSO.items():
        if path.startswith(beginning):
            names += others
    names += [name for name in tests if name.startswith(folder + "_")]
    return [name for name in dict.fromkeys(names) if name in tests]


class Copy:
    """A copy of the checkout with a build of its own."""

    def __init__(self, source, place):
        self.place = place.resolve()
        self.build = self.place / "build" / "mutate"
        if self.place == source or source in self.place.parents:
            sys.exit("mutate.py: --copy must lie outside the checkout")
        if self.place.exists() and any(self.place.iterdir()) and not (self.place / "include" / "sfumato").is_dir():
            sys.exit(f"mutate.py: {self.place} is something else than a copy of the checkout")
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=source,
                                check=True, capture_output=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            old, new = source / name, self.place / name
            if old.is_file() and not (new.is_file() and new.read_bytes() == old.read_bytes()):
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(old, new)
        if not (self.build / "compile_commands.json").exists():
            subprocess.run(["cmake", "-S", self.place, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                            "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DSFUMATO_NATIVE=OFF", "-DSFUMATO_CUDA=OFF",
                            "-DSFUMATO_EXAMPLES=OFF", "-DSFUMATO_BENCHMARKS=OFF"],
                           check=True, stdout=subprocess.DEVNULL)
        self.commands = {}
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            name = re.sub(r"_test$", "", pathlib.Path(entry["file"]).stem)
            self.commands.setdefault(name, shlex.split(entry["command"]))
        self.tests = [name for name in self.commands if (self.place / "tests" / f"{name}_test.cpp").exists()]

    def libraries(self, program):
        """What a test program is linked with; our own kernels are compiled along, being part of what changes."""
        lines = subprocess.run(["ninja", "-t", "commands", program], cwd=self.build, check=True, capture_output=True,
                               text=True).stdout.splitlines()
        words = shlex.split(lines[-1])
        return [word for word in words if re.search(r"^-l|\.so[\d.]*$|\.a$|^-Wl,-rpath|^-pthread$", word)
                and "sfumato" not in word]

    def compile(self, name, output, timeout):
        words = self.commands[name]
        words = [word for word in words if word not in ("-Werror", "-DSFUMATO_COMPILED_KERNELS", "-c")]
        source = words[-1]
        words = words[:words.index("-o")] + ["-w", "-c", source, "-o", str(output)]
        return subprocess.run(words, cwd=self.build, timeout=timeout, capture_output=True).returncode == 0

    def notices(self, name, timeout):
        """How the test file `name` notices a change ("" if it does not)."""
        main = self.build / "mutate_main.o"
        unit = self.build / "mutate_test.o"
        program = self.build / "mutate_test"
        if not main.exists() and not self.compile("main", main, None):
            sys.exit("mutate.py: tests/main.cpp does not compile")
        if not self.compile(name, unit, None):
            return "does not compile"
        family = name.split("_")[0] + "_tests"
        compiler = list(itertools.takewhile(lambda word: not word.startswith("-"), self.commands["main"]))
        subprocess.run([*compiler, main, unit, "-o", program, *self.libraries(family)], cwd=self.build, check=True)
        try:
            run = subprocess.run([program], cwd=self.build, timeout=timeout, capture_output=True)
        except subprocess.TimeoutExpired:
            return f"{name} runs for more than {timeout} s"
        return f"{name} fails" if run.returncode != 0 else ""


def describe(include, change):
    path, begin, end, new = change
    text = (include / "sfumato" / path).read_text()
    number = text.count("\n", 0, begin) + 1
    line_begin = text.rfind("\n", 0, begin) + 1
    line_end = text.find("\n", end)
    line = text[line_begin:begin] + "[" + text[begin:end] + " → " + new + "]" + text[end:line_end]
    return f"{path}:{number}: {' '.join(line.split())}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copy", type=pathlib.Path, required=True, help="folder of the copy to change")
    parser.add_argument("--count", type=int, default=90, help="number of changes (90)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument("--only", help="headers whose path below include/sfumato matches")
    parser.add_argument("--shard", default="1/1", help="K/N: every N-th change, from the K-th")
    parser.add_argument("--kernels", action="store_true", help="cpu/kernels too")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that a test file may run (120)")
    parser.add_argument("--list", action="store_true", help="only say what would be changed")
    options = parser.parse_args()
    part, parts = (int(number) for number in options.shard.split("/"))

    source = pathlib.Path(__file__).resolve().parent.parent
    chosen = draw(source / "include", options)[part - 1::parts]
    if options.list:
        for change in chosen:
            print(describe(source / "include", change))
        return 0
    copy = Copy(source, options.copy)
    counts = {"noticed": 0, "does not compile": 0}
    survivors = []
    for number, change in enumerate(chosen, 1):
        path, begin, end, new = change
        header = copy.place / "include" / "sfumato" / path
        text = (source / "include" / "sfumato" / path).read_text()
        description = describe(source / "include", change)
        print(f"{number}/{len(chosen)} {description}", flush=True)
        header.write_text(text[:begin] + new + text[end:])
        how = ""
        try:
            for name in tests_of(path, copy.tests):
                how = copy.notices(name, options.timeout)
                if how:
                    break
        finally:
            header.write_text(text)
        print(f"    {how or 'SURVIVES'}", flush=True)
        if not how:
            survivors.append(description)
        else:
            counts["does not compile" if how == "does not compile" else "noticed"] += 1
    print(f"{counts['noticed']} noticed, {len(survivors)} survive, {counts['does not compile']} do not compile")
    for description in survivors:
        print(f"survives: {description}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
