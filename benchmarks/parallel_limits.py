#!/usr/bin/env python3
"""The highest speed-up that the loops of float32 on AMX allow, by count of their jobs.

    benchmarks/parallel_limits.py [--height 150 --width 225] [--threads 8,16,64]

Of each convolution of VGG-19 and its input gradient, and of each Gram matrix, the jobs of the loop that multiplies, as
cpu/kernels/ozaki_convolution.hpp and cpu/gemm.hpp cut it: as many threads are busy as there are jobs, and the last
round may leave some of them idle. Nothing is measured.
"""

import argparse

LAYERS = [("conv1_2", 64, 64, 1), ("conv2_1", 64, 128, 2), ("conv2_2", 128, 128, 2), ("conv3_1", 128, 256, 4),
          ("conv3_2", 256, 256, 4), ("conv4_1", 256, 512, 8), ("conv4_2", 512, 512, 8), ("conv5_1", 512, 512, 16)]
GRAMS = [("conv1_1", 64, 1), ("conv2_1", 128, 2), ("conv3_1", 256, 4), ("conv4_1", 512, 8), ("conv5_1", 512, 16)]
ROWS, PANEL = 4, 32  # results of a block of rows, and channels of a panel of filters
FILTERS_IN_CACHE = 128 * 128


def jobs_of_convolution(channels_in, channels_out, height):
    """Blocks of rows where all filters stay in the cache, else panels of filters."""
    if channels_in * channels_out <= FILTERS_IN_CACHE:
        return -(-height // ROWS)
    return -(-channels_out // PANEL)


def jobs_of_gram(channels, positions):
    """Slices of a long sum, or tiles on and below the diagonal."""
    if channels <= 128 and positions >= 2048:
        return min(32, positions // 1024)
    tile = 128 if channels * channels < 4 * 256 * 256 else 256
    tiles = -(-channels // tile)
    return tiles * (tiles + 1) // 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=150)
    parser.add_argument("--width", type=int, default=225)
    parser.add_argument("--threads", default="8,16,64", help="comma-separated")
    options = parser.parse_args()
    threads = [int(each) for each in options.threads.split(",")]
    rows = []
    for name, channels_in, channels_out, step in LAYERS:
        height = options.height // step
        rows.append((name, jobs_of_convolution(channels_in, channels_out, height)))
        rows.append((f"{name}, its input gradient", jobs_of_convolution(channels_out, channels_in, height)))
    for name, channels, step in GRAMS:
        rows.append((f"{name}, Gram matrix", jobs_of_gram(channels, options.height // step * (options.width // step))))
    print("| layer | jobs | " + " | ".join(f"{each} threads" for each in threads) + " |")
    print("| --- | --- |" + " --- |" * len(threads))
    for name, jobs in rows:
        print(f"| {name} | {jobs} | " + " | ".join(f"{jobs / -(-jobs // each):.1f}" for each in threads) + " |")


if __name__ == "__main__":
    main()
