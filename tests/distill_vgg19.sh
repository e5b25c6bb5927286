#!/usr/bin/env bash
# Training a slim network and comparing it, in miniature: a network of random weights is the teacher of a
# slimmer one.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/distill_vgg19
compare=$SFUMATO_BUILD_DIR/compare_networks
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"

command -v python3 >/dev/null || { echo "SKIPPED: no python3 to make a network with"; exit 77; }
teacher=$folder/teacher.safetensors
python3 "$SFUMATO_SOURCE_DIR/tests/support/random_vgg19.py" "$teacher" 8,12,16,16,16

mkdir pictures few
for name in cat mosaic rocket suns; do
  cp "$images/$name.jpg" few/
  for i in 1 2 3 4 5 6; do cp "$images/$name.jpg" "pictures/$name-$i.jpg"; done
done

refuses 2 '--work is required' "$program" pictures -o out.safetensors
refuses 1 'run weights/gather_pictures.sh' "$program" few -o out.safetensors --work work --weights "$teacher"
refuses 1 'crops have 1000 pixels' "$program" pictures -o out.safetensors --work work --weights "$teacher" --crop 1000
refuses 1 'the weights lack features.0.weight' \
  "$program" pictures -o out.safetensors --work work --weights "$SFUMATO_SOURCE_DIR/tests/fixtures/nested.pth"

distill() {
  "$program" pictures --weights "$teacher" --widths 4,6,8,8,8 --crop 32 --batch 2 --fit-crops 12 --steps 60 \
    --validate-every 10 --validation-crops 4 "$@"
}
distill -o out.safetensors --work work >log.txt
[ "$(grep -c 'correlations' log.txt)" -eq 7 ] || fail "not every validation is reported: $(cat log.txt)"
[ "$(wc -l <work/log.csv)" -eq 8 ] || fail "the log does not have a row for every validation"
# Column 2 is the mean of the last losses: training makes them smaller.
awk -F, 'NR == 3 { first = $2 } END { exit !($2 < 0.95 * first) }' work/log.csv || fail "nothing learned: $(cat work/log.csv)"

# An interrupted training goes on to the very weights that it would have come to.
status=0
distill -o resumed.safetensors --work again >log.txt &
process=$!
for _ in $(seq 300); do
  [ ! -e again/checkpoint.safetensors ] || break
  sleep 0.1
done
kill -INT $process 2>/dev/null || true
wait $process || status=$?
[ "$status" -eq 130 ] || [ "$status" -eq 0 ] || fail "an interrupted training ended with $status"
distill -o resumed.safetensors --work again >log.txt
grep -q 'resumes after step' log.txt || fail "it did not resume"
cmp out.safetensors resumed.safetensors || fail "a resumed training came to other weights"

refuses 2 'in pairs' "$compare" "$teacher" out.safetensors pictures --transfers "$images/cat.jpg"
"$compare" "$teacher" out.safetensors pictures --crop 64 --size 64 --iterations 3 -o painted \
  --transfers "$images/cat.jpg" "$images/suns.jpg" >table.txt
[ "$(grep -c '^| slim | [-0-9.]* |' table.txt)" -eq 1 ] || fail "no correlations: $(cat table.txt)"
[ "$(grep -c '^| 1 | ' table.txt)" -eq 3 ] || fail "not three pictures: $(cat table.txt)"
[ -s painted/pair-1.png ] || fail "no picture"

# Any network's distances agree wholly with its own.
"$compare" "$teacher" "$teacher" pictures --crop 64 >table.txt
grep -q '^| slim | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |' table.txt || fail "$(cat table.txt)"
echo "all as it should be"
