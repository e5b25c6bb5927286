#!/usr/bin/env python3
"""Runs the examples as docs/examples.md does and compares what they print with what it shows.

    tests/examples_test.py ALL_EXAMPLES [--update]      puts what they print into the page instead

ALL_EXAMPLES is tests/support/all_examples.cpp as a program. Numbers may differ by what processors round
differently: a tenth of their size, or 0.02. Pictures are written and must not be empty.
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def same(shown, printed):
    """Whether two texts are the same but for a little in their numbers and spaces."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return False
    return all(abs(float(a) - float(b)) <= max(0.02, 0.1 * abs(float(a)))
               for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed)))


def main():
    page = (SOURCE / "docs/examples.md").read_text()
    runs = re.findall(r"```console\n\$ build/release/(\S+)(.*)\n([\s\S]*?)```", page)
    failures = 0
    seen = set()
    with tempfile.TemporaryDirectory() as scratch:
        (pathlib.Path(scratch) / "examples").symlink_to(SOURCE / "examples")
        for name, arguments, shown in runs:
            if "build/digits.npz" in arguments or not (SOURCE / f"examples/{name}.cpp").exists():
                continue
            seen.add(name)
            words = shlex.split(arguments)
            run = subprocess.run([sys.argv[1], name, *words], cwd=scratch, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if "--update" in sys.argv:
                page = page.replace(f"$ build/release/{name}{arguments}\n{shown}",
                                    f"$ build/release/{name}{arguments}\n{run.stdout}")
                shown = run.stdout
            pictures = [pathlib.Path(scratch) / word for word in words
                        if word.endswith(".jpg") and not word.startswith("examples/")]
            share = re.search(r"([\d.]+) % of", run.stdout)
            if run.returncode != 0 or not same(shown, run.stdout) or (share and float(share[1]) < 98):
                print(f"{name}{arguments}: exit {run.returncode}, docs/examples.md shows\n{shown}\n"
                      f"but it prints\n{run.stdout}{run.stderr}")
                failures += 1
            for picture in pictures:
                if not picture.exists() or picture.stat().st_size < 1000:
                    print(f"{name}{arguments}: no picture {picture.name}")
                    failures += 1
    if "--update" in sys.argv:
        (SOURCE / "docs/examples.md").write_text(page)
    for source in (SOURCE / "examples").glob("*.cpp"):
        if source.stem in ("neural_style", "convert_weights", "explain"):
            continue
        lines = len(source.read_text().splitlines())
        if source.stem not in seen or lines > 100:
            print(f"{source.name}: {lines} lines, of at most 100, "
                  f"{'run' if source.stem in seen else 'not run in docs/examples.md'}")
            failures += 1
    print(f"{len(runs)} runs, {failures} failures")
    sys.exit(failures > 0)


main()
