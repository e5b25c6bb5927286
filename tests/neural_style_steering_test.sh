#!/usr/bin/env bash
# What steers a picture: what it starts as, how large the style is, how strong, and whose colours there are.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to read pictures with"; exit 77; }
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors

# Losses may not keep a picture from its style here.
paint() { "$program" red.bmp "$images/suns.jpg" --size 48 --iterations 12 --quiet -o "$@"; }

# A red picture, brighter to the right: BMP, 24 bits, 48 x 32, from the bottom up.
python3 - >red.bmp <<'PYTHON'
import struct, sys
rows = b"".join(bytes((20 + x, 20 + x, 120 + 2 * x)) for y in range(32) for x in range(48))
sys.stdout.buffer.write(struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + len(rows), 0, 0, 54, 40, 48, 32, 1, 24,
                                    0, 0, 0, 0, 0, 0) + rows)
PYTHON
# The means of red, green, blue, and of the luma's and the colours' distances from those of another PNG.
colours() {
  python3 - "$@" <<'PYTHON'
import struct, sys, zlib
def read(path):
    data, at, packed = open(path, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR": width, height = struct.unpack(">II", data[at + 8:at + 16])
        if kind == b"IDAT": packed += data[at + 8:at + 8 + size]
        at += size + 12
    raw, row, pixels = zlib.decompress(packed), bytes(3 * width), []
    for y in range(height):
        line = bytearray(raw[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
        for i in range(len(line)):
            a, b = (line[i - 3] if i > 2 else 0), row[i]
            c = row[i - 3] if i > 2 else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[raw[y * (3 * width + 1)]]) % 256
        row = bytes(line)
        pixels += [row[i:i + 3] for i in range(0, len(row), 3)]
    return pixels
luma = lambda p: 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]
one = read(sys.argv[1])
other = read(sys.argv[2]) if len(sys.argv) > 2 else one
n = len(one)
print(*(round(sum(p[c] for p in one) / n, 2) for c in range(3)),
      round(sum(abs(luma(p) - luma(q)) for p, q in zip(one, other)) / n, 2))
PYTHON
}

paint plain.png
paint luminance.png --original-colors luminance
paint statistics.png --original-colors statistics
# The content's colours as bright as the picture without the option.
read -r red green blue luma <<<"$(colours luminance.png plain.png)"
awk -v r="$red" -v g="$green" -v b="$blue" -v l="$luma" \
  'BEGIN { exit !(l < 0.6 && r > g + 40 && g - b < 2 && b - g < 2) }' ||
  fail "--original-colors luminance: $red $green $blue, luma off by $luma"
read -r plain_red plain_green plain_blue _ <<<"$(colours plain.png)"
read -r red green blue luma <<<"$(colours statistics.png plain.png)"
awk -v r="$red" -v g="$green" -v b="$blue" -v pr="$plain_red" -v pg="$plain_green" -v l="$luma" \
  'BEGIN { exit !(l > 0.1 && r - g > pr - pg) }' ||
  fail "--original-colors statistics: $red $green $blue beside $plain_red $plain_green $plain_blue"
# The content's red, moved to the mean of the suns' colours, as bright as the picture without the option.
paint matched.png --original-colors matched
read -r red green blue luma <<<"$(colours matched.png plain.png)"
awk -v r="$red" -v g="$green" -v l="$luma" 'BEGIN { exit !(l < 0.6) }' ||
  fail "--original-colors matched: $red $green $blue, luma off by $luma"
! cmp -s matched.png luminance.png || fail "--original-colors matched is luminance"
! cmp -s matched.png plain.png || fail "--original-colors matched changes nothing"
# Styles count by their weights, not by their pixels.
paint heavy.png --original-colors matched --style red.bmp=1000
read -r heavy_red heavy_green _ _ <<<"$(colours heavy.png)"
awk -v r="$heavy_red" -v g="$heavy_green" 'BEGIN { exit !(r > g + 40) }' ||
  fail "--original-colors matched, a heavy red style: $heavy_red $heavy_green beside $red $green"
# From the photograph to the painting: the stronger, the farther from the content.
for strength in 0 0.3 0.6 1; do
  paint strong.png --strength $strength --content-weight 1e-6 --losses strong.csv
  tail -1 strong.csv | cut -d, -f2
done >distances.txt 2>/dev/null
sort -g -c distances.txt && [ "$(sort -g -u distances.txt | wc -l)" -eq 4 ] ||
  fail "--strength: content distances $(tr '\n' ' ' <distances.txt)"

# What it starts as, seen before a step has an effect.
start() {
  "$program" red.bmp "$images/suns.jpg" --size 48 --iterations 1 --learning-rate 1e-9 --quiet -o start.png "$@"
  colours start.png
}
[ "$(start --init gray)" = '128.0 128.0 128.0 0.0' ] || fail "--init gray: $(start --init gray)"
"$program" "$images/suns.jpg" red.bmp --size 48 --iterations 1 --learning-rate 1e-9 --quiet -o suns.png
read -r suns_red suns_green suns_blue _ <<<"$(colours suns.png)"
read -r red green blue _ <<<"$(start --init style-stats)"
awk -v r="$red" -v g="$green" -v b="$blue" -v sr="$suns_red" -v sg="$suns_green" -v sb="$suns_blue" \
  'function near(x, y) { return x - y < 15 && y - x < 15 } BEGIN { exit !(near(r, sr) && near(g, sg) && near(b, sb)) }' ||
  fail "--init style-stats: $red $green $blue beside $suns_red $suns_green $suns_blue"
start --init style-stats --seed 1 >one.txt
start --init style-stats --seed 2 | cmp -s - one.txt && fail "--seed makes no difference to --init style-stats"

# Another size of the style is another picture.
paint small.png --style-scale 0.5
cmp -s small.png plain.png && fail "--style-scale makes no difference"
echo "all as it should be"
