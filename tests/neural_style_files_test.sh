#!/usr/bin/env bash
# The files of neural_style: what it refuses to write over, and where pictures with odd names go.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
fixtures=$SFUMATO_SOURCE_DIR/tests/fixtures
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
cp "$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors" slim.safetensors
cp "$images/cat.jpg" cat.jpg
cp "$images/suns.jpg" suns.jpg
export SFUMATO_WEIGHTS=slim.safetensors
paint() { "$program" cat.jpg suns.jpg --size 32 --iterations 1 "$@"; }
sums() { sha256sum cat.jpg suns.jpg slim.safetensors; }
sums >before.txt

# Inputs that are none.
refuses 1 'none.jpg: no such file' "$program" none.jpg suns.jpg -o x.png
: >empty.jpg
refuses 1 'empty.jpg: ' "$program" cat.jpg empty.jpg -o x.png
refuses 1 'arrays.npz: ' "$program" cat.jpg "$fixtures/arrays.npz" -o x.png
refuses 1 'w.pth: no such file' paint -o x.png --weights w.pth
refuses 1 'the weights lack features.0.weight' paint -o x.png --weights "$fixtures/nested.pth"
refuses 1 'cat.jpg' paint -o x.png --weights cat.jpg
SFUMATO_WEIGHTS=elsewhere.pth refuses 1 'elsewhere.pth: no such file' paint -o x.png

# Places that can't be written to, before anything is computed.
mkdir folder.png folder
refuses 1 "images are written as .png, .jpg or .jpeg, not '.gif'" paint -o x.gif
refuses 1 "images are written as .png, .jpg or .jpeg, not ''" paint -o x
refuses 1 'there is no folder none' paint -o none/x.png
refuses 1 'it is a folder' paint -o folder.png
refuses 1 'there is no folder none' paint -o x.png --losses none/l.csv
refuses 1 'it is a folder' paint -o x.png --losses folder
refuses 1 'Not a directory' paint -o cat.jpg/x.png
echo old >read-only.png
chmod a-w read-only.png
refuses 1 'it is read-only' paint -o read-only.png
[ "$(cat read-only.png)" = old ] || fail "a read-only file was written over"
if [ "$(id -u)" -ne 0 ]; then
  mkdir locked
  chmod a-w locked
  refuses 1 'the folder locked may not be written to' paint -o locked/x.png
fi

# One file with two meanings, also through links.
ln -s cat.jpg link.jpg
ln suns.jpg hard.jpg
ln -s x.png later.csv
refuses 2 '--output cat.jpg is the same file as CONTENT cat.jpg' paint -o cat.jpg
refuses 2 '--output ./link.jpg is the same file as CONTENT' paint -o ./link.jpg
refuses 2 '--output hard.jpg is the same file as STYLE suns.jpg' paint -o hard.jpg
refuses 2 '--losses slim.safetensors is the same file as the weights' paint -o x.png --losses slim.safetensors
ln -s slim.safetensors weights.csv
refuses 2 '--losses weights.csv is the same file as the weights' paint -o x.png --losses weights.csv
refuses 2 '--losses link.jpg is the same file as CONTENT' paint -o x.png --losses link.jpg
refuses 2 '--losses x.png is the same file as --output' paint -o x.png --losses x.png
refuses 2 '--losses ./later.csv is the same file as --output x.png' paint -o x.png --losses ./later.csv
cp cat.jpg x-stage1.jpg
refuses 2 'the picture of a stage x-stage1.jpg is the same file as CONTENT x-stage1.jpg' \
  "$program" x-stage1.jpg suns.jpg -o x.jpg --preset d2l --save-stages --losses /dev/null
ln -s real.jpg other.png
refuses 2 '--output other.png is a link to real.jpg, whose ending means another format' paint -o other.png
# Losses go into no picture, and over nothing but losses.
refuses 1 '--losses other.png: the losses are written as text; give it a name that ends in .csv' paint -o x.png --losses other.png
refuses 1 '--losses OTHER.JPG: the losses are written as text' paint -o x.png --losses OTHER.JPG
printf 'name,price\nbrush,3\n' >prices.csv
refuses 1 '--losses prices.csv: there is a file of that name that holds no losses' paint -o x.png --losses prices.csv
printf 'iteration,model,loss\n1,a,2\n' > models.csv
refuses 1 '--losses models.csv: there is a file of that name that holds no losses' paint -o x.png --losses models.csv
cp cat.jpg picture
refuses 1 '--losses picture: there is a file of that name that holds no losses' paint -o x.png --losses picture
sums | cmp - before.txt || fail "an input was changed"
[ "$(cat prices.csv)" = $'name,price\nbrush,3' ] || fail "prices.csv was changed"

: >losses.csv
for _ in empty own; do
  paint -o y.png --losses losses.csv --quiet || fail "losses are not written over losses"
  [ "$(head -1 losses.csv)" = iteration,content,style,tv,total,seconds ] || fail "the header of the CSV"
  [ "$(wc -l <losses.csv)" -eq 2 ] || fail "the rows of the CSV"
done
paint -o y.png --losses /dev/stdout --quiet >out.txt
[ "$(head -1 out.txt)" = iteration,content,style,tv,total,seconds ] || fail "losses to a pipe: $(cat out.txt)"
paint -o y.png --losses /dev/null --quiet && [ -c /dev/null ] || fail "/dev/null was replaced"
# Losses that can't be written cost no picture.
status=0
paint -o saved.png --losses /dev/full --quiet 2>err.txt || status=$?
[ "$status" -eq 1 ] && [ "$(wc -l <err.txt)" -eq 1 ] && grep -q '/dev/full: ' err.txt || fail "/dev/full: $(cat err.txt)"
is_picture saved.png
# Nor does a folder that goes away.
mkdir away
: >log.txt
TMPDIR=$folder/folder "$program" cat.jpg suns.jpg --size 32 --iterations 100000 --report-every 1 -o away/p.png >log.txt 2>err.txt &
process=$!
waits_for 's/it' log.txt $process
rm -r away
kill -INT $process
ends_with 1 $process
grep -q "away/p.png: .*there is no folder away.*; the picture is in $folder/folder/p-$process.png" err.txt ||
  fail "a folder that goes away: $(cat err.txt)"
is_picture "folder/p-$process.png"

# Pictures of one pixel, and of one row: BMP, 24 bits.
bmp() {  # WIDTH, at most 63, and one row
  local row=$(((3 * $1 + 3) / 4 * 4))
  printf 'BM%b\0\0\0\0\066\0\0\0\050\0\0\0%b\0\0\0\01\0\0\0\01\0\030\0\0\0\0\0%b' \
    "\\x$(printf %x $((54 + row)))\0\0\0" "\\x$(printf %x "$1")" '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
  head -c "$row" cat.jpg
}
bmp 1 >pixel.bmp
bmp 60 >row.bmp
"$program" pixel.bmp row.bmp --size 32 --iterations 1 -o pixel.png --quiet || fail "a picture of one pixel"
"$program" row.bmp pixel.bmp --size 64 --iterations 1 -o row.png --quiet || fail "a picture of one row"
is_picture pixel.png row.png

# Where nothing is said, a name in the current folder that there is not: of both pictures, and a number.
mkdir unnamed
cp cat.jpg unnamed/a.cat.jpg
(
  cd unnamed
  ln -s nowhere a.cat-suns-3.png
  for name in a.cat-suns.png a.cat-suns-2.png a.cat-suns-4.png; do
    SFUMATO_WEIGHTS=../slim.safetensors "$program" a.cat.jpg ../suns.jpg --size 32 --iterations 1 >log.txt
    grep -qx "wrote $name" log.txt || fail "without --output it did not write $name: $(cat log.txt)"
    is_picture "$name"
    touch -d 2001-01-01 "$name"
  done
  [ -z "$(find . -type f -name '*.png' -newermt 2002-01-01)" ] || fail "a picture was written over: $(ls -l)"
  [ ! -e nowhere ] || fail "a picture was written where a link leads"
)

# Names that need care, and the same picture twice.
mkdir 'a folder ä'
cp cat.jpg 'a folder ä/Kätzchen 猫.jpg'
"$program" 'a folder ä/Kätzchen 猫.jpg' 'a folder ä/Kätzchen 猫.jpg' --size 32 --iterations 1 \
  -o 'a folder ä/né w.PNG' --losses 'a folder ä/l ö.csv' >log.txt
is_picture 'a folder ä/né w.PNG'
grep -q 'wrote a folder ä/né w.PNG' log.txt || fail "names are not said as they are: $(cat log.txt)"
cp cat.jpg ./-c.jpg
"$program" -o- --size 32 2>err.txt && fail "-o- was taken"
"$program" --size=32 -oy.JPG --iterations=1 --quiet -- -c.jpg suns.jpg
[ "$(od -An -t x1 -N 2 y.JPG)" = ' ff d8' ] || fail "y.JPG is not a JPEG"
[ -z "$(find . -name '.sfumato*' -o -name '*.part-*')" ] || fail "temporary files: $(find . -name '.*')"
echo "all as it should be"
