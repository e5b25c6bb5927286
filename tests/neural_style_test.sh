#!/usr/bin/env bash
# The style transfer program as a person uses it: results, messages and exit statuses.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
convert=$SFUMATO_BUILD_DIR/convert_weights
fixtures=$SFUMATO_SOURCE_DIR/tests/fixtures
shared=${SFUMATO_SHARED:-$SFUMATO_SOURCE_DIR/../shared}
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"

cat="$images/cat.jpg"
suns="$images/suns.jpg"

"$program" --help | grep -q -- '--style-weight' || fail "--help does not explain the options"
refuses 2 'required' "$program"
refuses 2 '--output is required' "$program" "$cat" "$suns"
refuses 2 'there is no option --sise; is --size meant?' "$program" "$cat" "$suns" -o x.png --sise 5
refuses 2 "--size must be a whole number from 32 to 16384, not '5'" "$program" "$cat" "$suns" -o x.png --size 5
refuses 2 "--init must be content or noise, not 'zeros'" "$program" "$cat" "$suns" -o x.png --init zeros
for device in tpu cuda: cuda:x cuda:-1 cuda:0x cudaa; do
  refuses 2 "--device $device is none of auto, cpu, cuda and cuda:INDEX" \
    "$program" "$cat" "$suns" -o x.png --device "$device"
done
# Without CUDA, without a driver, without so many GPUs: one line each.
status=0
"$program" "$cat" "$suns" -o x.png --device cuda:99 2>err.txt || status=$?
[ "$status" -ne 0 ] && [ "$(wc -l <err.txt)" -eq 1 ] && [ ! -e x.png ] || fail "cuda:99: $(cat err.txt)"
grep -qE 'was built without CUDA|no NVIDIA GPU with a driver|cuda:99: there are [0-9]+ GPUs' err.txt ||
  fail "cuda:99 said: $(cat err.txt)"
refuses 2 '--size does not go with --height' "$program" "$cat" "$suns" -o x.png --size 64 --height 64
refuses 1 'images are written as .png, .jpg or .jpeg' "$program" "$cat" "$suns" -o x.gif
refuses 1 'there is no folder none' "$program" "$cat" "$suns" -o none/x.png
refuses 1 'none.jpg: no such file' "$program" none.jpg "$suns" -o x.png
refuses 1 'this is a zip archive' "$program" "$cat" "$fixtures/arrays.npz" -o x.png
cp "$program" alone
refuses 1 'no VGG-19 weights found: run weights/fetch.sh' ./alone "$cat" "$suns" -o x.png
refuses 1 'w.pth: no such file' "$program" "$cat" "$suns" -o x.png --weights w.pth
refuses 1 'the weights lack features.0.weight' \
  "$program" "$cat" "$suns" -o x.png --weights "$fixtures/nested.pth"
SFUMATO_WEIGHTS=elsewhere.pth refuses 1 'elsewhere.pth: no such file' "$program" "$cat" "$suns" -o x.png
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
grep -q '40 x 64, 3 iterations' log.txt || fail "proportions are not kept: $(cat log.txt)"
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
refuses 2 "there is no layer 'conv7_1'" ./alone "$cat" "$suns" -o x.png --content-layers conv7_1

./alone "$cat" "$suns" -o stopped.png --size 64 --iterations 100000 --quiet --losses stopped.csv &
process=$!
sleep 3
kill -INT $process
status=0
wait $process || status=$?
[ "$status" -eq 130 ] || fail "an interrupted run ended with $status"
[ -s stopped.png ] && [ -s stopped.csv ] || fail "an interrupted run kept nothing"
echo "all as it should be"
