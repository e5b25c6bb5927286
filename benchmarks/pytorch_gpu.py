#!/usr/bin/env python3
"""Times style-transfer iterations of PyTorch on a GPU: what tests/gpu_check.sh compares neural_style with.

    benchmarks/pytorch_gpu.py --weights FILE --content FILE --style FILE --height H --width W [--mode MODE]

Modes: float32 (no TF32), tf32, and bf16: channels-last under autocast, with the Gram matrices in float32. Prints
the median seconds of an iteration.
"""

import argparse
import statistics
import time

import torch
from pytorch_iteration import StyleTransfer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("weights", "content", "style"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("height", "width"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--mode", choices=("float32", "tf32", "bf16"), default="float32")
    parser.add_argument("--iterations", type=int, default=35)
    parser.add_argument("--skip", type=int, default=5, help="untimed iterations at the start")
    parser.add_argument("--device", default="cuda", help="cpu: to try this script")
    options = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = options.mode != "float32"
    torch.backends.cudnn.allow_tf32 = options.mode != "float32"
    torch.backends.cudnn.benchmark = True
    bf16 = options.mode == "bf16"
    picture = StyleTransfer(options.weights, options.content, options.style, (options.height, options.width),
                            device=options.device, channels_last=bf16, bf16=bf16, grams_in_float=True)
    seconds = []
    for _ in range(options.skip + options.iterations):
        start = time.perf_counter()
        picture.iterate()  # returns a number, and so waits for the device
        seconds.append(time.perf_counter() - start)
    print(f"{statistics.median(seconds[options.skip:]):.6f}")


if __name__ == "__main__":
    main()
