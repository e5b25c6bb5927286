#!/usr/bin/env bash
# Guess:   what cv2.max makes of NaN and 2 depends at most on which of them comes first.
# Seen:    it depends on the picture's width as well: in rows of up to 7 floats the first operand stays, from 8 on the
#          second one: max(NaN, 2) is NaN in a narrow picture and 2 in a wide one, max(2, NaN) the reverse. min does
#          the same; minMaxLoc passes NaN over, unless it stands first.
# Version: opencv-python-headless 5.0.0.93, numpy 2.4.6, on x86-64
# Matters: a test on a small picture shows that max(flow, 0) keeps NaN visible, and on real frames it is hidden.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'END'
import cv2
import numpy as np

for width, nan_first_stays in ((1, True), (3, True), (32, False), (64, False)):
    two = np.full((1, width), 2, np.float32)
    nan = np.full((1, width), np.nan, np.float32)
    first, second = cv2.max(nan, two), cv2.max(two, nan)
    print(f"width {width:2}: max(NaN, 2) = {first[0, 0]}, max(2, NaN) = {second[0, 0]}")
    assert np.isnan(first).all() == nan_first_stays
    assert np.isnan(second).all() != nan_first_stays
    assert np.isnan(cv2.min(nan, two)).all() == nan_first_stays
x = np.arange(20, dtype=np.float32)[None]
x[0, 0] = np.nan
assert np.isnan(cv2.minMaxLoc(x)[1])
x[0, 0], x[0, 5] = 0, np.nan
assert cv2.minMaxLoc(x)[1] == 19
END
echo "as described"
