#!/usr/bin/env bash
# Guess:   a grey picture made grey stays what it is, as in Pillow.
# Seen:    as a tensor of bytes it becomes one level darker everywhere but where it is black, white 254: the weights are
#          0.2989, 0.587 and 0.114, which add up to 0.9999, and fractions are cut off. adjust_saturation(x, 0), which
#          looks up to the same grey, darkens alike; the same picture as a Pillow image keeps every level.
# Version: torchvision 0.29.2, torch 2.15.0, pillow 13.0.0
# Matters: the luminance of a photograph by which a painting is recoloured is too dark, the more so each time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --no-compile --disable-pip-version-check \
  torchvision==0.29.2 torch==2.15.0 pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

levels = torch.arange(256, dtype=torch.uint8)
picture = levels.expand(3, 1, 256).contiguous()
image = Image.fromarray(picture.permute(1, 2, 0).numpy())


def change(result):
    return torch.as_tensor(np.asarray(result).copy()).reshape(-1)[:256].int() - levels.int()


grey = change(functional.rgb_to_grayscale(picture))
dull = change(functional.adjust_saturation(picture, 0.0))
pillow = change(functional.rgb_to_grayscale(image))
print("bytes:", grey.unique(return_counts=True), "saturation 0:", dull.unique(return_counts=True))
print("Pillow:", pillow.unique(return_counts=True))
assert grey[0] == 0 and (grey[1:] == -1).all() and torch.equal(grey, dull)
assert (pillow == 0).all()
END
echo "as described"
