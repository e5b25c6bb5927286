#!/usr/bin/env python3
"""Asks whether the tests would notice a mistake: changes one place in include/ at a time and runs them.

    tests/mutate.py                         80 places, drawn with seed 1
    tests/mutate.py --count 20 --seed 7 --only 'optim/'
    tests/mutate.py --shard 2/3             the second of three parts, for another processor
    tests/mutate.py --list                  the places alone

A change is an operator, a constant or a condition: + for -, < for <=, 1 for 2, if (x) for if (!(x)). It is made in
a copy of the checkout, never in the work tree. The tests of the header's own family are compiled one source at a
time, those first that name it most often, until one fails to compile or to pass, or runs far too long: the change
was noticed. What none notices survives, and each survivor wants a test or a reason why no test can see it.

Ends with a line of counts. Exit status 0 whatever survives; 2 when the tests fail without any change. A place takes
a minute or two of processor time, so this is no part of the test suite.
"""

import argparse
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

MEMORY = 8 << 30  # bytes that a changed program may ask for

# Operators stand between spaces, as clang-format writes them; brackets of templates do not.
SWAPS = [
    (" + ", " - "), (" - ", " + "), (" * ", " / "), (" / ", " * "), (" % ", " / "),
    (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "),
    (" == ", " != "), (" != ", " == "), (" && ", " || "), (" || ", " && "),
    (" += ", " -= "), (" -= ", " += "), ("std::min", "std::max"), ("std::max", "std::min"),
    ("true", "false"), ("false", "true"),
]
NUMBER = re.compile(r"(?<![\w.\"'])(\d+)(\.\d+)?(?=[\s;,){}\]])")
CONDITION = re.compile(r"^(\s*(?:\} else )?if \()([^;{}]+)(\)(?: \{| return.*;| throw.*)?)$")
# Declarations, errors' texts and what the compiler alone reads.
SKIPPED = re.compile(r"^\s*(#|//|template|requires|using|static_assert|namespace|inline constexpr const char|\"|struct|class)"
                     r"|message\(|constexpr \(")

# Which tests are asked, family by family, until one notices.
FAMILIES = {
    "core": ["core", "autodiff", "ops"], "cpu": ["cpu", "ops"], "autodiff": ["autodiff", "ops"],
    "ops": ["ops", "losses"], "nn": ["nn"], "losses": ["losses"], "optim": ["optim"], "io": ["io"],
    "style": ["style"],
}


def places(header, text):
    """All single changes of a header: (line, description, changed text)."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if SKIPPED.search(line) or not line.strip():
            continue
        code = line.split("//")[0]
        changed = []
        for old, new in SWAPS:
            for match in re.finditer(re.escape(old), code):
                if code[:match.start()].count('"') % 2 == 0:
                    changed.append(code[:match.start()] + new + code[match.end():])
        for match in NUMBER.finditer(code):
            if code[:match.start()].count('"') % 2 == 0:
                changed.append(code[:match.start(1)] + str(int(match[1]) + 1) + code[match.end(1):])
        if match := CONDITION.match(code):
            changed.append(f"{match[1]}!({match[2]}){match[3]}")
        for new in changed:
            yield number + 1, line.strip(), new.strip(), "\n".join(lines[:number] + [new] + lines[number + 1:])


def draw(arguments):
    """The changes to try: as evenly over the folders as their lines are, the same for the same seed."""
    found = []
    for header in sorted((ROOT / "include/sfumato").rglob("*.hpp")):
        name = str(header.relative_to(ROOT / "include/sfumato"))
        if name.split("/")[0] not in FAMILIES or not re.search(arguments.only, name):
            continue
        if "vectors" in name and "vectors" not in arguments.only:
            continue  # which of these kernels run depends on the processor
        found += [(name, *place) for place in places(name, header.read_text())]
    random.Random(arguments.seed).shuffle(found)
    found = list({place[:2]: place for place in found}.values())  # one change of a line is enough
    part, parts = (int(number) for number in arguments.shard.split("/"))
    return found[: arguments.count][part - 1 :: parts]


class Checkout:
    """A copy of the checkout, and the test programs that are built in it, one from each source."""

    def __init__(self, folder, compiler):
        self.folder = folder
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                               check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        packages = ["eigen3", "libzip", "libjpeg", "libpng", "libwebp", "lcms2"]
        known = [p for p in packages if subprocess.run(["pkg-config", "--exists", p]).returncode == 0]
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", *known], check=True, capture_output=True,
                               text=True).stdout.split()
        self.libraries = [flag for flag in flags if flag.startswith("-l")] + ["-pthread"]
        self.compile = [compiler, "-std=c++20", "-O0", "-w", f"-I{folder}/include", f"-I{folder}/tests",
                        "-DDOCTEST_CONFIG_SUPER_FAST_ASSERTS", f'-DSFUMATO_SOURCE_DIR="{folder}"',
                        f'-DSFUMATO_TEST_FIXTURES="{folder}/tests/fixtures"',
                        *(flag for flag in flags if not flag.startswith("-l"))]
        self.main = self.folder / "main.o"
        subprocess.run([*self.compile, "-c", "tests/main.cpp", "-o", self.main], cwd=folder, check=True)
        self.seconds = {}  # what each test takes without a change; None where it can't be used

    def run(self, test, limit):
        """None when the test passes, else how it noticed."""
        program = self.folder / "program"
        built = subprocess.run([*self.compile, test, self.main, "-o", program, *self.libraries], cwd=self.folder,
                               capture_output=True)
        if built.returncode != 0:
            return "does not compile"
        try:
            done = subprocess.run([program], cwd=self.folder, capture_output=True, timeout=limit,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)))
        except subprocess.TimeoutExpired:
            return "runs too long"
        return None if done.returncode == 0 else "a test fails"

    def usual_seconds(self, test):
        if test not in self.seconds:
            start = time.monotonic()
            fault = self.run(test, 120)
            # Compiling is part of what is measured, so the limit for a changed test is generous.
            self.seconds[test] = None if fault else time.monotonic() - start
            if fault:
                print(f"left out: {test}: {fault} without any change", file=sys.stderr, flush=True)
        return self.seconds[test]

    def tests_of(self, header):
        stem = header.split("/")[-1].removesuffix(".hpp")
        words = [stem, *stem.split("_")]
        ordered = []
        for family in FAMILIES[header.split("/")[0]]:
            sources = sorted((self.folder / "tests").glob(f"{family}_*_test.cpp"))
            ordered += sorted(sources, key=lambda source: -sum(source.read_text().count(word) for word in words))
        return [str(source.relative_to(self.folder)) for source in ordered]

    def notice(self, header, changed):
        """Which test noticed a change of a header, and how; None when none did."""
        target = self.folder / "include/sfumato" / header
        before = target.read_text()
        try:
            for test in self.tests_of(header):
                usual = self.usual_seconds(test)
                if usual is None:
                    continue
                target.write_text(changed)
                fault = self.run(test, 60 + 3 * usual)
                target.write_text(before)
                if fault:
                    return f"{fault} ({test})"
        finally:
            target.write_text(before)
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a regular expression for headers, such as optim/")
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()

    drawn = draw(arguments)
    if arguments.list:
        for header, line, old, new, _ in drawn:
            print(f"{header}:{line}: {old}  ->  {new}")
        return 0
    counts = {"noticed": 0, "refused": 0, "survived": 0}
    with tempfile.TemporaryDirectory(prefix="sfumato-mutate-") as folder:
        checkout = Checkout(pathlib.Path(folder), arguments.compiler)
        for header, line, old, new, changed in drawn:
            found = checkout.notice(header, changed)
            kind = "survived" if found is None else "refused" if "compile" in found else "noticed"
            counts[kind] += 1
            print(f"{kind:8} {header}:{line}: {old}  ->  {new}  [{found or 'no test noticed'}]", flush=True)
        if checkout.seconds and all(seconds is None for seconds in checkout.seconds.values()):
            return 2
    print(f"{sum(counts.values())} places: {counts['noticed']} noticed, {counts['refused']} refused by the compiler, "
          f"{counts['survived']} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
