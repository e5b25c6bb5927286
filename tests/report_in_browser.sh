#!/usr/bin/env bash
# A report and a drawing as Chromium shows them: the slider works, the page is wide enough for a desktop and narrow
# enough for a phone, it can be printed, and nothing is asked of any network. Pictures of them stay in $REPORT_PICTURES.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
pictures=${REPORT_PICTURES:-$folder}
mkdir -p "$pictures"
command -v chromium >/dev/null || { echo "SKIPPED: no chromium"; exit 77; }
browse() {
  timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$folder/profile" --hide-scrollbars \
    --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --log-level=0 "$@" 2>err.txt
  if grep -E 'CONSOLE' err.txt; then fail "the page complains"; fi
}

cp "$images/cat.jpg" '<img src=x onerror=alert(1)>&"'\''.jpg'
"$program" '<img src=x onerror=alert(1)>&"'\''.jpg' "$images/suns.jpg" -o x.png --size 64 --iterations 30 --report r.html --plot p.svg --quiet

# What the page's script adds is what a person can do: the last picture is chosen, and is the result.
cat >probe.html <<'PROBE'
<script>
const all = document.querySelectorAll('.strip img').length;
const before = document.querySelector('.result figcaption').textContent;
slider.value = 3;
slider.dispatchEvent(new Event('input'));
const chosen = document.querySelector('.result figcaption').textContent;
slider.value = all - 1;
slider.dispatchEvent(new Event('input'));
const after = document.querySelector('.result figcaption').textContent;
const whole = [...document.images].every((image) => image.complete && image.naturalWidth > 0);
document.title = [all, chosen, before === after, whole, document.querySelectorAll('h1 img').length,
  document.documentElement.scrollWidth <= innerWidth].join(' ');
</script>
PROBE
cat r.html probe.html >probed.html
for width in 400 1200; do
  browse --window-size=$width,800 --dump-dom "file://$folder/probed.html" >dom.html
  grep -o '<title>[^<]*' dom.html | head -1 | grep -qx '<title>16 Iteration 6 true true 0 true' ||
    fail "at $width pixels: $(grep -o '<title>[^<]*' dom.html | head -1)"
  for scheme in light dark; do
    browse --window-size=$width,2600 --blink-settings=preferredColorScheme=$([ $scheme = dark ] && echo 0 || echo 1) \
      --screenshot="$pictures/report-$width-$scheme.png" "file://$folder/r.html"
    is_picture "$pictures/report-$width-$scheme.png"
  done
  cmp -s "$pictures/report-$width-light.png" "$pictures/report-$width-dark.png" && fail "no dark page"
done
browse --no-pdf-header-footer --print-to-pdf="$pictures/report.pdf" "file://$folder/r.html"
[ "$(head -c 5 "$pictures/report.pdf")" = %PDF- ] || fail "it can't be printed"
browse --window-size=700,500 --screenshot="$pictures/plot.png" "file://$folder/p.svg"
is_picture "$pictures/plot.png"
echo "all as it should be"
