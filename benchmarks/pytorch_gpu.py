#!/usr/bin/env python3
"""Times style-transfer iterations of PyTorch on a GPU: what tests/gpu_check.sh compares neural_style with.

    benchmarks/pytorch_gpu.py --weights FILE --content FILE --style FILE --height H --width W [--mode MODE]

The iteration is that of compare_pytorch.py. Modes: float32 (no TF32), tf32, and bf16: channels-last under
autocast, with the Gram matrices in float32. Prints the median seconds of an iteration.
"""

import argparse
import statistics
import time

import numpy
import torch
from compare_pytorch import (CONTENT_LAYER, CONTENT_WEIGHT, CONVOLUTIONS, LEARNING_RATE, MEAN, POOLS, STD, STYLE_LAYERS,
                             STYLE_WEIGHT, TV_WEIGHT, load_weights)
from PIL import Image
from torch.nn import functional


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("weights", "content", "style"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("height", "width"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--mode", choices=("float32", "tf32", "bf16"), default="float32")
    parser.add_argument("--iterations", type=int, default=35)
    parser.add_argument("--skip", type=int, default=5, help="untimed iterations at the start")
    options = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = options.mode != "float32"
    torch.backends.cudnn.allow_tf32 = options.mode != "float32"
    torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if options.mode == "bf16" else torch.contiguous_format
    state = load_weights(options.weights)
    layers = {
        index: [
            state[f"features.{index}.weight"].cuda().contiguous(memory_format=layout),
            state[f"features.{index}.bias"].cuda(),
        ]
        for index in CONVOLUTIONS
    }

    def read(path):
        picture = Image.open(path).convert("RGB").resize((options.width, options.height), Image.BILINEAR)
        pixels = (numpy.asarray(picture, dtype=numpy.float32) / 255 - numpy.float32(MEAN)) / numpy.float32(STD)
        return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).cuda().contiguous(memory_format=layout)

    def features(image):
        found = {}
        with torch.autocast("cuda", torch.bfloat16, enabled=options.mode == "bf16"):
            for index in range(CONVOLUTIONS[-1] + 1):
                if index in layers:
                    image = functional.conv2d(image, *layers[index], padding=1)
                    if index in STYLE_LAYERS or index == CONTENT_LAYER:
                        found[index] = image
                elif index in POOLS:
                    image = functional.max_pool2d(image, 2)
                else:
                    image = functional.relu(image)
        return found

    def gram(feature):
        channels, area = feature.shape[1], feature.shape[2] * feature.shape[3]
        flat = feature.float().reshape(channels, area)
        return flat @ flat.T / (channels * area)

    content, style = read(options.content), read(options.style)
    with torch.no_grad():
        wanted_content = features(content)[CONTENT_LAYER].float()
        wanted_grams = {index: gram(found) for index, found in features(style).items() if index in STYLE_LAYERS}
    image = content.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([image], lr=LEARNING_RATE)
    seconds = []
    for _ in range(options.skip + options.iterations):
        start = time.perf_counter()
        optimizer.zero_grad()
        found = features(image)
        loss = CONTENT_WEIGHT * (found[CONTENT_LAYER].float() - wanted_content).square().mean()
        for index in STYLE_LAYERS:
            loss = loss + STYLE_WEIGHT * (gram(found[index]) - wanted_grams[index]).square().mean()
        down = (image[:, :, 1:, :] - image[:, :, :-1, :]).abs().mean()
        across = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean()
        loss = loss + TV_WEIGHT * 0.5 * (down + across)
        loss.backward()
        optimizer.step()
        loss.item()  # waits
        seconds.append(time.perf_counter() - start)
    print(f"{statistics.median(seconds[options.skip:]):.6f}")


if __name__ == "__main__":
    main()
