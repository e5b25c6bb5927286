#!/usr/bin/env bash
# Many pictures from one file of jobs: what it says, what is shared out, what is not done again.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
cp "$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors" slim.safetensors
export SFUMATO_WEIGHTS=slim.safetensors
cp "$images/cat.jpg" cat.jpg
cp "$images/suns.jpg" suns.jpg
jobs() { "$program" --jobs jobs.jsonl --size 32 --iterations 2 "$@"; }
job() { echo '{"content": "cat.jpg", "style": "suns.jpg", "output": "'"$1"'"'"${2:-}"'}'; }
refuses_line() { echo "$2" >jobs.jsonl; refuses 2 "neural_style: jobs.jsonl, line 1: $1" jobs; }

# Lines that are none.
refuses_line 'this is no JSON object' 'cat.jpg suns.jpg'
refuses_line 'this is no JSON object' '{"content": "cat.jpg",}'
refuses_line 'it has no --output' '{"content": "cat.jpg", "style": "suns.jpg"}'
refuses_line 'it has no STYLE' '{"content": "cat.jpg", "output": "x.png"}'
refuses_line "there is no option 'sise'" "$(job x.png ', "sise": 64')"
refuses_line "there is no option 'help'" "$(job x.png ', "help": true')"
refuses_line "--size must be a whole number from 32 to 16384, not '8'" "$(job x.png ', "size": 8')"
refuses_line '--size must be a text, a number or a list of them, not null' "$(job x.png ', "size": null')"
refuses_line '--size must be a text, a number or a list of them, not object' "$(job x.png ', "size": {}')"
refuses_line '--style-layers must be a text, a number or a list of them, not array' \
  "$(job x.png ', "style-layers": ['"$(printf '[%.0s' {1..100000})$(printf ']%.0s' {1..100000})"']')"
refuses_line "it has 'size' twice" "$(job x.png ', "size": 64, "size": 32')"
refuses_line '--quiet must be true or false, not 1' "$(job x.png ', "quiet": 1')"
refuses_line '--weights is of all jobs: give it on the command line' "$(job x.png ', "weights": "w.pth"')"
refuses_line '--jobs is of all jobs' "$(job x.png ', "jobs": "jobs.jsonl"')"
refuses_line "--grid is no job's" "$(job x.png ', "grid": "tv-weight=1,2"')"
refuses_line '--size does not go with --height' "$(job x.png ', "height": 64')"
{ echo; job x.png; echo; job ./x.png; } >jobs.jsonl
refuses 2 'jobs.jsonl, line 4: it writes ./x.png as line 2 does' jobs
ln -s x.png link.png
{ job x.png; job link.png; } >jobs.jsonl
refuses 2 'jobs.jsonl, line 2: it writes link.png as line 1 does' jobs
{ job x.png ', "report": "r.html"'; job y.png ', "report": "./r.html"'; } >jobs.jsonl
refuses 2 'jobs.jsonl, line 2: it writes ./r.html as line 1 does' jobs
{ job x.png; job cat.jpg; } >jobs.jsonl
refuses 2 'jobs.jsonl, line 2: it writes cat.jpg, which line 1 reads' jobs
cmp cat.jpg "$images/cat.jpg" || fail "a job's content was written over by another"
mkdir paintings && cp suns.jpg paintings
{ job x.png | sed 's/"suns.jpg"/"paintings"/'; job paintings/suns.jpg; } >jobs.jsonl
refuses 2 'jobs.jsonl, line 2: it writes paintings/suns.jpg, which line 1 reads' jobs
rm -r link.png paintings
refuses 1 'none.jsonl: no such file' "$program" --jobs none.jsonl
job x.png >jobs.jsonl
refuses 2 '--jobs does not go with CONTENT: every job names its own' jobs cat.jpg
refuses 2 '--jobs does not go with --output' jobs -o y.png
refuses 2 '--jobs does not go with --report' jobs --report r.html
refuses 2 '--jobs does not go with --checkpoint' jobs --checkpoint c
refuses 2 '--shard needs --jobs: it is a part of them' "$program" cat.jpg suns.jpg -o x.png --shard 1/2
for wrong in 0/2 3/2 1 1/ /2 a/b 1/2/3 -1/2 ''; do
  refuses 2 "--shard must be K/N, such as 2/8, with K from 1 to N, not '$wrong'" jobs --shard "$wrong"
done

# Names of files may hold anything, and a terminal is told none of it.
odd() { echo '{"content": "'"$1"'", "style": "suns.jpg", "output": "a\u001b[31m\n.png"}' >jobs.jsonl; }
odd none.jpg
jobs >log.txt 2>err.txt && fail "a picture of nothing"
[ "$(cat err.txt)" = 'neural_style: jobs.jsonl, line 1: a\x1b[31m\n.png is not done: none.jpg: no such file' ] ||
  fail "control characters: $(cat -v err.txt)"
odd cat.jpg
jobs >log.txt || fail "an odd name"
grep -qF 'wrote a\x1b[31m\n.png' log.txt || fail "control characters: $(cat -v log.txt)"
is_picture $'a\x1b[31m\n.png'

# One that fails is reported, and the rest goes on; a line's options win.
{
  job a.png
  echo '{"content": "none.jpg", "style": "suns.jpg", "output": "fails.png"}'
  job b.png ', "size": 48, "style-layers": ["relu1_1", "relu2_1"], "tv-weight": 1e-1, "save-every": 1'
  job folder/c.png
} >jobs.jsonl
status=0
jobs >log.txt 2>err.txt || status=$?
[ "$status" -eq 1 ] && [ "$(wc -l <err.txt)" -eq 2 ] || fail "two of four fail: $status $(cat err.txt)"
grep -q '^neural_style: jobs.jsonl, line 2: fails.png is not done: none.jpg: no such file' err.txt &&
  grep -q 'line 4: folder/c.png is not done: folder/c.png: .*no folder' err.txt || fail "what is said of them: $(cat err.txt)"
is_picture a.png b.png b-000001.png
[ "$(grep -c '^weights ' log.txt)" -eq 1 ] && tail -1 log.txt | grep -qx '2 painted, 0 done before, 2 failed' ||
  fail "the account: $(cat log.txt)"
[ "$(od -An -t u1 -j 16 -N 8 b.png | tr -s ' ')" = ' 0 0 0 48 0 0 0 32' ] || fail "a line's size does not win"
"$program" cat.jpg suns.jpg -o alone.png --size 48 --style-layers relu1_1,relu2_1 --tv-weight 0.1 --iterations 2 --quiet --no-metadata
"$program" --jobs <(job again.png ', "size": 48, "style-layers": "relu1_1,relu2_1", "tv-weight": 0.1, "no-metadata": true') \
  --iterations 2 --quiet 2>err.txt && fail "a pipe is no file of jobs"

# What is done is not done again, unless it would be another picture.
mkdir folder
sed -i 's/none.jpg/cat.jpg/' jobs.jsonl
touch -d '2001-01-01' a.png b.png
jobs >log.txt || fail "the second time: $?"
tail -1 log.txt | grep -qx '2 painted, 2 done before, 0 failed' || fail "what is done is done again: $(cat log.txt)"
is_picture fails.png folder/c.png
jobs --quiet >log.txt
[ ! -s log.txt ] || fail "--quiet is not quiet: $(cat log.txt)"
rm a.png
cp suns.jpg cat.jpg  # another content
sed -i 's/suns.jpg", "output": "b/cat.jpg", "output": "b/' jobs.jsonl
jobs --shard 1/2 >log.txt
tail -1 log.txt | grep -qx '2 painted, 0 done before, 0 failed' || fail "other inputs: $(cat log.txt)"
grep -q '^line 2' log.txt && fail "another shard's job: $(cat log.txt)"
jobs --shard 2/2 --seed 0 --init noise >log.txt
tail -1 log.txt | grep -qx '2 painted, 0 done before, 0 failed' || fail "other options: $(cat log.txt)"

# What goes together in every line need not go together without them.
job noise.png ', "init": "noise"' >jobs.jsonl
jobs --seed 3 >log.txt || fail "a seed for lines that begin with noise: $?"
job noise.png >jobs.jsonl
refuses 2 'line 1: --seed does not go with --init content' jobs --seed 3

# A picture whose loss is above --until-loss is one: the status says so, and it is not painted again.
job far.png ', "until-loss": 1e-9' >jobs.jsonl
status=0
jobs >log.txt 2>err.txt || status=$?
[ $status -eq 3 ] && tail -1 log.txt | grep -qx '1 painted, 0 done before, 0 failed' ||
  fail "--until-loss of a job: $status $(cat log.txt err.txt)"
jobs >log.txt || fail "--until-loss of a job once more: $?"
tail -1 log.txt | grep -qx '0 painted, 1 done before, 0 failed' || fail "--until-loss of a job once more: $(cat log.txt)"

# Jobs in one style look at it once, and paint to the byte what each paints alone.
job_of() { echo '{"content": "'"$1"'.jpg", "style": "suns.jpg", "output": "'"$2"'.png", "tv-weight": '"$3"', "no-metadata": true}'; }
cp "$images/cat.jpg" cat.jpg
for method in gram neighbors; do
  options="--size 32 --iterations 2 --method $method"
  { job_of cat one 1; job_of cat two 2; job_of suns three 1; } >jobs.jsonl
  "$program" --jobs jobs.jsonl $options --borders plain --no-metadata >log.txt
  awk '/ style pictures looked at, / { shared = $1 > 0 && $6 == 2 * $1 } END { exit !shared }' log.txt ||
    fail "what $method shares: $(cat log.txt)"
  for picture in 'cat one 1' 'cat two 2' 'suns three 1'; do
    set -- $picture
    "$program" $1.jpg suns.jpg -o alone.png $options --borders plain --tv-weight $3 --no-metadata --quiet
    cmp alone.png $2.png || fail "$2.png is another picture than alone"
    rm $2.png
  done
done

# A network that has let go of what stands behind its last layer is loaded again only where that is needed, and what
# was seen in a style stays known. A later job may paint on an earlier one's picture.
{
  job one.png ', "style-layers": ["relu1_1"], "style-layer-weights": [2]'
  job two.png ', "style-layers": ["relu1_1", "relu2_1"]'
  job three.png ', "style-layers": ["relu1_1"], "content": "one.png"' | sed 's/"content": "cat.jpg", //'
} >jobs.jsonl
"$program" --jobs jobs.jsonl --size 32 --iterations 1 --method gram --borders plain --no-metadata \
  --content-layers relu1_1 >log.txt || fail "other layers: $?"
grep -qx '2 style pictures looked at, 1 known' log.txt || fail "what jobs with other layers share: $(cat log.txt)"
"$program" one.png suns.jpg -o alone.png --size 32 --iterations 1 --method gram --borders plain --no-metadata \
  --content-layers relu1_1 --style-layers relu1_1 --quiet
cmp alone.png three.png || fail "with fewer layers than the network has, it is another picture than alone"

# A signal ends them all; what was at hand is not done.
job long.png ', "iterations": 100000, "report-every": 1' >jobs.jsonl
job after.png >>jobs.jsonl
: >log.txt
"$program" --jobs jobs.jsonl --size 32 >log.txt 2>err.txt &
process=$!
waits_for 's/it' log.txt $process
kill -INT $process
ends_with 130 $process
[ -e long.png ] && [ ! -e long.png.done ] && [ ! -e after.png ] || fail "a signal: $(cat log.txt)"
[ -z "$(find . -name '.sfumato*')" ] || fail "temporary files: $(find . -name '.*')"
echo "all as it should be"
