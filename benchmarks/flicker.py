#!/usr/bin/env python3
"""How much a film flickers that neural_style painted, against its frames painted one by one.

Flicker is the root mean square, in levels of 255, of what changes from a frame to the next where the content's optical
flow can be relied on, the last frame being moved along it; the mean over all frames but those that begin a scene. Needs
ffmpeg, and from PyPI numpy and opencv-python-headless.

    python3 benchmarks/flicker.py build/release/neural_style FILM STYLE [OPTION...]
"""

import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np


def moved(picture, flow):
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    return cv2.remap(picture, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def reliable(back, forth):
    """As in Ruder, Dosovitskiy and Brox (2016), section 4.1, but for the edges of what moves."""
    there = moved(forth, back)
    size = lambda flow: (flow**2).sum(-1)
    return size(back + there) <= 0.01 * (size(back) + size(there)) + 0.5


def flicker(content, painted):
    """Of a list of frames, and of what was painted of them."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    shape = painted[0].shape[1::-1]
    gray = [cv2.cvtColor(cv2.resize(frame, shape, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY) for frame in content]
    changes = []
    for i in range(1, len(gray)):
        back, forth = dis.calc(gray[i], gray[i - 1], None), dis.calc(gray[i - 1], gray[i], None)
        known = reliable(back, forth)
        if known.mean() < 0.5:  # another scene
            continue
        difference = painted[i].astype(np.float32) - moved(painted[i - 1].astype(np.float32), back)
        changes.append(np.sqrt((difference[known] ** 2).mean()))
    return float(np.mean(changes))


def frames(folder):
    return [cv2.imread(str(path)) for path in sorted(pathlib.Path(folder).glob("*.png"))]


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    program, film, style, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        content, together, alone = (pathlib.Path(folder, name) for name in ("content", "together", "alone"))
        for each in (content, alone):
            each.mkdir()
        subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-vsync", "passthrough", content / "%06d.png"], check=True)
        subprocess.run([program, "--frames", content, style, "-o", together, "--quiet", *options], check=True)
        for frame in sorted(content.iterdir()):
            single = [option for option in options if not option.startswith("--temporal-weight")]
            subprocess.run([program, frame, style, "-o", alone / frame.name, "--quiet", *single], check=True)
        source = frames(content)
        size = frames(together)[0].shape[1::-1]
        shrunk = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in source]
        one_by_one, as_film = flicker(source, frames(alone)), flicker(source, frames(together))
        print(f"{len(source)} frames of {size[0]} x {size[1]}; flicker of the film itself {flicker(source, shrunk):.2f}, "
              f"frames one by one {one_by_one:.2f}, as a film {as_film:.2f}: {as_film / one_by_one:.2f} of that")


if __name__ == "__main__":
    main()
