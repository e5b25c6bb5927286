#!/usr/bin/env bash
# Guess:   rotate and transform with BILINEAR or BICUBIC round to the nearest level, as Pillow's resize does.
# Seen:    they cut the fraction off: what is interpolated gets darker by half a level on average, in every step. Twelve
#          rotations by 30 degrees bring a picture back six levels darker. resize rounds; mode F keeps the fraction.
# Version: pillow 13.0.0, numpy 2.4.6
# Matters: augmentation darkens the pictures that it turns, and only those; torchvision on a tensor rounds, and on a
#          picture doesn't: training and use differ by half a level.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 pillow==13.0.0
"$folder/venv/bin/python" - <<'END'
import numpy as np
from PIL import Image

rows, columns = np.mgrid[0:128, 0:128]
smooth = (2.0 * columns / 3 + rows / 2 + 40).astype(np.uint8)
picture = Image.fromarray(smooth)
inside = np.s_[32:96, 32:96]


def change(turned, by):
    return (np.asarray(turned, np.float64) - by)[inside].mean()


for name in ("BILINEAR", "BICUBIC"):
    how = Image.Resampling[name]
    once = change(picture.rotate(7, how), np.asarray(picture.convert("F").rotate(7, how)))
    scaled = change(picture.resize((200, 200), how), np.asarray(picture.convert("F").resize((200, 200), how)))
    affine = change(picture.transform((128, 128), Image.Transform.AFFINE, (1, 0, 0.3, 0, 1, 0.4), how),
                    np.asarray(picture.convert("F").transform((128, 128), Image.Transform.AFFINE,
                                                              (1, 0, 0.3, 0, 1, 0.4), how)))
    turned = picture
    for _ in range(12):
        turned = turned.rotate(30, how)
    around = change(turned, smooth)
    print(f"{name}: on average rotate {once:+.2f} levels, transform {affine:+.2f}, resize {scaled:+.2f}; "
          f"twelve rotations {around:+.2f}")
    assert -0.6 < once < -0.4 and -0.7 < affine < -0.3
    assert abs(scaled) < 0.1
    assert -7 < around < -5
END
echo "as described"
