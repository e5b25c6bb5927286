#!/usr/bin/env bash
# Pictures in tiles: painted as in one, chosen by the memory, repeated and gone on with; what does not go together.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
cp "$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors" slim.safetensors
export SFUMATO_WEIGHTS=slim.safetensors
cp "$images/cat.jpg" "$images/suns.jpg" .
paint() { "$program" cat.jpg suns.jpg --method gram "$@"; }
small="--size 160 --iterations 5 --style-layers relu1_1,relu3_1 --content-layers relu2_2"

# The same picture, but for rounding, with two ways of comparing styles.
# same FIRST SECOND: each loss is within a part in a thousand.
same() {
  paste -d , "$1" "$2" | awk -F , 'NR > 1 { d = $5 - $(NF / 2 + 5); if (d * d > 1e-6 * $5 * $5) exit 1 } END { exit NR < 6 }' ||
    fail "other losses: $(paste "$1" "$2" | tail -1)"
}
for method in gram wasserstein; do
  options="$small --first-iterations 5 --min-size 160 --method $method"
  "$program" cat.jpg suns.jpg -o whole.png --losses whole.csv $options --quiet
  "$program" cat.jpg suns.jpg -o tiled.png --losses tiled.csv $options --tile 64 >log.txt
  grep -qx 'painted in tiles of 64 pixels' log.txt || fail "says not that it tiles: $(cat log.txt)"
  same whole.csv tiled.csv
done
"$program" repeat tiled.png -o again.png >log.txt
grep -q 'the same as tiled.png to the byte' log.txt || fail "repeated: $(cat log.txt)"

# What does not go together is refused before anything is painted.
refuses 2 '--tile does not go with --method neighbors: a neighbour may be anywhere in the picture' \
  "$program" cat.jpg suns.jpg -o x.png --tile 64
refuses 2 '--tile does not go with --normalize-gradients: ' paint -o x.png --tile 64 --normalize-gradients
refuses 2 '--tile must be a whole number from 64 to 16384' paint -o x.png --tile 63
for wrong in 0G 12 1X -1G G 1e300T ''; do
  refuses 2 '--max-memory must be a size such as 800M or 2.3G' paint -o x.png --max-memory "$wrong"
done
refuses 2 'are needed, more than --max-memory, and --tile does not go with --method neighbors: ' \
  "$program" cat.jpg suns.jpg -o x.png --max-memory 20M
refuses 1 'are needed, more than --max-memory; take a smaller --size or --precision bf16' paint -o x.png --max-memory 20M
refuses 1 'not enough memory: even in tiles about ' paint -o x.png --size 1024 --max-memory 40M
refuses 1 'not enough memory: about ' paint -o x.png --size 96 --max-memory 20M
refuses 1 'most of it for what --optimizer lbfgs remembers; take a smaller --size, --optimizer adam or --precision bf16' \
  paint -o x.png --size 1024 --optimizer lbfgs --max-memory 200M
echo "all as it should be"
