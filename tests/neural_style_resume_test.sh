#!/usr/bin/env bash
# Runs that are killed and gone on with, to the bits of one that never ended; checkpoints that are not to be believed.
# SFUMATO_KILLS: how often one is killed at a random moment.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
cat="$images/cat.jpg"
suns="$images/suns.jpg"
kills=${SFUMATO_KILLS:-3}
RANDOM=${SFUMATO_SEED:-$$}
echo "SFUMATO_SEED=${SFUMATO_SEED:-$$}"

# Sets of options, one of which each kill takes: optimisers, an average, stages, noise, types, borders.
sets=("--size 40 --iterations 60 --init noise --seed 3"
  "--size 36 --iterations 60 --optimizer lbfgs"
  "--size 80 --min-size 40 --iterations 15 --first-iterations 20"
  "--size 48 --min-size 36 --iterations 15 --optimizer scaled-lbfgs"
  "--size 40 --min-size 40 --iterations 30 --final-passes 2"
  "--size 40 --iterations 40 --method wasserstein --original-colors luminance"
  "--size 48 --borders plain --iterations 24 --precision bf16 --learning-rate 0.05 --lr-decay-every 10"
  "--size 33 --iterations 80 --until-loss 1e-3 --optimizer adam"
  "--size 100 --borders plain --iterations 20 --method gram --tile 64")
paint() { "$program" "$cat" "$suns" --no-metadata "$@"; }
same() {
  cmp whole-$1.png out.png || fail "after kills ($2) the picture of ${sets[$1]} is another"
  cmp <(cut -d , -f 1-5 whole-$1.csv) <(cut -d , -f 1-5 out.csv) || fail "after kills the losses of ${sets[$1]} are others"
}

declare -A half
killed=0
first=$RANDOM
for ((run = 0; killed < kills; ++run)); do
  [ $run -lt $((3 * kills + 5)) ] || fail "most runs end before they are killed"
  set=$(((first + run) % ${#sets[@]}))
  if [ ! -e whole-$set.png ]; then
    start=$(date +%s%N)
    paint ${sets[$set]} --quiet -o whole-$set.png --losses whole-$set.csv 2>err.txt || [ $? -eq 3 ] || fail "${sets[$set]}: $(cat err.txt)"
    half[$set]=$((($(date +%s%N) - start) / 2000000 + 1))  # of its time, in ms
  fi
  rm -f run.ckpt out.png out.csv
  resume=
  moments=
  left=$((1 + RANDOM % 2))
  status=137
  while [ $status -eq 137 ]; do
    "$program" "$cat" "$suns" --no-metadata ${sets[$set]} --quiet -o out.png --losses out.csv --checkpoint run.ckpt \
      --checkpoint-every 0.0$((RANDOM % 10)) --threads $((1 + RANDOM % 2)) $resume 2>err.txt &
    process=$!
    until [ -s run.ckpt ]; do
      kill -0 $process 2>/dev/null || fail "ended before it wrote a checkpoint: $(cat err.txt)"
      sleep 0.02
    done
    if [ $left -gt 0 ]; then
      left=$((left - 1))
      moment=$((RANDOM % half[$set]))
      moment=$((moment / 1000)).$(printf %03d $((moment % 1000)))
      sleep $moment
      kill -9 $process 2>/dev/null || true
    fi
    status=0
    { wait $process; } 2>/dev/null || status=$?
    [ $status -eq 137 ] || break
    killed=$((killed + 1))
    moments="$moments $moment"
    is_picture out.png
    resume='--resume run.ckpt'
  done
  [ $status -eq 0 ] || [ $status -eq 3 ] || fail "${sets[$set]} $resume ended with $status: $(cat err.txt)"
  same $set "$moments"
  echo "killed after ${moments:- nothing}: ${sets[$set]}"
done

# A signal leaves a checkpoint, however long ago the last one was.
for ending in INT:130 TERM:143; do
  rm -f run.ckpt
  : >log.txt
  "$program" "$cat" "$suns" --no-metadata --size 40 --iterations 60 --report-every 1 -o out.png \
    --checkpoint run.ckpt --checkpoint-every 86400 >log.txt &
  process=$!
  waits_for '/60' log.txt $process
  sleep 0.0$((RANDOM % 10))
  kill -${ending%:*} $process
  ends_with "${ending#*:}" $process
  [ -s run.ckpt ] || fail "SIG${ending%:*} left no checkpoint"
  paint --size=040 --iterations 60 -o out.png --resume run.ckpt >log.txt
  grep -qE 'resumed after iteration [0-9]+ of stage 1' log.txt || fail "resumed without a word: $(cat log.txt)"
  [ -e signal.png ] || paint --size 40 --iterations 60 --quiet -o signal.png
  cmp signal.png out.png || fail "after SIG${ending%:*} it is another picture"
done
cp run.ckpt good.ckpt

# What is of another run is refused, with what differs.
go_on() { local message=$1; shift
  refuses "${wanted:-1}" "$message" "$program" "$cat" "$suns" --no-metadata --iterations 60 -o x.png --resume good.ckpt "$@"; }
go_on 'good.ckpt: is of another run: --size: 40 there, 48 here' --size 48
go_on 'good.ckpt: is of another run: --size: 40 there, not given here' --width 40
go_on '--learning-rate: not given there, 0.02 here' --size 40 --learning-rate 0.02
refuses 1 'STYLE: suns.jpg (' "$program" "$cat" "$cat" --no-metadata --iterations 60 -o x.png --resume good.ckpt --size 40
SFUMATO_VECTORS=portable go_on 'there, portable here' --size 40
wanted=2 go_on '--checkpoint-every needs --checkpoint: nothing else is written on the way' --size 40 --checkpoint-every 1
wanted=2 go_on "--checkpoint-every must be a number from 0 to 86400, not '-1'" --checkpoint c --checkpoint-every -1
refuses 1 'none.ckpt: no such file' paint -o x.png --resume none.ckpt --log none.jsonl
[ ! -e none.jsonl ] || fail "the log of a run that was refused: $(cat none.jsonl)"
refuses 1 'is no checkpoint of neural_style' paint -o x.png --resume "$SFUMATO_WEIGHTS"
refuses 1 'is this a safetensors file?' paint -o x.png --resume "$cat"
# No other file becomes one.
cp "$SFUMATO_WEIGHTS" mine.safetensors
refuses 1 'there is a file of that name that holds no checkpoint' paint -o x.png --checkpoint mine.safetensors
cmp "$SFUMATO_WEIGHTS" mine.safetensors || fail "another's file was written over"
refuses 2 'is the same file as' paint -o x.png --checkpoint x.png
refuses 1 'there is no folder nowhere' paint -o x.png --checkpoint nowhere/c

# A full disk leaves the last good file, and the run goes on.
cp good.ckpt run.ckpt
(ulimit -f 20; exec "$program" "$cat" "$suns" --no-metadata --size 40 --iterations 60 --quiet -o out.png \
  --resume run.ckpt --checkpoint run.ckpt --checkpoint-every 0 2>err.txt) || fail "a full disk: $? $(cat err.txt)"
grep -q 'warning: run.ckpt: writing failed: .*; the old file is as it was' err.txt || fail "a full disk: $(cat err.txt)"
[ "$(wc -l <err.txt)" -eq 1 ] || fail "a full disk is said $(wc -l <err.txt) times"
cmp good.ckpt run.ckpt || fail "a full disk cost the checkpoint"
cmp signal.png out.png || fail "a full disk changed the picture"
[ -z "$(find . -name '.sfumato*' -newer good.ckpt -size +0)" ] || echo "files of killed runs are left: $(ls -a | grep -c sfumato)"

# The picture on the way can be repeated, too.
rm run.ckpt
# Nor does it need a checkpoint that could be written.
"$program" "$cat" "$suns" --size 40 --iterations 1000000 --quiet -o way.png --checkpoint /dev/full --checkpoint-every 0 2>err.txt &
process=$!
until [ -s way.png ]; do kill -0 $process || fail "no picture on the way"; sleep 0.05; done
kill -9 $process
{ wait $process; } 2>/dev/null || true
"$program" repeat way.png "$images" "$(dirname "$SFUMATO_WEIGHTS")" -o again.png >log.txt || fail "repeating it: $?"
grep -q 'the same as way.png to the byte' log.txt || fail "the picture on the way: $(cat log.txt)"

# Damaged ones.
command -v python3 >/dev/null || { echo "no python3: damaged checkpoints are not tried"; exit 0; }
python3 - <<'E2'
good = open('good.ckpt', 'rb').read()
def write(name, data): open(name, 'wb').write(data)
write('short.ckpt', good[:len(good) // 2])
flipped = bytearray(good); flipped[-5] ^= 1
write('flipped.ckpt', flipped)
text = bytearray(good); at = good.index(b'stage'); text[at:at + 5] = b'stone'
write('text.ckpt', text)
header = bytearray(good); header[20] ^= 0x80
write('header.ckpt', header)
write('empty.ckpt', b'')
E2
damaged() { refuses 1 "$2" "$program" "$cat" "$suns" --no-metadata --size 40 --iterations 60 -o x.png --resume "$1.ckpt"; }
damaged short 'short.ckpt: '
damaged flipped 'flipped.ckpt: is damaged'
damaged text 'text.ckpt: '
damaged header 'header.ckpt: '
damaged empty 'empty.ckpt: truncated'
echo "all as it should be"
