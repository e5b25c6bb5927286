#!/usr/bin/env bash
# Guess:   ffmpeg interpolates the colours of a 4:2:0 picture when it makes RGB of it, at least with the flags
#          full_chroma_int and accurate_rnd, as those who know it advise.
# Seen:    by default it repeats them, which is twice as far from the truth as libjpeg's smooth ones; one flag alone
#          changes nothing, both together are better than libjpeg, in pictures of even size. Where the width is odd,
#          they hardly help, and where the height is odd as well they do nothing: the colours are stretched over the
#          odd number of pixels, and come to stand beside the shapes.
# Version: ffmpeg 9.0.2 (imageio-ffmpeg 0.8.1), pillow 13.0.0, numpy 2.4.6
# Matters: half of all pictures that a program scaled have an odd side. Crop or pad to even sizes before ffmpeg sees
#          them, or don't let it convert.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 imageio-ffmpeg==0.8.1
venv/bin/python - <<'END'
import subprocess

import imageio_ffmpeg
import numpy as np
from PIL import Image


def decoded(shape, flags):
    words = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", "picture.jpg", *flags, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return np.frombuffer(subprocess.run(words, check=True, capture_output=True).stdout, np.uint8).reshape(shape)


both = "full_chroma_int+accurate_rnd"
options = {"no flags": [], "full_chroma_int": ["-sws_flags", "full_chroma_int"], both: ["-sws_flags", both]}
for height, width in ((40, 56), (40, 57), (41, 57)):
    x = np.linspace(0, 6, width)[None, :] + np.linspace(0, 4, height)[:, None]
    picture = (np.stack([np.sin(x), np.cos(1.7 * x), np.sin(2.9 * x)], axis=2) * 110 + 128).astype(np.uint8)
    Image.fromarray(picture).save("picture.jpg", quality=95, subsampling="4:2:0")
    libjpeg = np.abs(np.asarray(Image.open("picture.jpg")) - picture.astype(float)).mean()
    off = {name: np.abs(decoded(picture.shape, flags) - 1.0 * picture).mean() for name, flags in options.items()}
    print(f"{height} x {width}: libjpeg is {libjpeg:.2f} levels off,",
          ", ".join(f"ffmpeg with {name} {value:.2f}" for name, value in off.items()))
    assert libjpeg < 3.5 and off["no flags"] > 1.9 * libjpeg and off["full_chroma_int"] == off["no flags"]
    if width % 2 == 0:
        assert off[both] < 0.7 * libjpeg
    elif height % 2 == 0:
        assert off[both] > 0.8 * off["no flags"]
    else:
        assert off[both] == off["no flags"]
END
echo "as described"
