#!/usr/bin/env bash
# Guess:   a PNG with gAMA 0.45455, as ImageMagick and others write it into every sRGB picture, is shown as one without,
#          whether or not cHRM names sRGB's own primaries beside it.
# Seen:    gAMA alone and cHRM alone change nothing; together they make the picture one of a pure power of 2.2: the dark
#          grey 30 is shown as 24, 128 as 129. With an sRGB chunk beside them both are passed over. Pillow applies none.
# Version: Chromium 156 (Debian 12), pillow 13.0.0
# Matters: of two files with equal pixels one has darker shadows in the browser; before and after can't be compared.
set -euo pipefail
command -v chromium > /dev/null || { echo "SKIP: no chromium"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check numpy==2.4.6 pillow==13.0.0
cat > show.py <<'END'
import base64
import io
import struct
import subprocess

import numpy as np
from PIL import Image, PngImagePlugin

levels = [0, 10, 20, 30, 60, 128, 200, 255]
picture = Image.fromarray(np.repeat(np.repeat(np.array([levels], np.uint8), 8, 0), 8, 1)).convert("RGB")
gamma = (b"gAMA", struct.pack(">I", 45455))
primaries = (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
srgb = (b"sRGB", b"\0")
cases = {"nothing": [], "gAMA": [gamma], "cHRM": [primaries], "gAMA and cHRM": [gamma, primaries],
         "all three": [gamma, primaries, srgb]}
page = "<body style='margin:0'>"
for row, chunks in enumerate(cases.values()):
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    for chunk in chunks:
        info.add(*chunk)
    picture.save(file, "png", pnginfo=info)
    assert np.array_equal(np.asarray(Image.open(file).convert("RGB")), np.asarray(picture))
    page += (f"<img style='position:absolute;left:0;top:{8 * row}px' "
             f"src='data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}'>")
with open("page.html", "w") as html:
    html.write(page)
subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb",
                "--user-data-dir=profile", "--window-size=200,200", "--screenshot=shot.png", "page.html"],
               check=True, capture_output=True)
shot = np.asarray(Image.open("shot.png").convert("RGB"))
for row, name in enumerate(cases):
    found = shot[8 * row + 4, 4:64:8, 1].tolist()
    print(f"{name}: {levels} is shown as {found}")
    assert found == ([0, 3, 12, 24, 57, 129, 201, 255] if name == "gAMA and cHRM" else levels)
END
chromium --version 2> /dev/null
venv/bin/python show.py
echo "as described"
