#!/usr/bin/env python3
"""Draws the folders of include/sfumato and what each includes, as docs/structure.svg.

    docs/draw_structure.py            # draws it anew
    docs/draw_structure.py --check    # exits with 1 where the picture is not what would be drawn

A folder stands above all that it includes. An arrow that follows from two others is left out.
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "sfumato"
PICTURE = ROOT / "docs" / "structure.svg"
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 150, 46, 30, 54


def folder_of(path):
    return path.parts[0] if len(path.parts) > 1 else None


def lines_and_arrows():
    """Lines by folder, and the folders that each one includes."""
    lines, arrows = {}, {}
    for header in sorted(HEADERS.rglob("*")):
        folder = folder_of(header.relative_to(HEADERS))
        if folder is None or not header.is_file():
            continue
        text = header.read_text()
        lines[folder] = lines.get(folder, 0) + text.count("\n")
        for included in re.findall(r'#include [<"]sfumato/(\w+)/', text):
            # Lists of kernels to compile know everything; nothing includes them.
            if included != folder and header.suffix not in (".cu", ".cuh"):
                arrows.setdefault(folder, set()).add(included)
    return lines, arrows


def without_shortcuts(arrows):
    """Only arrows that do not follow from others."""
    def reaches(start, end, direct):
        return any(step == end and not direct or reaches(step, end, False)
                   for step in arrows.get(start, ()) if not (direct and step == end))
    return {start: {end for end in ends if not reaches(start, end, True)} for start, ends in arrows.items()}


def rows_of(folders, arrows):
    """The folders level by level from below, each above what it includes; and arrows as lists of what they pass. An
    arrow that passes a level has an entry in its row, too: the arrow itself."""
    def level(folder):
        return 1 + max((level(included) for included in arrows.get(folder, ())), default=-1)
    rows = [[] for _ in range(1 + max(map(level, folders)))]
    for folder in sorted(folders):
        rows[level(folder)].append(folder)
    paths = []
    for start in sorted(arrows):
        for end in sorted(arrows[start]):
            for passed in range(level(end) + 1, level(start)):
                rows[passed].append((start, end))
            paths.append([start] + [(start, end)] * (level(start) - level(end) - 1) + [end])
    return rows, paths


def place(rows, paths):
    """The middle of each entry of each row. Entries stand above the middle of what they point to."""
    places, width = {}, max(len(row) for row in rows) * (BOX_WIDTH + GAP_X) + GAP_X
    for level, row in enumerate(rows):
        def aim(entry):
            below = [path[i + 1] for path in paths for i in range(len(path) - 1) if path[i] == entry]
            return sum(places[(level - 1, e)][0] for e in below) / max(len(below), 1)
        row.sort(key=lambda entry: (aim(entry), str(entry)))
        widths = [BOX_WIDTH if isinstance(entry, str) else 0 for entry in row]
        left = (width - sum(widths) - GAP_X * (len(row) - 1)) / 2
        y = (len(rows) - 1 - level) * (BOX_HEIGHT + GAP_Y) + 20
        for entry, own in zip(row, widths):
            places[(level, entry)] = (left + own / 2, y)
            left += own + GAP_X
    return places, width


def draw():
    lines, arrows = lines_and_arrows()
    rows, paths = rows_of(lines, without_shortcuts(arrows))
    places, width = place(rows, paths)
    height = len(rows) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 40
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
           '<title>The folders of include/sfumato and what they include</title>',
           '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
           'orient="auto"><path d="M0 0 8 4 0 8z" fill="#5b6b7b"/></marker></defs>',
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    level_of = {entry: level for level, entry in places}
    for path in paths:
        top = level_of[path[0]]
        points = [places[(top - i, entry)] for i, entry in enumerate(path)]
        x, y = points[0]
        curve = f"M{x:g} {y + BOX_HEIGHT:g}"
        for (x1, y1), (x2, y2) in zip(points, points[1:]):
            is_end = (x2, y2) == points[-1]
            curve += (f"C{x1:g} {y1 + BOX_HEIGHT + GAP_Y / 2:g} {x2:g} {y2 - GAP_Y / 2:g} {x2:g} {y2 - 2 * is_end:g}"
                      + ("" if is_end else f"V{y2 + BOX_HEIGHT:g}"))
        svg.append(f'<path d="{curve}" fill="none" stroke="#5b6b7b" stroke-width="1.5" marker-end="url(#arrow)"/>')
    for (_, folder), (x, y) in sorted(places.items(), key=str):
        if not isinstance(folder, str):
            continue
        svg += [f'<rect x="{x - BOX_WIDTH / 2:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" '
                'fill="#f3ead8" stroke="#8a6d3b"/>',
                f'<text x="{x:g}" y="{y + 20:g}" text-anchor="middle" font-size="16" fill="#2b2b2b">{folder}</text>',
                f'<text x="{x:g}" y="{y + 37:g}" text-anchor="middle" font-size="11" fill="#6b6b6b">'
                f'{round(lines[folder], -2):,} lines</text>']
    return "\n".join(svg) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the picture is up to date")
    if not parser.parse_args().check:
        PICTURE.write_text(draw())
    elif re.sub(r"[\d,]+ lines", "", PICTURE.read_text()) != re.sub(r"[\d,]+ lines", "", draw()):
        sys.exit("docs/structure.svg is out of date; run docs/draw_structure.py")


if __name__ == "__main__":
    main()
