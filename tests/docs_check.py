#!/usr/bin/env python3
"""Finds what the pages say that is not so: links that lead nowhere, excerpts that no file has, and
names that no code has.

    tests/docs_check.py

A name is what stands between backticks. Checked are `ns::name` with one of our namespaces, `name()`,
files with an extension of ours, and options of the program, `--like-this`.
"""
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
PAGES = [page for pattern in ("*.md", "docs/*.md", "docs/reference/*.md", "benchmarks/*.md", "weights/*.md", "examples/**/*.md")
         for page in sorted(SOURCE.glob(pattern))]
# Of the code, whatever folder it is in; texts of tests may name what is refused.
CODE = "\n".join(path.read_text(errors="replace") for folder in
                 ("include", "examples", "benchmarks", "weights", "tests", ".cmake")
                 for path in sorted((SOURCE / folder).rglob("*"))
                 if path.suffix in (".hpp", ".cpp", ".cuh", ".cu", ".py", ".sh", ".cmake", ".txt"))
CODE += (SOURCE / "CMakeLists.txt").read_text()
NAMESPACES = ("autodiff", "cpu", "cuda", "data", "distributed", "io", "losses", "nn", "ops", "optim", "style")
# What belongs to others, or is named because it is not here.
OTHERS = re.compile(r"^(std|torch|xt|Eigen|jpeg|png)|^(fork|longjmp|sizeof|exit|main|free|step_by_step)$")
REFUSED = {"docs/first_guesses.md", "CHANGELOG.md", "docs/pytorch.md"}  # these list other names
problems = []


def anchors(page):
    """As GitHub makes them of the headings."""
    text = re.sub(r"```[\s\S]*?```", "", page.read_text())
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.M)}


def check_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            problems.append(f"{page.relative_to(SOURCE)}: no file {target}")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            problems.append(f"{page.relative_to(SOURCE)}: no heading {target}")


def check_excerpts(page, text):
    """An excerpt under a heading that links a file of code is in the first such file, but for spaces."""
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        link = re.search(r"\]\(([^)]+\.[ch]pp)\)", section)
        for block in re.findall(r"```cpp excerpt\n([\s\S]*?)```", section):
            code = (page.parent / link[1]).read_text() if link else CODE
            if " ".join(block.split()) not in " ".join(code.split()):
                problems.append(f"{page.relative_to(SOURCE)}: {link and link[1]} does not have\n{block}")


def check_names(page, text):
    where = str(page.relative_to(SOURCE))
    prose = re.sub(r"```[\s\S]*?```", "", text)
    for span in re.findall(r"`([^`\n]+)`", prose):
        for space, name in re.findall(r"\b([a-z]+)::([A-Za-z_]\w*)", span):
            if where in REFUSED or space not in NAMESPACES:
                continue
            folder = SOURCE / "include/sfumato" / space
            code = "\n".join(file.read_text() for file in folder.rglob("*.hpp"))
            if not re.search(rf"\b{name}\b", code):
                problems.append(f"{where}: there is no {space}::{name}")
        for name in re.findall(r"\b([a-z_]\w+)\(", span):
            if where not in REFUSED and not OTHERS.search(name) and not re.search(rf"\b{name}\b", CODE):
                problems.append(f"{where}: there is no {name}()")
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span):
            if f'"{option}' not in CODE and f"{option[2:]}" not in CODE:
                problems.append(f"{where}: there is no option {option}")
        if re.fullmatch(r"[\w/.-]+\.(hpp|cpp|cuh|cu|py|sh|cmake)", span):
            known = subprocess.run(["git", "ls-files", f"*{span}"], cwd=SOURCE, text=True,
                                   capture_output=True).stdout if (SOURCE / ".git").exists() else span
            if not known and not list(SOURCE.rglob(span)):
                problems.append(f"{where}: there is no file {span}")


for page in PAGES:
    text = page.read_text()
    check_links(page, re.sub(r"```[\s\S]*?```", "", text))
    check_names(page, text)
    if "docs" in str(page):
        check_excerpts(page, text)
print("\n".join(problems) or f"{len(PAGES)} pages: links, excerpts and names are right")
sys.exit(bool(problems))
