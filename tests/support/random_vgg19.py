#!/usr/bin/env python3
"""Writes the 16 convolutions of a VGG-19 of few channels, with random weights, as safetensors.

    random_vgg19.py FILE WIDTHS        WIDTHS: channels of the five blocks, such as 4,6,8,8,8
"""

import array
import json
import random
import sys

INDICES = ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28, 30, 32, 34))

random.seed(1)
header, values, channels = {}, array.array("f"), 3
for block, width in zip(INDICES, map(int, sys.argv[2].split(","))):
    for index in block:
        deviation = (2 / (9 * channels)) ** 0.5
        for name, shape in (("weight", (width, channels, 3, 3)), ("bias", (width,))):
            count = width * (9 * channels if name == "weight" else 1)
            begin = len(values) * 4
            values.extend(random.gauss(0, deviation) if name == "weight" else 0.1 for _ in range(count))
            header[f"features.{index}.{name}"] = {
                "dtype": "F32", "shape": shape, "data_offsets": [begin, len(values) * 4]}
        channels = width
text = json.dumps(header).encode()
with open(sys.argv[1], "wb") as file:
    file.write(len(text).to_bytes(8, "little") + text)
    values.tofile(file)
