#!/usr/bin/env bash
# `neural_style studio` in short: what is refused, and one picture from upload to download. Browsers and clients that mean
# it no good are in studio_in_browser.py and studio_hostile.py.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors

refuses 2 '--folder is the studio'"'"'s: neural_style studio --folder' "$program" a.jpg b.jpg --folder x
refuses 2 '--size does not go with studio' "$program" studio --size 64
if "$program" studio a.jpg 2>&1 | grep -q 'built without'; then
  refuses 2 'libcpp-httplib-dev' "$program" studio
  echo "SKIPPED: the program is built without cpp-httplib"
  exit 77
fi
refuses 2 'pictures are dropped into the page' "$program" studio a.jpg
refuses 1 '--folder /dev/null' "$program" studio --folder /dev/null --port 0
refuses 1 '--host' "$program" studio --host 'no such host' --port 0
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }

PYTHONPATH=$SFUMATO_SOURCE_DIR/tests/support python3 - <<'PYTHON'
from studio import IMAGES, Studio

with Studio() as studio:
    content, style = (studio.upload((IMAGES / name).read_bytes())[1]["id"] for name in ("cat.jpg", "suns.jpg"))
    status, job = studio.paint(content, style, size=64, iterations=2)
    assert status == 200, job
    done = studio.wait_for(job["id"], "done")
    assert done["settings"] == {"size": 64, "iterations": 2} and done["width"] == 64, done
    status, headers, picture = studio.ask("GET", f"/jobs/{job['id']}/result")
    assert status == 200 and picture.startswith(b"\x89PNG") and headers["Content-Type"] == "image/png", headers
    assert studio.ask("GET", "/", headers={"Host": "evil.example"})[0] == 403
    assert studio.ask("GET", "/../../etc/passwd")[0] == 404
    assert studio.end() == 130, studio.said()
PYTHON
echo "all as it should be"
