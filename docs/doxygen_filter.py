#!/usr/bin/env python3
"""A page as Doxygen wants it: headings have names, links to headings use them, and code is called C++."""
import pathlib
import re
import sys

page = pathlib.Path(sys.argv[1])


def name(file, heading):
    slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    return f"{file}-{slug}"


fenced = False
for line in page.read_text().splitlines():
    if line.startswith("```"):
        fenced = not fenced
        print({"```cpp": "```{.cpp}", "```cpp excerpt": "```{.cpp}"}.get(line, "```"))
        continue
    if not fenced:
        line = re.sub(r"\]\(#([\w-]+)\)", lambda link: f"](#{page.stem}-{link[1]})", line)
        line = re.sub(r"\]\([\w./]*?(\w+)\.md#([\w-]+)\)", r"](#\1-\2)", line)
        if heading := re.match(r"(##+) (.*)$", line):
            line += f" {{#{name(page.stem, heading[2])}}}"
    print(line)
