#!/usr/bin/env python3
"""Runs the examples as docs/examples.md does and compares what they print with what it shows.

    tests/examples_test.py ALL_EXAMPLES [--update]      puts what they print into the page instead

ALL_EXAMPLES is tests/support/all_examples.cpp as a program. Numbers may differ by what processors round
differently: a tenth of their size, or 0.02. Pictures are written and must not be empty.
"""
import json
import pathlib
import re
import shlex
import shutil
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


def check_explain(program, scratch):
    """What is wrong with the page of a small graph, in its numbers and, where Chromium is, as it is shown."""
    page = subprocess.run([program, "explain", "a=0.5", "b=3", "z=(a*b+tanh(a))^2"], text=True,
                          capture_output=True).stdout
    graph = json.loads(re.search(r"const graph = (\{.*\});", page)[1])
    nodes = {node["name"] or node["op"]: node for node in graph["nodes"]}
    wrong = [] if nodes["a"]["gradient"] == "14.86" and nodes["mul"]["owes"] == ["11.77", "1.962"] else ["numbers"]
    wrong += [f"source of {op}" for op in ("mul", "tanh", "add", "z") if "ctx.gradient()" not in nodes[op]["source"]]
    wrong += ["network"] if re.search(r"(src|href)=|@import|url\(", page) else []
    file = pathlib.Path(scratch) / "explain.html"
    file.write_text(page)
    if chromium := shutil.which("chromium"):
        shown = subprocess.run([chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
                                f"--user-data-dir={scratch}/chromium", f"file://{file}#10"],
                               text=True, capture_output=True).stdout
        says = "gradient of a is complete, 14.86 = 3.086 + 11.77, as it is used 2 times. It is a leaf"
        wrong += [] if says in shown and shown.count('class="value">=') == 6 else ["what Chromium shows"]
    return wrong


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
        for wrong in check_explain(sys.argv[1], scratch):
            print(f"explain: {wrong}")
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


if __name__ == "__main__":
    main()
