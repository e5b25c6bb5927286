#!/usr/bin/env python3
"""Joins sfumato's headers into one file, for programs that would rather copy one than link a library:

    python3 include/single_header.py > mine/sfumato.hpp
    python3 include/single_header.py sfumato/sfumato.hpp sfumato/io/npy.hpp > mine/sfumato.hpp

Eigen and threads are needed as ever: c++ -std=c++20 -I/usr/include/eigen3 -pthread.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent
INCLUDE = re.compile(r'\s*#\s*include\s*"(sfumato/[^"]+)"')
CONDITION = re.compile(r"\s*#\s*(if|el|endif)")
ONCE = re.compile(r"\s*#\s*pragma\s+(once|GCC\s+system_header)\b")
# Whoever includes this includes the kernels below it once more, for another target: see every_target.hpp.
AGAIN = "sfumato/cpu/kernels/all_kernels.hpp"


class Joiner:
    def __init__(self):
        self.joined = set()  # the headers that are there for what follows
        self.lines = []

    def join(self, name):
        """Puts a header where it is included, unless it is there already."""
        text = (ROOT / name).read_text(encoding="utf-8")
        once = "#pragma once" in text
        if name == AGAIN:
            self.joined = {other for other in self.joined if other.endswith("!")}
        mark = name + "!" if once else name
        if mark in self.joined:
            return
        self.joined.add(mark)
        guard = "SFUMATO_SINGLE_" + re.sub(r"\W", "_", name).upper()
        if once:
            self.lines += [f"#ifndef {guard}", f"#define {guard}"]
        before = []  # what was joined before each condition that is open: what it lets in may not be there after it
        for line in text.splitlines():
            condition = CONDITION.match(line)
            if condition and condition[1] == "if":
                before.append(set(self.joined))
            elif condition:
                # The guard around all of a header that is compiled several times is no condition.
                guarded = not once and len(before) == 1
                self.joined = self.joined if guarded else set(before[-1])
                if condition[1] == "endif":
                    before.pop()
            include = INCLUDE.match(line)
            if include:
                self.join(include[1])
            elif not ONCE.match(line):
                self.lines.append(line)
        if once:
            self.lines.append(f"#endif  // {guard}")


def main():
    joiner = Joiner()
    for name in sys.argv[1:] or ["sfumato/sfumato.hpp"]:
        joiner.join(name)
    licence = (ROOT.parent / "LICENSE").read_text(encoding="utf-8").strip()
    print("".join(f"// {line}".rstrip() + "\n" for line in licence.splitlines()))
    print("// Made by include/single_header.py of sfumato's headers; change those.")
    print("#pragma once")
    print("#pragma GCC system_header")
    print("\n".join(joiner.lines))


if __name__ == "__main__":
    main()
