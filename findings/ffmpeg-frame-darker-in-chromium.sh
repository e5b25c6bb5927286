#!/usr/bin/env bash
# Guess:   a frame that ffmpeg writes as PNG looks in the browser as the video does there.
# Seen:    it is darker, 128 as 121 and 30 as 18, though its pixels are right: of a video that is marked as BT.709, as
#          most are, ffmpeg writes the curve of cameras into the PNG (cICP 1, 1), and Chromium obeys it there, while it
#          shows the video itself, which is marked alike, as sRGB. Pillow passes over the mark.
# Version: ffmpeg 9.0.2 (imageio-ffmpeg 0.8.1), Chromium 156 (Debian 12), pillow 13.0.0
# Matters: frames that wait to be stylised look darker than the video and than their results. ffmpeg's filter
#          setparams=color_trc=iec61966-2-1 helps, and so does any tool that writes the PNG anew.
set -euo pipefail
command -v chromium > /dev/null || { echo "SKIP: no chromium"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 imageio-ffmpeg==0.8.1
cat > show.py <<'END'
import subprocess

import imageio_ffmpeg
import numpy as np
from PIL import Image


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
levels = [30, 60, 128, 200]
picture = np.repeat(np.repeat(np.array([levels], np.uint8), 64, 0), 16, 1)
Image.fromarray(picture).convert("RGB").save("picture.png")
marks = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
run(ffmpeg, "-loop", "1", "-i", "picture.png", "-frames:v", "25", "-crf", "1", "-vf",
    f"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,{marks}", "video.mp4")
run(ffmpeg, "-i", "video.mp4", "-frames:v", "1", "frame.png")
Image.open("frame.png").convert("RGB").save("anew.png")
with open("page.html", "w") as page:
    page.write("<body style='margin:0'><style>img, video { display: block }</style>"
               "<video src=video.mp4 muted preload=auto></video><img src=frame.png><img src=anew.png>")
run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--user-data-dir=profile",
    "--window-size=200,300", "--virtual-time-budget=5000", "--screenshot=shot.png", "page.html")
shot = np.asarray(Image.open("shot.png").convert("RGB")).astype(int)
found = [shot[top + 32, 8:64:16, 1] for top in (0, 64, 128)]
for what, row in zip(("video", "ffmpeg's frame", "Pillow's copy of it"), found):
    print(f"{what}: {levels} is shown as {row.tolist()}")
assert b"cICP\1\1\0\1" in open("frame.png", "rb").read()
assert np.abs(found[0] - levels).max() <= 2 and np.abs(found[2] - levels).max() <= 2
assert (found[0] - found[1])[:3].min() >= 6
END
chromium --version 2> /dev/null
venv/bin/python show.py
echo "as described"
