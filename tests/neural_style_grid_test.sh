#!/usr/bin/env bash
# Contact sheets.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
. "$SFUMATO_SOURCE_DIR/tests/support/pictures.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors

# A grey photograph, and a style that is red on the left and blue on the right.
picture grey.png 48 32 '(90 + x, 90 + x, 90 + x)'
picture style.png 48 48 '((200, 30 + 4 * (y % 8), 20) if x < 24 else (20, 30 + 4 * (y % 8), 200))'
paint() { "$program" grey.png style.png --size 48 --iterations 2 --quiet "$@"; }

# Contact sheets: three columns of two, the strongest of which is farthest from the content.
"$program" grey.png style.png --grid iterations=1,20,strength=0,0.5,1 --size 600 >said.txt
is_picture grey-style-grid.png
[ "$(grep -c '^. of 6: neural_style .*--size 600 --iterations [0-9]* --strength [0-9.]* grey.png style.png$' said.txt)" -eq 6 ] ||
  fail "--grid said: $(cat said.txt)"
# Pictures of 192 x 128, 8 pixels apart, behind a margin of ten letters of 12 pixels and 16.
[ "$(of grey-style-grid.png 'len(rows[0]), len(rows)')" = "$((136 + 3 * 200)) $((48 + 2 * 136))" ] ||
  fail "--grid: $(of grey-style-grid.png 'len(rows[0]), len(rows)')"
cell='lambda i, j: [p for row in rows[48 + 136 * i:176 + 136 * i] for p in row[136 + 200 * j:328 + 200 * j]]'
read -r first last <<<"$(of grey-style-grid.png "*(round(mean([abs(p[0] - p[2]) for p in ($cell)(1, j)])) for j in (0, 2))")"
holds "$last > $first + 20" "--grid paints the same everywhere"
"$program" grey.png style.png --grid strength=0,1 --size 48 --quiet -o one.png
[ "$(of one.png 'len(rows)')" = $((8 + 2 * 40)) ] || fail "--grid of one option: $(of one.png 'len(rows)')"

# What can't be painted is left out, and the rest is kept.
paint -o part.png --method gram --grid style-layers=relu9_1,relu1_1 2>err.txt && fail "--grid with a layer that there is not: 0"
grep -qF -- '--style-layers relu9_1' err.txt || fail "--grid with a layer that there is not says: $(cat err.txt)"
is_picture part.png
[ "$(of part.png '[list(rows[y][-24]) == 3 * [250] for y in (24, 64)]')" = '[True, False]' ] || fail "--grid of one layer that there is not"
refuses 2 '--grid must be one or two options with lists of values' paint -o x.png --grid 3,4
refuses 2 '--grid must be one or two options with lists of values' paint -o x.png --grid size=
refuses 2 '--grid: size is no option in which' paint -o x.png --grid size=32,64
refuses 2 '--grid: quiet is no option in which' paint -o x.png --grid quiet=1
refuses 2 '--grid: strength is named twice' paint -o x.png --grid strength=1,strength=0
refuses 2 '--strength must be a number from 0 to 1, not' paint -o x.png --grid strength=0,2
refuses 2 '--method does not go with --preset' "$program" grey.png style.png -o x.png --grid method=gram --preset d2l
refuses 2 '--grid does not go with --keep-alpha' paint -o x.png --grid strength=0 --keep-alpha
refuses 2 '--grid does not go with --checkpoint' paint -o x.png --grid strength=0 --checkpoint x.ckpt
echo "all as it should be"
