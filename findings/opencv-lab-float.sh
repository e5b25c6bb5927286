#!/usr/bin/env bash
# Guess:   on float pictures RGB to Lab follows the formula to the precision of floats, and only 8 bits are rounded.
# Seen:    it is up to 0.37 off, as colours are looked up in a coarse table; greys get a colour of up to 0.125. What is
#          linear already (COLOR_LRGB2LAB) is computed, and right to 1e-4. There and back is off by most of a level.
# Version: opencv-python-headless 5.0.0.93, numpy 2.4.6
# Matters: keeping a photograph's colours by exchanging its lightness changes them, and statistics of a and b that
#          should be 0 are not. Linearise by the formula of sRGB, then take COLOR_LRGB2LAB.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'END'
import cv2
import numpy as np


def linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def lab(x):  # of linear RGB: ITU-R BT.709 to XYZ, relative to the white point D65, then CIE 1976
    to_xyz = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    xyz = x @ to_xyz.T / [0.950456, 1, 1.088754]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


colours = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
found = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)
off = np.abs(found - lab(linear(colours.astype(float)))).max()
off_linear = np.abs(cv2.cvtColor(colours, cv2.COLOR_LRGB2LAB) - lab(colours.astype(float))).max()
back = np.abs(cv2.cvtColor(found, cv2.COLOR_LAB2RGB) - colours).max() * 255
greys = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], 3, axis=2)
tint = np.abs(cv2.cvtColor(greys, cv2.COLOR_RGB2LAB)[..., 1:]).max()
print(f"RGB to Lab off by {off:.3f}, linear RGB by {off_linear:.6f}; there and back {back:.2f} levels; "
      f"greys have a colour of {tint:.3f}")
assert 0.3 < off < 0.45
assert off_linear < 2e-4
assert 0.5 < back < 2
assert tint == 0.125
END
echo "as described"
