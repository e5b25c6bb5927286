#!/usr/bin/env bash
# How neural_style ends before its end: by signals, when nobody reads, when it diverges or memory runs out.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
cat="$images/cat.jpg"
suns="$images/suns.jpg"
start() { "$program" "$cat" "$suns" --size 32 --iterations 100000 --report-every 1 "$@" & process=$!; }
# start_ignoring SIGNAL PICTURE, until it paints.
start_ignoring() {
  : >log.txt
  (trap '' "$1"; exec "$program" "$cat" "$suns" -o "$2" --size 32 --iterations 100000 --report-every 1 >log.txt) &
  process=$!
  waits_for 's/it' log.txt $process
}

# Until the process can't write any more, or, where the system does not say so, for a while.
waits_for_pipe() {
  local tenths=0
  while [ "$(tr -d '\0' </proc/$process/wchan 2>/dev/null)" != pipe_write ] && [ $tenths -lt 300 ]; do
    kill -0 $process || fail "ended early: $(cat err.txt)"
    sleep 0.1
    tenths=$((tenths + 1))
  done
}

for ending in INT:130 TERM:143 HUP:129 XCPU:152; do
  signal=${ending%:*}
  : >log.txt
  start -o $signal.png --losses $signal.csv >log.txt
  waits_for 's/it' log.txt $process
  kill -$signal $process
  ends_with "${ending#*:}" $process
  is_picture $signal.png
  [ "$(wc -l <$signal.csv)" -gt 1 ] || fail "SIG$signal kept no losses"
  grep -q "interrupted; wrote what there is to $signal.png" log.txt || fail "SIG$signal: $(tail -1 log.txt)"
done

# timeout sends its signal twice at once, which is not a second one.
for seconds in 2 8 30; do  # the later ones for machines that are not done with loading
  status=0
  timeout -s INT $seconds "$program" "$cat" "$suns" -o timeout.png --size 32 --iterations 100000 --quiet || status=$?
  if [ -e timeout.png ]; then break; fi
done
[ "$status" -eq 124 ] || fail "timeout ended with $status"
is_picture timeout.png

# Under nohup the end of the terminal ends nothing.
start_ignoring HUP nohup.png
kill -HUP $process
sleep 0.3
kill -0 $process 2>/dev/null || fail "SIGHUP ended a run under nohup"
kill -TERM $process
ends_with 143 $process
is_picture nohup.png

# A pipe that nobody reads.
status=0
{ "$program" "$cat" "$suns" -o head.png --size 32 --iterations 100000 --report-every 1 2>err.txt || echo $? >status.txt; } |
  head -n 1 >/dev/null
[ "$(cat status.txt)" -eq 141 ] || fail "a broken pipe ended the run with $(cat status.txt)"
grep -q 'nobody reads the reports; wrote what there is to head.png' err.txt || fail "a broken pipe: $(cat err.txt)"
is_picture head.png
# Reports that can't be written cost no picture.
status=0
"$program" "$cat" "$suns" -o full.png --size 32 --iterations 2 >/dev/full 2>err.txt || status=$?
[ "$status" -eq 1 ] && is_picture full.png && grep -q 'the reports could not be written: No space' err.txt ||
  fail "a full disk for reports: $status $(cat err.txt)"
"$program" "$cat" "$suns" -o closed.png --size 32 --iterations 2 >&- 2>&- <&- || fail "closed streams: $?"
is_picture closed.png

# While loading there is nothing to save. The first report waits for a pipe that is full.
mkfifo pipe
exec 3<>pipe
timeout 5 head -c 65536 /dev/zero >&3 || true  # as much as it holds
"$program" "$cat" "$suns" -o x.png --size 32 >&3 2>err.txt 3>&- &
process=$!
waits_for_pipe
kill -INT $process
ends_with 130 $process
[ "$(cat err.txt)" = 'neural_style: interrupted while loading; nothing is written' ] || fail "loading: $(cat err.txt)"
[ ! -e x.png ] || fail "an interrupted loading left a picture behind"
exec 3<&-

# A second SIGINT ends at once a run that can't end in order: its reports wait for a pipe.
exec 3<>pipe
timeout 5 head -c 61440 /dev/zero >&3 || true
"$program" "$cat" "$suns" -o x.png --size 32 --iterations 100000 --report-every 1 >&3 2>err.txt 3>&- &
process=$!
waits_for_pipe
kill -INT $process
sleep 0.5
kill -0 $process || fail "does not wait for the pipe"
kill -INT $process
ends_with 130 $process
[ ! -e x.png ] && [ -z "$(find . -name '.sfumato*')" ] || fail "a second SIGINT left something behind: $(ls -a)"
exec 3<&-

# A run that is done waits for a reader of its picture: no signal takes that away.
mkfifo slow.png
"$program" "$cat" "$suns" -o slow.png --size 32 --iterations 1 --losses slow.csv >log.txt 2>err.txt &
process=$!
waits_for 's/it' log.txt $process
sleep 0.3
for signal in INT INT TERM INT; do
  kill -$signal $process
  sleep 0.15
done
timeout 20 cat slow.png >read.png || fail "the picture was not written: $(cat err.txt)"
ends_with 0 $process
is_picture read.png
[ "$(wc -l <slow.csv)" -eq 2 ] || fail "a late signal cost the losses"
# A limit of processor time.
status=0
(ulimit -S -t 3; exec "$program" "$cat" "$suns" -o limit.png --size 32 --iterations 1000000 --quiet) || status=$?
[ "$status" -eq 152 ] || fail "a limit of processor time ended with $status"
is_picture limit.png
# SIGINT counts where it was ignored at the start, as in a script's background.
start_ignoring INT script.png
kill -INT $process
ends_with 130 $process
is_picture script.png

# A loss that rises is said, and is no failure.
"$program" "$cat" "$suns" -o rises.png --method gram --size 32 --iterations 20 --learning-rate 100 >log.txt 2>err.txt ||
  fail "a loss that rises: $? $(cat err.txt)"
[ "$(wc -l <err.txt)" -eq 1 ] && grep -qE 'the loss rose from [0-9.]+ to [0-9.e+]+; take a smaller --learning-rate' err.txt ||
  fail "a loss that rises: $(cat err.txt)"
grep -qE '[0-9]{12}' log.txt && fail "losses have too many digits: $(cat log.txt)"
is_picture rises.png

# Divergence: the last good picture, what happened and why, status 1.
status=0
"$program" "$cat" "$suns" -o diverged.png --method gram --size 32 --iterations 50 --learning-rate 1000 --style-weight 1e20 \
  --losses diverged.csv --quiet 2>err.txt || status=$?
[ "$status" -eq 1 ] && [ "$(wc -l <err.txt)" -eq 1 ] || fail "divergence: $status $(cat err.txt)"
grep -qE 'the (loss|gradient) of iteration [0-9]+ is (too large|not a number), probably because steps of the learning rate 1000.* take a smaller one; wrote the last good picture to diverged.png' err.txt ||
  fail "divergence: $(cat err.txt)"
is_picture diverged.png
grep -qiE 'nan|inf' diverged.csv && fail "losses that are not finite: $(cat diverged.csv)"
status=0
"$program" "$cat" "$suns" -o first.png --method gram --size 32 --style-weight 1e38 --quiet 2>err.txt || status=$?
[ "$status" -eq 1 ] && grep -q "the loss of iteration 1 is too large, probably because the network's weights, or the weight of a loss" err.txt ||
  fail "an infinite first loss: $status $(cat err.txt)"
is_picture first.png

# Memory that runs out: which options help. A program with sanitizers starts in no memory that is limited.
(ulimit -v 4000000; "$program" --help >/dev/null 2>&1) || { echo "SKIPPED: what runs out of memory"; exit 0; }
status=0
limit=150000  # of address space, in KiB: a little more than the program and its libraries take
until (ulimit -v $limit; "$program" --help >/dev/null 2>&1); do limit=$((limit + 50000)); done
(ulimit -v $((limit + 50000)); exec "$program" "$cat" "$suns" -o x.png --method gram --size 2048 --iterations 1 --threads 1 --quiet) 2>err.txt ||
  status=$?
[ "$status" -eq 1 ] && [ "$(wc -l <err.txt)" -eq 1 ] && grep -q 'take a smaller --size, --memory low or --precision bf16' err.txt ||
  fail "no more memory: $status $(cat err.txt)"
[ ! -e x.png ] || fail "a picture without a step"
echo "all as it should be"
