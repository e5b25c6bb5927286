#!/usr/bin/env bash
# Guess:   INTER_LINEAR_EXACT on 8 bits is the bilinear value rounded to the nearest level, as its name says.
# Seen:    for factors that are no power of two a tenth of the pixels are rounded to a neighbour, up to a whole level
#          off; it is exact in that all machines agree. INTER_LINEAR is a little closer at worst, but darker by an
#          eighth of a level on average. On float pictures both are right to 1e-4.
# Version: opencv-python-headless 5.0.0.93, numpy 2.4.6
# Matters: whoever compares preprocessing with a formula finds differences of one level and looks for them in vain.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'END'
import cv2
import numpy as np


def weights(old, new):
    matrix = np.zeros((new, old))
    for i in range(new):
        centre = min(max((i + 0.5) * old / new - 0.5, 0), old - 1)
        low = int(centre)
        matrix[i, low] += 1 - (centre - low)
        matrix[i, min(low + 1, old - 1)] += centre - low
    return matrix


picture = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
for height, width, exact in ((148, 212, True), (77, 101, False), (370, 530, False)):
    right = weights(37, height) @ picture @ weights(53, width).T
    found = {}
    for name in ("INTER_LINEAR", "INTER_LINEAR_EXACT"):
        error = cv2.resize(picture, (width, height), interpolation=getattr(cv2, name)) - right
        found[name] = np.abs(error).max(), error.mean(), (np.abs(error) > 0.5001).mean()
        print(f"{height} x {width} {name}: at most {found[name][0]:.3f} off, {found[name][1]:+.3f} on average, "
              f"{100 * found[name][2]:.1f} % not the nearest level")
    assert (found["INTER_LINEAR_EXACT"][2] == 0) == exact
    assert found["INTER_LINEAR"][1] < -0.08
    if not exact:
        assert found["INTER_LINEAR_EXACT"][0] > 0.9 and found["INTER_LINEAR_EXACT"][2] > 0.08
    smooth = cv2.resize(picture.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.abs(smooth - right).max() < 1e-3
END
echo "as described"
