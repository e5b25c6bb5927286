#!/usr/bin/env bash
# Regions by masks, strength, and opacity and light that are kept.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
. "$SFUMATO_SOURCE_DIR/tests/support/pictures.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors

# A grey photograph; a style that is red on the left and blue on the right; masks of two halves.
picture grey.png 48 32 '(90 + x, 90 + x, 90 + x)'
picture style.png 48 48 '((200, 30 + 4 * (y % 8), 20) if x < 24 else (20, 30 + 4 * (y % 8), 200))'
picture left.png 48 32 '(255, 255, 0) if x < 24 else (0, 0, 0)'
picture turned.png 48 48 '(0, 0, 0) if x < 24 else (255, 255, 0)'
picture blurred.png 96 64 '(lambda v: (v, v, 0))(min(255, max(0, int((54 - x) * 21.25))))'
paint() { "$program" grey.png style.png --size 48 --iterations 30 --learning-rate 0.1 --quiet "$@"; }
first() { [ "$1" != wasserstein ] || echo --first-iterations 30; }  # which are a thousand
halves='*(round(mean([p[c] for row in rows for p in row[a:b]])) for a, b in ((0, 18), (30, 48)) for c in (0, 2))'

# What is yellow in one is yellow in the other: the left half is painted like the style's right one, which is blue.
for method in gram wasserstein neighbors; do
  weight=$([ $method = gram ] && echo 1e5 || echo 1)
  paint -o masked.png --content-mask left.png --style-mask turned.png --method $method $(first $method) \
    --content-weight 0 --style-weight $weight
  read -r red blue other_red other_blue <<<"$(of masked.png "$halves")"
  holds "$blue - $red > $other_blue - $other_red + 40" "masks with --method $method"
done
# Edges may be soft, and masks of another size than the pictures.
paint -o soft.png --content-mask blurred.png --style-mask turned.png
read -r red blue other_red other_blue <<<"$(of soft.png "$halves")"
holds "$blue - $red > $other_blue - $other_red + 15" "soft masks"
# Several styles with a mask each.
picture green.png 40 40 '(20, 200 - 4 * (y % 8), 30)'
picture yellow.png 40 40 '(255, 255, 0)'
picture black.png 48 48 '(0, 0, 0)'
paint -o two.png --style green.png --content-mask left.png --style-mask black.png --style-mask yellow.png
green='(mean([2 * p[1] - p[0] - p[2] for row in rows for p in row[a:b]]) for a, b in ((0, 18), (30, 48)))'
holds "$(of two.png "(lambda left, right: left > right + 40)(*$green)")" "a mask for each style"
# The record knows the masks.
"$program" repeat two.png . "$SFUMATO_SOURCE_DIR/weights" -o again.png --quiet
cmp -s two.png again.png || fail "repeat with masks is another picture"

picture three.png 48 48 '(0, 0, 0) if x < 16 else (255, 255, 0) if x < 32 else (0, 255, 255)'
refuses 1 "left.png: the style's mask has the colour #00ffff, the content's only #000000, #ffff00" \
  paint -o x.png --content-mask left.png --style-mask three.png
refuses 1 "left.png: the content's mask has the colour #000000, the style's only #ffff00" \
  paint -o x.png --content-mask left.png --style-mask yellow.png
refuses 1 'turned.png: a mask of 48 x 48 does not lie on a picture of 48 x 32' \
  paint -o x.png --content-mask turned.png --style-mask turned.png
refuses 2 'there are 1 styles, but --style-mask names 2' \
  paint -o x.png --content-mask left.png --style-mask turned.png --style-mask turned.png
refuses 2 '--content-mask needs --style-mask' paint -o x.png --content-mask left.png
refuses 2 '--style-mask needs --content-mask' paint -o x.png --style-mask left.png

# Strength, with the methods that compare statistics.
for method in gram wasserstein; do
  for strength in 0 0.25 0.5 0.75 1; do
    paint -o strong.png --method $method $(first $method) --strength $strength --losses strong.csv
    tail -1 strong.csv | cut -d, -f2
  done >distances.txt 2>/dev/null
  sort -g -c distances.txt && [ "$(sort -g -u distances.txt | wc -l)" -eq 5 ] ||
    fail "--strength with --method $method: content distances $(tr '\n' ' ' <distances.txt)"
done

# Opacity is kept.
picture seen.png 48 32 '(90 + x, 90 + x, 90 + x, 0 if x < 12 else 255 if x > 24 else 20 * (x - 12))'
"$program" seen.png style.png --size 48 --iterations 2 --quiet -o opaque.png
[ "$(of opaque.png 'len(rows[0][0])')" = 3 ] || fail "there is opacity that nobody asked for"
"$program" seen.png style.png --size 48 --iterations 2 --quiet -o alpha.png --keep-alpha --save-every 1
[ "$(of alpha.png '*(row[x][3] for row in rows[:1] for x in (0, 11, 15, 20, 40))')" = '0 0 60 160 255' ] ||
  fail "--keep-alpha: $(of alpha.png '*(p[3] for p in rows[0])')"
[ "$(of alpha-000001.png '[p[3] for p in rows[0]]')" = "$(of alpha.png '[p[3] for p in rows[0]]')" ] ||
  fail "--keep-alpha --save-every: $(of alpha-000001.png 'rows[0]')"
refuses 2 'JPEG has no opacity' "$program" seen.png style.png --keep-alpha -o x.jpg
rm -f x.jpg

# The content's light is kept.
picture steep.png 48 32 '(10 + 5 * x, 10 + 5 * x, 10 + 5 * x)'
light() { "$program" steep.png style.png --size 48 --iterations 20 --pyramid 0 --learning-rate 0.1 --tv-weight 1 --quiet "$@"; }
statistics='round(mean(luma), 1), round(mean([(l - mean(luma)) ** 2 for l in luma]) ** 0.5, 1)'
read -r bright contrast <<<"$(of steep.png "$statistics")"
light -o plain.png
read -r own own_contrast <<<"$(of plain.png "$statistics")"
holds "abs($own - $bright) > 8 and abs($own_contrast - $contrast) > 8" "the picture is too much like the content to tell"
for keep in luminance contrast both; do
  light -o kept.png --keep $keep
  read -r now now_contrast <<<"$(of kept.png "$statistics")"
  [ $keep = contrast ] || holds "abs($now - $bright) < 4" "--keep $keep, luminance"
  [ $keep = luminance ] || holds "abs($now_contrast - $contrast) < 4" "--keep $keep, contrast"
  [ $keep != luminance ] || holds "abs($now_contrast - $own_contrast) < 4" "--keep $keep changes the contrast"
done

echo "all as it should be"
