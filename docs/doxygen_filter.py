#!/usr/bin/env python3
"""A page or header as Doxygen wants it: headings have names, links to headings use them, and code is called
C++; links to files that are no pages lead to where they lie, seen from build/reference/html. A comment above a
header's namespace is of the header, as the namespace has many."""
import pathlib
import re
import sys

page = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = re.compile(r"(README|CONTRIBUTING|CHANGELOG|SECURITY|docs/[\w/-]+|benchmarks/README)\.md|docs/.*(png|svg|jpg)")


def name(file, heading):
    slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    return f"{file}-{slug}"


if page.suffix == ".hpp":
    print(re.sub(r"\n\n((?:///.*\n)+namespace )", r"\n/// @file\n\1", page.read_text()), end="")
    sys.exit()
def outside(link):
    """A link as HTML where its target is no page; as it is otherwise."""
    target = (page.parent / link[2].partition("#")[0]).resolve()
    if not target.is_relative_to(ROOT) or not target.exists():
        return link[0]
    path = str(target.relative_to(ROOT))
    return link[0] if PAGES.fullmatch(path) else f'<a href="../../../{path}">{link[1]}</a>'


fenced = False
for line in page.read_text().splitlines():
    if line.startswith("```"):
        fenced = not fenced
        print({"```cpp": "```{.cpp}", "```cpp excerpt": "```{.cpp}"}.get(line, "```"))
        continue
    if not fenced:
        line = re.sub(r"\]\(#([\w-]+)\)", lambda link: f"](#{page.stem}-{link[1]})", line)
        line = re.sub(r"\]\([\w./]*?([\w-]+)\.md#([\w-]+)\)", r"](#\1-\2)", line)
        line = re.sub(r"(?<!!)\[([^]]+)\]\(((?!\w+:|#)[^)\s]+)\)", outside, line)
        if heading := re.match(r"(##+) (.*)$", line):
            line = line.replace("`", "") + f" {{#{name(page.stem, heading[2])}}}"
    print(line)
