#!/usr/bin/env bash
# What one sees of a run: the display, the log, pictures on the way, animations, drawings and reports.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
cp "$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors" slim.safetensors
export SFUMATO_WEIGHTS=slim.safetensors
cp "$images/cat.jpg" cat.jpg
cp "$images/suns.jpg" suns.jpg
paint() { "$program" cat.jpg suns.jpg -o x.png --size 32 --iterations 4 "$@"; }

# In a pipe, plain lines.
paint --report-every 2 >log.txt
[ "$(grep -c 's/it' log.txt)" -eq 2 ] || fail "reports in a pipe: $(cat log.txt)"
if grep -q $'[\r\x1b]' log.txt; then fail "a pipe gets what is for a terminal"; fi
# On a terminal, two lines that stay in their place.
if command -v python3 >/dev/null; then
  show() { python3 "$SFUMATO_SOURCE_DIR/tests/support/terminal.py" "$@" >screen.txt; }
  for columns in 40 80 200; do
    show $columns "$program" cat.jpg suns.jpg -o x.png --size 32 --iterations 12 || fail "a terminal: $? $(cat screen.txt)"
    [ "$(grep -c ' left' screen.txt)" -eq 1 ] || fail "$columns columns: $(cat screen.txt)"
    grep -q '100%  0:00 left' screen.txt && grep -q '^total [0-9.]*  content ' screen.txt ||
      fail "$columns columns: $(cat screen.txt)"
    [ "$(grep -E ' left|^total' screen.txt | awk '{ print length }' | sort -n | tail -1)" -lt "$columns" ] ||
      fail "$columns columns are not enough: $(cat screen.txt)"
    grep -q '^wrote x.png' screen.txt || fail "the display does not end with a line of its own: $(cat screen.txt)"
  done
  grep -qE '^\[#+\]  100%  0:00 left  12/12  .* (it/s|s/it)  [0-9.]+ [MG]iB$' screen.txt || fail "the bar: $(cat screen.txt)"
  TERM=dumb show 80 "$program" cat.jpg suns.jpg -o x.png --size 32 --iterations 2
  grep -q '2/2  content .* s/it' screen.txt || fail "a terminal that can't rewrite lines: $(cat screen.txt)"
  # What is said on stderr has a line of its own, and stays; what fails again for the same reason is said once.
  show 200 "$program" cat.jpg suns.jpg -o x.png --size 32 --iterations 30 --checkpoint /dev/full --checkpoint-every 0
  [ "$(grep -c '^neural_style: warning: /dev/full: writing failed: No space' screen.txt)" -eq 1 ] &&
    [ "$(grep -c warning screen.txt)" -eq 1 ] || fail "a warning on a terminal: $(cat screen.txt)"
  show 80 "$program" cat.jpg suns.jpg -o x.png --size 32 --iterations 2 --quiet
  [ -z "$(tr -d '\n' <screen.txt)" ] || fail "--quiet on a terminal: $(cat screen.txt)"
fi
rm x.png

# The log: a line for everything, behind what there is.
: >run.jsonl
for run in 1 2; do
  paint --report-every 2 --log run.jsonl --quiet >log.txt
  [ ! -s log.txt ] || fail "--quiet with a log is not quiet"
  [ "$(wc -l <run.jsonl)" -eq $((run * 5)) ] || fail "the log has $(wc -l <run.jsonl) lines: $(cat run.jsonl)"
done
head -1 run.jsonl | grep -q '^{"event":"start","time":.*"settings":{"CONTENT":"cat.jpg",.*"--iterations":"4"' ||
  fail "the log's first line: $(head -1 run.jsonl)"
sed -n 3p run.jsonl | grep -qE '^\{"event":"iteration","stage":1,"iteration":2,"of":4,"content":[0-9.e-]+,"style":[0-9.e-]+,"tv":[0-9.e-]+,"total":[0-9.e-]+,"seconds":[0-9.e-]+,"memory":[0-9]+\}$' ||
  fail "the log's third line: $(sed -n 3p run.jsonl)"
tail -1 run.jsonl | grep -q '^{"event":"end",.*"status":0}$' || fail "the log's last line: $(tail -1 run.jsonl)"
paint --log /dev/stdout --quiet | tail -1 | grep -q '^{"event":"end"' || fail "a log to a pipe"
status=0
paint --log /dev/full --quiet 2>err.txt || status=$?
[ "$status" -eq 1 ] && grep -q -- '--log /dev/full could not be written: No space' err.txt || fail "a full disk: $(cat err.txt)"
is_picture x.png
# Of a line that has no place any more nothing stays, so that what is appended later is a line of its own.
while [ "$(wc -c <run.jsonl)" -lt 19000 ]; do tail -1 run.jsonl >>run.jsonl; done
(ulimit -f 20; "$program" cat.jpg suns.jpg -o x.png --size 32 --iterations 40 --report-every 1 --log run.jsonl --quiet 2>err.txt) &&
  fail "a log without a place"
grep -q -- '--log run.jsonl could not be written: File too large' err.txt || fail "a log without a place: $(cat err.txt)"
paint --log run.jsonl --quiet
! grep -vqE '^\{"event":"(start|iteration|end)",.*\}$' run.jsonl && ! grep -q '}{' run.jsonl ||
  fail "half a line is left: $(grep -vE '^\{.*\}$' run.jsonl)"
rm x.png

# Pictures on the way.
paint --save-every 2 --animation a.gif --quiet --no-metadata
is_picture x.png x-000002.png x-000004.png
cmp x.png x-000004.png || fail "the last numbered picture is another one"
cmp -s x.png x-000002.png && fail "numbered pictures are all the same"
paint --save-every 4 --original-colors luminance --quiet --no-metadata
cmp x.png x-000004.png || fail "numbered pictures have other colours"
[ ! -e x-000001.png ] && [ "$(head -c 6 a.gif)" = GIF89a ] || fail "--animation a.gif"
[ "$(LC_ALL=C grep -oaP '\x21\xF9\x04' a.gif | wc -l)" -eq 3 ] || fail "a GIF of the start, 2 and 4"
paint --animation a.apng --quiet
[ "$(LC_ALL=C grep -oa fcTL a.apng | wc -l)" -eq 5 ] || fail "an animated PNG of all 5 pictures"
is_picture a.apng
rm x*.png
cp cat.jpg x-000004.jpg
refuses 2 '--save-every 4 would write x-000004.jpg over x-000004.jpg; take another --output' \
  "$program" x-000004.jpg suns.jpg -o x.jpg --size 32 --iterations 4 --save-every 4
refuses 1 "a.mp4: animations are written as .gif or .apng, not '.mp4'" paint --animation a.mp4
refuses 1 'there is no folder none' paint --animation none/a.gif
refuses 2 "--save-every must be a whole number from 1 to 1000000, not '0'" paint --save-every 0
# A picture that can't be written costs only itself.
mkdir x-000002.png
status=0
paint --save-every 2 --quiet 2>err.txt || status=$?
[ "$status" -eq 1 ] && grep -q 'x-000002.png: can.t be written: it is a folder' err.txt || fail "a folder: $status $(cat err.txt)"
is_picture x.png
rm -r x.png x-000002.png

# Drawings and reports.
cp cat.jpg 'c<script>"&.jpg'
"$program" 'c<script>"&.jpg' suns.jpg -o x.png --size 32 --iterations 4 --report-every 1 --plot p.svg --report r.html --quiet
head -1 p.svg | grep -q '^<svg class="chart" xmlns' && tail -1 p.svg | grep -q '</svg>' || fail "the drawing: $(head -1 p.svg)"
for kind in style tv; do grep -q ">$kind</text>" p.svg || fail "the drawing has no $kind"; done
grep -q '>content</text>' p.svg && fail "the drawing has a loss of the weight 0"
head -1 r.html | grep -q '^<!doctype html>' && tail -1 r.html | grep -q '</html>' || fail "the report is not whole"
grep -q '<h1>c&lt;script&gt;&quot;&amp; in the style of suns</h1>' r.html || fail "the report's title"
[ "$(grep -c '<script' r.html)" -eq 1 ] || fail "a name is part of the report's page"
if grep -oE '(src|href|url)[=(]"?[^"d][^"]{0,40}' r.html | grep -v 'src="data:'; then fail "the report refers to something"; fi
grep -oE "https?://[^\"' ]*" r.html | grep -v '^http://www.w3.org/2000/svg$' && fail "the report has an address"
[ "$(grep -o '<img src="data:image/jpeg;base64,' r.html | wc -l)" -eq 8 ] || fail "not 8 pictures in the report"
grep -q '>style relu1_1</text>' r.html || fail "the report's losses are not by the layer"
grep -qF "neural_style --output x.png --size 32 --iterations 4 --report-every 1 --plot p.svg --report r.html --quiet &#39;c&lt;script&gt;&quot;&amp;.jpg&#39; suns.jpg" r.html ||
  fail "the report does not say how to repeat it: $(grep -A1 '<pre>' r.html)"
# Of every setting, where it comes from; of what has no part in the run, nothing.
# has OPTION VALUE FROM: the report has that row.
has() {
  grep -qF "<tr><th scope=\"row\">$1</th><td>$2</td><td>$3</td></tr>" r.html ||
    fail "the report's row of $1: $(grep -F ">$1<" r.html)"
}
has --size 32 given
has STYLE suns.jpg given
if grep -qF '<th scope="row">--style</th>' r.html; then fail "the report has the style twice"; fi
has --method neighbors default
grep -qF '<th scope="row">--learning-rate</th>' r.html || fail "the report has no learning rate"
for option in --seed --temporal-weight --shard --checkpoint-every --host --port; do
  if grep -F ">$option<" r.html; then fail "the report has what has no part in the run"; fi
done
paint --plot p.svg --report r.html --quiet --method gram || fail "they are not written over their own kind"
grep -q '>content</text>' p.svg || fail "the drawing has no content"
has --method gram given
has --tv-weight 10 "by --method"
has --learning-rate 0.01 default
has --iterations 4 given
paint --report r.html --quiet --preset fast --init noise || fail "the report of a preset"
has --optimizer scaled-lbfgs "by --preset"
has --seed 0 default
if grep -F ">--learning-rate<" r.html; then fail "L-BFGS has no learning rate"; fi
rm x.png
echo '<!doctype html><p>mine' >mine.html
cp mine.html mine.svg
refuses 1 '--report mine.html: there is a file of that name that holds no report' paint --report mine.html
refuses 1 '--plot mine.svg: there is a file of that name that holds no plot' paint --plot mine.svg
refuses 1 '--log mine.html: there is a file of that name that holds no log' paint --log mine.html
refuses 1 '--plot p.png: the plot is written as text; give it a name that ends in .svg' paint --plot p.png
refuses 2 '--report x.html is the same file as --plot x.html' paint --report x.html --plot x.html
[ -z "$(find . -name '.sfumato*')" ] || fail "temporary files: $(find . -name '.*')"
echo "all as it should be"
