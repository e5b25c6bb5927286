#!/usr/bin/env python3
"""Runs a program in a terminal and prints what is to be seen on it at the end.

terminal.py COLUMNS PROGRAM [ARGUMENT...]

The terminal knows what the program uses: carriage return, newline, ESC [ n A, ESC [ J. Ends with the program's status.
"""
import fcntl
import os
import pty
import re
import struct
import sys
import termios


def screen(text):
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|[^\x1b\r\n]+|.", text, re.S):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part.startswith("\x1b["):
            if part[-1] == "A":
                row = max(0, row - int(part[2:-1] or 1))
            elif part[-1] == "K":
                rows[row] = rows[row][:column]
            elif part[-1] == "J":
                rows[row] = rows[row][:column]
                del rows[row + 1:]
            else:
                raise SystemExit(f"unknown: {part!r}")
        else:
            before = rows[row].ljust(column)
            rows[row] = before[:column] + part + before[column + len(part):]
            column += len(part)
    return rows


def main():
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
        os.environ.setdefault("TERM", "xterm")
        os.execvp(sys.argv[2], sys.argv[2:])
    text = b""
    while True:
        try:
            text += os.read(terminal, 65536)
        except OSError:  # the program has ended
            break
    print("\n".join(screen(text.decode())))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


main()
