#!/usr/bin/env bash
# Guess:   stb_image decodes a baseline JPEG with 4:2:2 chroma like libjpeg, up to a level or two of rounding.
# Seen:    the last column but one is off, here by 43 levels, in pictures with sharp colours by more than a hundred: the chroma
#          there is one sample's alone. All other columns agree to within 3 levels, and so do 4:4:4 and 4:2:0.
# Version: stb_image 2.27 (Debian's libstb-dev 0.0~git20220908.8b5f1f3+ds-1) against Pillow 13.0.0 (libjpeg-turbo)
# Matters: a coloured line at the right border of many cameras' and video tools' pictures.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q libstb-dev=0.0~git20220908.8b5f1f3+ds-1 > log 2>&1
dpkg -x libstb-dev_*.deb stb
cat > decode.cpp <<'END'
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#include "stb_image.h"
int main(int, char** names) {
  int width, height, channels;
  unsigned char* pixels = stbi_load(names[1], &width, &height, &channels, 3);
  return pixels && fwrite(pixels, 3, width * height, stdout) == size_t(width * height) ? 0 : 1;
}
END
g++ -w -O1 -Istb/usr/include/stb decode.cpp -o decode
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check numpy==2.4.6 pillow==13.0.0
venv/bin/python - <<'END'
import subprocess

import numpy as np
from PIL import Image

x = np.linspace(0, 6, 56)[None, :] + np.linspace(0, 4, 40)[:, None]
picture = np.stack([np.sin(x), np.cos(1.7 * x), np.sin(2.9 * x)], axis=2) * 110 + 128
for name, subsampling in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
    Image.fromarray(picture.astype(np.uint8)).save("x.jpg", quality=95, subsampling=subsampling)
    right = np.asarray(Image.open("x.jpg").convert("RGB")).astype(int)
    bytes_ = subprocess.run(["./decode", "x.jpg"], check=True, capture_output=True).stdout
    worst = np.abs(np.frombuffer(bytes_, np.uint8).reshape(right.shape) - right).max(axis=(0, 2))
    others = np.delete(worst, -2).max()
    print(f"{name}: last column but one off by {worst[-2]}, all others by at most {others}")
    assert others <= 8
    assert (worst[-2] > 20) == (name == "4:2:2")
END
echo "as described"
