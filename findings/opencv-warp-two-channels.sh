#!/usr/bin/env bash
# Guess:   remap and warpAffine with INTER_LINEAR round the place to 1/32 of a pixel, as OpenCV did for twenty years,
#          or, if that was mended, they don't, whatever the picture holds.
# Seen:    float pictures of 1, 3 and 4 channels are interpolated at the exact place, those of 2 channels at the nearest
#          1/32, and so are all pictures of doubles: a double is less exact than a float. A ramp that is moved by 0.01
#          pixels moves by 0.01 or not at all. INTER_CUBIC is exact for all of them, and INTER_LANCZOS4 for none.
# Version: opencv-python-headless 5.0.0.93, numpy 2.4.6
# Matters: an optical flow is a picture of two channels: where it is warped to be compared with the flow backwards, it
#          is off by up to 1/64 of what it changes by from pixel to pixel, and the frame beside it is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'END'
import cv2
import numpy as np

ramp = np.tile(np.arange(64.0), (16, 1))
columns, rows = np.meshgrid(np.arange(64, dtype=np.float32), np.arange(16, dtype=np.float32))
for shift in (0.01, 0.02, 0.05):
    coarse = np.round(shift * 32) / 32
    for kind in (np.float32, np.float64):
        for channels in (1, 2, 3, 4):
            picture = np.repeat(ramp[:, :, None], channels, axis=2).astype(kind)
            by_map = cv2.remap(picture, columns - np.float32(shift), rows, cv2.INTER_LINEAR)
            by_matrix = cv2.warpAffine(picture, np.float64([[1, 0, shift], [0, 1, 0]]), (64, 16))
            moved = [30 - warped.reshape(16, 64, channels)[8, 30, 0] for warped in (by_map, by_matrix)]
            print(f"moved by {shift}, {kind.__name__}, {channels} channels: remap by {moved[0]:.5f}, "
                  f"warpAffine by {moved[1]:.5f}")
            exact = kind is np.float32 and channels != 2
            assert np.abs(np.array(moved) - (shift if exact else coarse)).max() < 1e-4
            if shift == 0.01:  # where 1/32 is nothing
                cubic = cv2.remap(picture, columns - np.float32(shift), rows, cv2.INTER_CUBIC)
                lanczos = cv2.remap(picture, columns - np.float32(shift), rows, cv2.INTER_LANCZOS4)
                assert (picture[8, 30] - cubic[8, 30]).max() > 0.01 and (lanczos[8, 30] == picture[8, 30]).all()
END
echo "as described"
