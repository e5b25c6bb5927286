#!/usr/bin/env bash
# The style transfer program as a person uses it: which network it takes, and what it makes.
# The command line, files, signals and memory have tests of their own (neural_style_*_test.sh).
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
convert=$SFUMATO_BUILD_DIR/convert_weights
shared=${SFUMATO_SHARED:-$SFUMATO_SOURCE_DIR/../shared}
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"

cat="$images/cat.jpg"
suns="$images/suns.jpg"

cp "$program" alone
mkdir -p above/beside
cp "$program" above/beside/alone
refuses 1 'no VGG-19 weights found: $SFUMATO_WEIGHTS is not set, and there is none of vgg19.safetensors, ' \
  above/beside/alone "$cat" "$suns" -o x.png
here=$(realpath .)
looked="$here/above/beside/weights, $here/above/weights, $here/weights"
for part in "vgg19-slim.safetensors in $looked, " ", $XDG_CACHE_HOME/sfumato; run weights/fetch.sh (548 MB)"; do
  grep -qF -- "$part" err.txt || fail "says not where it looked for weights, '$part': $(cat err.txt)"
done
rm -r above
refuses 1 'none.pth: no such file' "$convert" none.pth out.safetensors
[ ! -e out.safetensors ] || fail "convert_weights left a file behind"

# A slim network of one's own is used when there is no other, and only then.
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to make a network with"; exit 77; }
mkdir weights
python3 "$SFUMATO_SOURCE_DIR/tests/support/random_vgg19.py" weights/vgg19-slim.safetensors 8,12,16,16,16
./alone "$cat" "$suns" -o slim.png --size 64 --iterations 20 --learning-rate 0.05 --content-weight 0 \
  --tv-weight 0 --report-every 1 >log.txt
[ "$(grep -c 'the slim network; weights/fetch.sh gets the full one' log.txt)" -eq 1 ] ||
  fail "does not say once that the network is the slim one: $(cat log.txt)"
awk '/s\/it/ { last = $NF; for (i = 1; i < NF; ++i) if ($i == "total") last = $(i + 1); if (!n++) first = last }
  END { exit !(n == 20 && last < first) }' log.txt || fail "the slim network lowers no loss: $(cat log.txt)"
mkdir -p "$XDG_CACHE_HOME/sfumato"
echo '{}' >"$XDG_CACHE_HOME/sfumato/vgg19.safetensors"
refuses 1 'sfumato/vgg19.safetensors' ./alone "$cat" "$suns" -o x.png
rm -r weights "$XDG_CACHE_HOME/sfumato"

weights=$shared/weights/vgg19-oxford-q8.safetensors
if [ ! -e "$weights" ]; then
  echo "SKIPPED: without the shared weights, no picture is made; set SFUMATO_SHARED"
  exit 77
fi

"$convert" "$weights" half.safetensors --type F16 >/dev/null
[ "$(stat -c %s half.safetensors)" -lt 41000000 ] || fail "half precision is not half the size"

"$program" "$cat" "$suns" -o picture.png --weights half.safetensors --size 64 --iterations 3 \
  --report-every 1 --losses losses.csv --threads 2 >log.txt
grep -q 'content .*cat.jpg: 300 x 451' log.txt || fail "sizes are not printed"
grep -q '43 x 64, 3 iterations' log.txt || fail "proportions are not kept: $(cat log.txt)"
[ "$(grep -c 's/it' log.txt)" -eq 3 ] || fail "not every iteration is reported"
[ "$(head -1 losses.csv)" = iteration,content,style,tv,total,seconds ] || fail "the header of the CSV"
[ "$(wc -l <losses.csv)" -eq 4 ] || fail "the CSV does not have a row for every iteration"
head -c 4 picture.png | grep -q PNG || fail "the picture is not a PNG"

mkdir -p "$XDG_CACHE_HOME/sfumato"
mv half.safetensors "$XDG_CACHE_HOME/sfumato/vgg19.safetensors"
./alone "$cat" "$suns" -o noise.jpg --height 40 --width 33 --iterations 2 --init noise --seed 5 \
  --style-layers relu1_1,2 --content-layers 25 --quiet >log.txt
[ ! -s log.txt ] || fail "--quiet is not quiet"
[ -s noise.jpg ] || fail "no picture with weights from the cache"
echo "all as it should be"
