#!/usr/bin/env python3
"""The highest speed-up that the loops of float32 on AMX allow, by count of their jobs.

    benchmarks/parallel_limits.py [--height 150 --width 225] [--threads 8,16,64]

Of each convolution of VGG-19 and its input gradient, and of each Gram matrix, the jobs of the loop that multiplies, as
cpu/kernels/ozaki_convolution.hpp and cpu/gemm.hpp cut it for so many threads: as many are busy as there are jobs, and
the last round may leave some of them idle. Nothing is measured. tests/cpu_shares_test.cpp counts the same in C++.
"""

import argparse

LAYERS = [("conv1_2", 64, 64, 1), ("conv2_1", 64, 128, 2), ("conv2_2", 128, 128, 2), ("conv3_1", 128, 256, 4),
          ("conv3_2", 256, 256, 4), ("conv4_1", 256, 512, 8), ("conv4_2", 512, 512, 8), ("conv5_1", 512, 512, 16)]
GRAMS = [("conv1_1", 64, 1), ("conv2_1", 128, 2), ("conv3_1", 256, 4), ("conv4_1", 512, 8), ("conv5_1", 512, 16)]
ROWS, PANEL = 4, 32  # results of a block of rows, and channels of a panel of filters
COLUMNS = 32  # that are multiplied at a time
FILTERS_IN_CACHE = 128 * 128
SMALLEST_TILE, WORTH = 32, 32 * 32 * 256  # of a Gram matrix; products of a tile that is cut no further


def keep_busy(jobs, threads):
    return threads <= 2 or 5 * jobs >= 4 * threads * -(-jobs // threads)


def jobs_of_convolution(channels_in, channels_out, height, width, threads):
    """Blocks of rows where all filters stay in the cache, else panels of filters; or both, and some columns of them."""
    blocks, panels = -(-height // ROWS), -(-channels_out // PANEL)
    whole = blocks if channels_in * channels_out <= FILTERS_IN_CACHE else panels
    if keep_busy(whole, threads):
        return whole
    parts = 1
    while parts < -(-width // COLUMNS) and not keep_busy(blocks * panels * parts, threads):
        parts += 1
    return blocks * panels * parts


def jobs_of_gram(channels, positions, threads):
    """Tiles below the diagonal and pairs of those on it; with few channels each of slices of the sum."""
    is_long = channels <= 128 and positions >= 2048
    slices = min(32, positions // 1024) if is_long else 1
    tile = channels if is_long else 128 if channels * channels < 4 * 256 * 256 else 256
    length = -(-positions // slices)
    while True:
        tiles = -(-channels // tile)
        jobs = slices * (tiles * (tiles - 1) // 2 + -(-tiles // 2))
        if tile <= SMALLEST_TILE or tile * tile // 4 * length < WORTH or keep_busy(jobs, threads):
            return jobs
        tile //= 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=150)
    parser.add_argument("--width", type=int, default=225)
    parser.add_argument("--threads", default="8,16,64", help="comma-separated")
    options = parser.parse_args()
    threads = [int(each) for each in options.threads.split(",")]
    rows = []
    for name, channels_in, channels_out, step in LAYERS:
        height, width = options.height // step, options.width // step
        for what, a, b in ((name, channels_in, channels_out), (f"{name}, its input gradient", channels_out, channels_in)):
            rows.append((what, [jobs_of_convolution(a, b, height, width, each) for each in threads]))
    for name, channels, step in GRAMS:
        positions = options.height // step * (options.width // step)
        rows.append((f"{name}, Gram matrix", [jobs_of_gram(channels, positions, each) for each in threads]))
    print("| layer | " + " | ".join(f"{each} threads" for each in threads) + " |")
    print("| --- |" + " --- |" * len(threads))
    for name, jobs in rows:
        limits = (f"{count / -(-count // each):.1f}" for count, each in zip(jobs, threads))
        print(f"| {name} | " + " | ".join(limits) + " |")


if __name__ == "__main__":
    main()
