#!/usr/bin/env python3
"""Checks that a program or library holds GPU code for the architectures asked for.

    tests/cuda_architectures.py FILE 75-real 80-real 120

"75-real" means machine code for 7.5, "120-virtual" PTX, and "120" both, as in CMAKE_CUDA_ARCHITECTURES. nvcc puts
its code into "fat binaries": a header (magic number, version, size of the header, size of what follows), then
entries, each with a header of its own (kind: 1 for PTX, 2 for machine code; ...; size; ...; architecture).
"""

import struct
import sys

MAGIC = b"\x50\xed\x55\xba"
FILE_HEADER = struct.Struct("<4sHHQ")  # magic, version, header size, size of the entries
ENTRY_HEADER = struct.Struct("<HHIQIIII")  # kind, ?, header size, size, ?, ?, version, architecture
KINDS = {1: "virtual", 2: "real"}


def codes(data):
    """Every (kind, architecture) in the fat binaries of a file."""
    found = set()
    start = data.find(MAGIC)
    while start >= 0:
        _, version, header_size, size = FILE_HEADER.unpack_from(data, start)
        if version != 1 or header_size < FILE_HEADER.size or start + header_size + size > len(data):
            start = data.find(MAGIC, start + 1)  # these four bytes by chance
            continue
        place = start + header_size
        end = place + size
        while place + ENTRY_HEADER.size <= end:
            kind, _, entry_header, entry_size, _, _, _, architecture = ENTRY_HEADER.unpack_from(data, place)
            if kind in KINDS:
                found.add((KINDS[kind], architecture))
            if entry_header + entry_size == 0:
                break
            place += entry_header + entry_size
        start = data.find(MAGIC, end)
    return found


def main():
    path, wanted = sys.argv[1], sys.argv[2:]
    with open(path, "rb") as file:
        found = codes(file.read())
    missing = []
    for name in wanted:
        number, _, kind = name.partition("-")
        for each in [kind] if kind else ["real", "virtual"]:
            if (each, int(number)) not in found:
                missing.append(f"{each} code for {number}")
    print(f"{path}: " + ", ".join(f"{kind} {number}" for kind, number in sorted(found, key=lambda code: code[::-1])))
    if missing or not wanted:
        print("MISSING: " + (", ".join(missing) or "no architecture was asked for"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
