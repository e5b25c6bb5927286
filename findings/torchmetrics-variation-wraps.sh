#!/usr/bin/env bash
# Guess:   the total variation of a picture of bytes is that of the same picture in floats, or is refused.
# Seen:    differences are taken in bytes, so that one of -1 counts as 255 and one of 255 downwards as 1: a gentle
#          gradient has 255 times the variation in one direction that it has in the other, without a warning. Kornia
#          computes the same picture right.
# Version: torchmetrics 1.9.0, kornia 0.9.0, torch 2.15.0
# Matters: it is what says how noisy a painted picture is; read from a PNG it is a number of no meaning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --no-compile --disable-pip-version-check \
  torchmetrics==1.9.0 kornia==0.9.0 torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import torch
from kornia.losses import total_variation as of_kornia
from torchmetrics.functional.image import total_variation

up = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 1, 256).repeat(1, 1, 2, 1)
for name, picture in {"darker to lighter": up, "lighter to darker": up.flip(3)}.items():
    found = [total_variation(picture).item(), total_variation(picture.float()).item(), of_kornia(picture).sum().item()]
    print(f"{name}: bytes {found[0]}, floats {found[1]}, Kornia's of bytes {found[2]}")
    assert found[1] == found[2] == 510
    assert found[0] == (510 if picture is up else 510 * 255)
END
echo "as described"
