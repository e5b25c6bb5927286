#!/usr/bin/env bash
# Presets, sizes, borders and the style's proportions of neural_style, with the slim network.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to make pictures with"; exit 77; }

cat="$images/cat.jpg"
suns="$images/suns.jpg"
slim="$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors"

# paint OUT OPTIONS...: by Gram matrices, as most presets, which paints one size.
paint() {
  [[ " $* " == *" --preset "* ]] || set -- "$@" --method gram
  "$program" "$cat" "$suns" -o "$1" --weights "$slim" --losses "$1.csv" --no-metadata "${@:2}" >"$1.log" ||
    fail "$*: $(cat "$1.log")"
}
# The size of a PNG, as HEIGHTxWIDTH.
size_of() {
  python3 -c 'import struct, sys
header = open(sys.argv[1], "rb").read(24)
assert header[:8] == b"\x89PNG\r\n\x1a\n"
width, height = struct.unpack(">II", header[16:])
print(f"{height}x{width}")' "$1"
}
has_size() { [ "$(size_of "$1")" = "$2" ] || fail "$1 has the size $(size_of "$1"), not $2"; }
# A column of one row of the losses, by their numbers.
loss() { awk -F, -v row="$2" -v column="$3" 'NR == row + 1 { print $column }' "$1.csv"; }
same() { # A B TOLERANCE WHAT
  awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d <= t * b) }' ||
    fail "$4: $1 is not $2"
}
differs() {
  awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d > 0.01 * b) }' ||
    fail "$3: $1 and $2"
}

# Sizes to the pixel: 300 x 451 in proportion, and whatever was asked for.
for size in 64 100 65; do
  paint "size$size.png" --size "$size" --iterations 1
done
has_size size64.png 43x64
has_size size100.png 67x100
has_size size65.png 43x65
paint both.png --height 33 --width 50 --iterations 2
has_size both.png 33x50
paint height.png --height 50 --iterations 1
has_size height.png 50x75

# A strip of a picture, and one as style, whose sides become smaller than the network can see.
python3 - "$PWD" <<'PYTHON'
import struct, sys, zlib
def png(path, height, width):
    rows = b"".join(b"\0" + bytes((x * 7 + y * 13 + c * 50) % 256 for x in range(width) for c in range(3))
                    for y in range(height))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
                           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
png(sys.argv[1] + "/panorama.png", 20, 400)
PYTHON
for fit in keep squeeze; do
  "$program" panorama.png "$suns" -o strip.png --weights "$slim" --size 128 --iterations 2 \
    --style-fit $fit >/dev/null || fail "a panorama with --style-fit $fit"
  has_size strip.png 6x128
  "$program" "$cat" panorama.png -o strip.png --weights "$slim" --size 64 --iterations 2 \
    --style-fit $fit >/dev/null || fail "a panorama as style with --style-fit $fit"
  has_size strip.png 43x64
done

# Layers behind fewer or more poolings need other sides; what is too small is refused, with the size needed.
"$program" panorama.png "$suns" -o strip.png --weights "$slim" --size 200 --iterations 1 --borders plain --method gram \
  --content-layers relu3_1 --style-layers relu2_1 --quiet || fail "10 pixels are too few for two poolings"
refuses 2 'a picture of 10 x 200 is too thin for the layers asked for: with plain borders, sides must be at least 16' \
  "$program" panorama.png "$suns" -o x.png --weights "$slim" --size 200 --borders plain --method gram
refuses 2 'sides must be at least 32' \
  "$program" panorama.png "$suns" -o x.png --weights "$slim" --size 500 --borders plain --method gram --content-layers pool5
for borders in plain extend; do
  "$program" "$suns" panorama.png -o strip.png --weights "$slim" --size 64 --iterations 1 --borders $borders --method gram \
    --content-layers pool5 --quiet || fail "pool5 with --borders $borders"
done
refuses 2 'the picture of 20 x 400 would become 1000 x 20000, but no side may be above 16384' \
  "$program" panorama.png "$suns" -o x.png --weights "$slim" --height 1000

# The first losses are the content's own, whatever the borders; the pictures that follow differ.
for borders in extend plain; do
  paint $borders.png --size 100 --iterations 3 --borders $borders
done
same "$(loss extend.png 1 5)" "$(loss plain.png 1 5)" 1e-5 "the first total with other borders"
differs "$(loss extend.png 3 3)" "$(loss size100.png 1 3)" "three iterations change nothing"
cmp -s extend.png plain.png && fail "borders make no difference at 67 x 100"
# Where nothing is missing at the borders, nothing is added.
paint fits-extend.png --height 48 --width 64 --iterations 2
paint fits-plain.png --height 48 --width 64 --iterations 2 --borders plain
cmp fits-extend.png fits-plain.png || fail "borders make a difference at 48 x 64"

# The style keeps its proportions unless it is squeezed.
paint squeezed.png --size 100 --iterations 1 --style-fit squeeze
differs "$(loss squeezed.png 1 3)" "$(loss extend.png 1 3)" "squeezing the style changes nothing"

# From coarse to fine: sizes √2 apart, and a row for every iteration of each.
paint ladder.png --size 100 --min-size 64 --iterations 2 --first-iterations 3 --save-stages
has_size ladder.png 67x100
has_size ladder-stage1.png 47x71
[ "$(cut -d, -f1 ladder.png.csv | tail -n +2 | tr '\n' ' ')" = '1 2 3 4 5 ' ] || fail "rows: $(cat ladder.png.csv)"

# Final passes are stages of a quarter of the iterations, whose losses are others; so are those of a pyramid's levels.
"$program" "$cat" "$suns" -o final.png --weights "$slim" --size 64 --iterations 6 --final-passes 2 --losses final.csv \
  --save-stages --no-metadata --quiet || fail "final passes"
[ "$(cut -d, -f1 final.csv | tail -n +2 | tr '\n' ' ')" = '1 2 3 4 5 6 7 8 9 10 ' ] || fail "rows: $(cat final.csv)"
has_size final-stage2.png 43x64
! cmp -s final-stage1.png final-stage2.png || fail "a final pass changes nothing"
"$program" "$cat" "$suns" -o pyramid.png --weights "$slim" --size 64 --iterations 6 --final-passes 0 --losses pyramid.csv \
  --pyramid 4 --no-metadata --quiet || fail "a pyramid"
! cmp -s final-stage1.png pyramid.png || fail "a pyramid changes nothing"

# L-BFGS goes down faster than Adam, and a loss to come to ends a run early or with status 3.
paint lbfgs.png --size 64 --iterations 9 --optimizer lbfgs
paint adam.png --size 64 --iterations 9
awk -v l="$(loss lbfgs.png 9 5)" -v a="$(loss adam.png 9 5)" 'BEGIN { exit !(l < a) }' || fail "L-BFGS is no faster"
paint until.png --size 64 --iterations 9 --until-loss "$(loss adam.png 4 5)"
[ "$(tail -1 until.png.csv | cut -d, -f1)" -le 5 ] || fail "--until-loss does not end the run"
refuses 3 'the loss did not come to --until-loss 0.001 in 2 iterations' "$program" "$cat" "$suns" -o until.png \
  --weights "$slim" --size 64 --iterations 2 --until-loss 0.001
has_size until.png 43x64

# What the network sees between and beyond pixels, and how layers weigh, makes a difference; zeros silence a layer.
for option in --pooling=average --pooling=l2 --padding=replicate --style-layer-weights=9,1,1,1,1; do
  paint other.png --size 64 --iterations 2 $option
  differs "$(loss other.png 1 3)" "$(loss adam.png 1 3)" "$option changes nothing"
done
paint other.png --size 64 --iterations 2 --style-layers relu2_1,relu3_1 --style-layer-weights 1,0
paint one.png --size 64 --iterations 2 --style-layers relu2_1
[ -n "$(loss one.png 1 3)" ] && [ "$(loss other.png 1 3)" != 0 ] || fail "a weight of 0 silences all layers"
paint other.png --size 64 --iterations 9 --normalize-gradients
same "$(loss other.png 1 5)" "$(loss adam.png 1 5)" 1e-5 "the first total with other gradients"
differs "$(loss other.png 9 2)" "$(loss adam.png 9 2)" "--normalize-gradients changes nothing"

# Every preset paints; those from noise with a seed.
for preset in gatys johnson d2l-2023; do
  paint $preset.png --preset $preset --size 64 --iterations 2
  grep -q ' 2 iterations' $preset.png.log || fail "$preset: $(cat $preset.png.log)"
done
has_size johnson.png 42x64  # cut off, not rounded
paint crowson.png --preset crowson --size 96 --min-size 64 --first-iterations 2 --iterations 1
[ "$(cut -d, -f1 crowson.png.csv | tail -n +2 | tr '\n' ' ')" = '1 2 3 ' ] || fail "crowson: $(cat crowson.png.csv)"
paint seeded.png --preset gatys --size 64 --iterations 2 --seed 5
cmp -s seeded.png gatys.png && fail "gatys does not start from noise"
[ "$(loss johnson.png 1 3)" != "$(loss adam.png 1 3)" ] || fail "johnson does not start from noise"

# The book's presets: two stages; d2l is PyTorch's; a size makes one stage; what is given wins.
paint mxnet.png --preset d2l-mxnet --height 64 --width 96 --iterations 2
paint pytorch.png --preset d2l-pytorch --height 64 --width 96 --iterations 2
paint d2l.png --height 64 --iterations 2 --width 96 --preset d2l
cmp pytorch.png d2l.png || fail "d2l is not d2l-pytorch"
differs "$(loss mxnet.png 1 3)" "$(loss pytorch.png 1 3)" "both presets have the same style loss"
paint taps.png --height 64 --width 96 --iterations 2 --borders plain --style-fit squeeze \
  --style-layers conv1_1,conv2_1,conv3_1,conv4_1,conv5_1 --content-layers conv4_4
# The same taps; MXNet's pictures are not antialiased, and rougher.
awk -v m="$(loss mxnet.png 1 4)" -v p="$(loss taps.png 1 4)" 'BEGIN { exit !(m > 1.05 * p) }' ||
  fail "d2l-mxnet's pictures are as smooth as Pillow's"
paint given.png --preset d2l --height 64 --width 96 --iterations 2 --content-layers conv4_4 \
  --style-layers conv1_1,conv2_1,conv3_1,conv4_1,conv5_1
same "$(loss given.png 1 5)" "$(loss taps.png 1 5)" 1e-5 "layers that are given do not win"
[ "$(grep -c 'iterations$' mxnet.png.log)" -eq 1 ] || fail "a size does not make one stage"
paint staged.png --preset d2l-mxnet --iterations 1 --save-stages
grep -q '150 x 225, 1 iterations' staged.png.log || fail "no first stage: $(cat staged.png.log)"
grep -q '600 x 900, 1 iterations' staged.png.log || fail "no second stage: $(cat staged.png.log)"
has_size staged-stage1.png 150x225
has_size staged.png 600x900

# Ten steps of the fast preset are worth more than twenty of the optimiser that is the default.
paint fast.png --preset fast --size 64 --iterations 10
paint slow.png --size 64 --iterations 20
same "$(loss fast.png 1 5)" "$(loss slow.png 1 5)" 1e-5 "fast has another objective"
least() { awk -F, 'NR == 2 || (NR > 2 && $5 < least) { least = $5 } END { print least }' "$1.csv"; }
awk -v f="$(least fast.png)" -v s="$(least slow.png)" 'BEGIN { exit !(f < s) }' ||
  fail "fast: $(least fast.png) after 10 iterations, where Adam is at $(least slow.png) after 20"
refuses 2 'learning-rate does not go with --optimizer scaled-lbfgs' "$program" "$cat" "$suns" --preset fast --learning-rate 1
echo "all as it should be"
