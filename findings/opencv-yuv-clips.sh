#!/usr/bin/env bash
# Guess:   RGB to YUV or XYZ and back changes 8-bit colours by a level or two of rounding, as YCrCb does.
# Seen:    YUV cuts reds and cyans off: pure red comes back as (221, 17, 1), cyan as (33, 239, 254), since V is scaled
#          as for analogue television, not fitted into a byte (red's would be 285); greens and blues survive. XYZ cuts
#          off the Z of what is bright and blue: white comes back as (255, 254, 231). Float pictures survive all three.
# Version: opencv-python-headless 5.0.0.93, numpy 2.4.6
# Matters: keeping a photograph's colours by exchanging Y alone dulls its reds and cyans and no others. Take YCrCb.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'END'
import cv2
import numpy as np


def back(colours, there, again):
    return cv2.cvtColor(cv2.cvtColor(colours, there), again)


names = ("red", "green", "blue", "yellow", "magenta", "cyan", "white", "grey")
corners = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255], [0, 255, 255],
                     [255, 255, 255], [128, 128, 128]]], np.uint8)
pairs = {"YUV": (cv2.COLOR_RGB2YUV, cv2.COLOR_YUV2RGB), "YCrCb": (cv2.COLOR_RGB2YCrCb, cv2.COLOR_YCrCb2RGB),
         "XYZ": (cv2.COLOR_RGB2XYZ, cv2.COLOR_XYZ2RGB)}
for name, (there, again) in pairs.items():
    found = back(corners, there, again)
    off = np.abs(found.astype(int) - corners).max(axis=2)[0]
    print(name, {colour: tuple(levels) for colour, levels in zip(names, found[0].tolist())})
    cut = {"YUV": {"red": 34, "cyan": 33}, "YCrCb": {}, "XYZ": {"cyan": 19, "white": 24}}[name]
    assert {colour: int(levels) for colour, levels in zip(names, off) if levels > 5} == cut
    smooth = corners.astype(np.float32) / 255
    assert np.abs(back(smooth, there, again) - smooth).max() < 2e-3
END
echo "as described"
