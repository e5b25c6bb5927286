# For tests of programs that make and read pictures, which source this in a folder of their own; without python3
# they skip.
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to make pictures with"; exit 77; }

# picture NAME WIDTH HEIGHT EXPRESSION: a PNG of red, green, blue and, if there are four, opacity, of x and y.
cat >png.py <<'PYTHON'
import struct, sys, zlib
def write(path, width, height, pixel):
    channels = len(pixel(0, 0))
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 6, 0, 0, 0)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
def read(path):
    data, at, packed = open(path, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR": width, height, _, mode = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT": packed += data[at + 8:at + 8 + size]
        at += size + 12
    channels = 4 if mode == 6 else 3
    raw, row, rows, stride = zlib.decompress(packed), bytes(channels * width), [], channels * width + 1
    for y in range(height):
        line, kind = bytearray(raw[y * stride + 1:(y + 1) * stride]), raw[y * stride]
        for i in range(len(line)):
            a, b = (line[i - channels] if i >= channels else 0), row[i]
            c = row[i - channels] if i >= channels else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[kind]) % 256
        row = bytes(line)
        rows.append([row[i:i + channels] for i in range(0, len(row), channels)])
    return rows
PYTHON
picture() { python3 -c "
import sys; from png import write
write('$1', $2, $3, lambda x, y: ($4))"; }
# of PICTURE EXPRESSION: of its rows of pixels.
of() { python3 -c "
from png import read
rows = read('$1'); luma = [0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] for row in rows for p in row]
mean = lambda v: sum(v) / len(v)
print($2)"; }
holds() { python3 -c "exit(0 if $1 else 1)" || fail "$2: $1"; }
