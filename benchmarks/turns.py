#!/usr/bin/env python3
"""Times two or more builds of neural_style, or sets of options, or PyTorch, by turns on the same pictures.

    benchmarks/turns.py --side old="../old/build/release/neural_style" --side new="build/release/neural_style"
    benchmarks/turns.py --side ours="build/release/neural_style" --side torch=pytorch:channels_last --threads 2
    benchmarks/turns.py --side adam="old/neural_style --iterations 500" \\
        --side fast="build/release/neural_style --preset fast --iterations 200" --until-loss 5.575 --rounds 3

A side is NAME=COMMAND with options of neural_style, or NAME=pytorch:MODE with a mode of compare_pytorch.py. Everyone
gets the same two pictures, already resized, and they take turns, as neighbours on a shared machine come and go. The
table has medians over all iterations but the first of each run; the ratio to the first side is the median of the
ratios of each round, with the least and the largest round. Processor time is that of the whole process, loading
included. With --until-loss each run counts until its total loss is at most that, and is told to end there if it is
a neural_style that can.
"""

import argparse
import csv
import os
import shlex
import statistics
import subprocess
import sys
import tempfile

import compare_pytorch
from compare_pytorch import Failed, measure, parse_size


PYTORCH_ITERATIONS = 500  # as many as neural_style --method gram makes by default


def processor():
    """Its name, and how many of them there are."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    flags = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    sets = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if name in flags.split()]
    return f"{names[0] if names else 'unknown processor'} ({', '.join(sets)}), {len(names)} threads"


class Side:
    def __init__(self, text):
        self.name, _, command = text.partition("=")
        self.mode = command.partition(":")[2] if command.startswith("pytorch") else None
        self.command = shlex.split(command)
        if not self.name or not self.command:
            raise argparse.ArgumentTypeError(f"'{text}' is not NAME=COMMAND")

    def run(self, job, folder):
        """The seconds of each iteration, the losses, processor time and peak memory of one run."""
        if self.mode is not None:
            iterations = job["iterations"] or PYTORCH_ITERATIONS
            return compare_pytorch.pytorch_side(dict(job, iterations=iterations), self.mode or "plain")
        table = os.path.join(folder, f"{self.name}.csv")
        command = [self.command[0], job["content"], job["style"], "-o", os.path.join(folder, f"{self.name}.png"),
                   "--weights", job["weights"], "--threads", str(job["threads"]), "--losses", table, "--quiet"]
        given = self.command[1:]
        for option in ("height", "width", "iterations"):
            if f"--{option}" not in given and job[option] is not None:
                command += [f"--{option}", str(job[option])]
        # What PyTorch's side computes, where nothing else is asked for.
        if not {"--method", "--preset"} & set(given) and "--method" in self.help():
            command += ["--method", "gram"]
        if job["until_loss"] is not None and "--until-loss" in self.help():
            command += ["--until-loss", str(job["until_loss"])]
        _, memory, processor_time = measure(command + given, job["threads"], allowed=(0, 3))
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        ends = [0.0] + [float(row["seconds"]) for row in rows]
        return {"seconds": [after - before for before, after in zip(ends, ends[1:])],
                "losses": [float(row["total"]) for row in rows], "memory": memory, "processor": processor_time}

    def help(self):
        return subprocess.run([self.command[0], "--help"], capture_output=True, text=True, check=True).stdout


def figure(run, until_loss):
    """What is compared: the median iteration, or the seconds until the loss; none where it was not reached."""
    if until_loss is None:
        return statistics.median(run["seconds"][1:] or run["seconds"])
    seconds = 0.0
    for step, loss in zip(run["seconds"], run["losses"]):
        seconds += step
        if loss <= until_loss:
            return seconds
    return None


def compare(sides, job, rounds):
    """Runs the turns and prints the table of one size."""
    runs = {side.name: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        for role in ("content", "style"):
            job[role] = resized(job[role], job["height"], job["width"], os.path.join(folder, f"{role}.png"))
        for _ in range(rounds):
            for side in sides:
                runs[side.name].append(side.run(job, folder))
    figures = {name: [figure(run, job["until_loss"]) for run in of] for name, of in runs.items()}
    first = figures[sides[0].name]
    for side in sides:
        of = runs[side.name]
        size = f"{job['height']}x{job['width']}"
        if None in figures[side.name]:
            print(f"{size:<10} {side.name:<14} not reached: {min(min(run['losses']) for run in of):.6g} is the least")
            continue
        median = statistics.median(figures[side.name])
        ratios = [mine / its for mine, its in zip(figures[side.name], first) if its is not None]
        ratio = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" if ratios else "-"
        iterations = statistics.median(len(run["losses"]) for run in of)
        time = statistics.median(run["processor"] for run in of)
        print(f"{size:<10} {side.name:<14} {median:10.4f} {ratio:>24} {iterations:10.0f} {time:12.1f} "
              f"{max(run['memory'] for run in of):10.0f} {of[-1]['losses'][-1]:12.6g}")
    sys.stdout.flush()


def resized(path, height, width, target):
    from PIL import Image

    Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR).save(target)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    images = os.path.join(compare_pytorch.ROOT, "examples", "images")
    parser.add_argument("--side", action="append", type=Side, required=True, help="NAME=COMMAND or NAME=pytorch:MODE")
    parser.add_argument("--weights", default=os.path.join(compare_pytorch.ROOT, "weights", "vgg19-dcbb9e9d.pth"))
    parser.add_argument("--content", default=os.path.join(images, "rocket.jpg"))
    parser.add_argument("--style", default=os.path.join(images, "suns.jpg"))
    parser.add_argument("--sizes", default="150x225", help="height x width, comma-separated")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, help="of each run, unless a side says otherwise (default: 8; with "
                        "--until-loss what each side makes by itself)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--until-loss", type=float, help="compare the seconds until the total loss is at most this")
    options = parser.parse_args()
    if options.iterations is None and options.until_loss is None:
        options.iterations = 8
    print(f"{processor()}; {options.threads} threads used, {options.rounds} rounds by turns")
    what = "median s/it" if options.until_loss is None else f"s to {options.until_loss:g}"
    print(f"{'size':<10} {'side':<14} {what:>10} {'ratio to the first':>24} {'iterations':>10} {'processor s':>12} "
          f"{'peak MiB':>10} {'last loss':>12}")
    for height, width in map(parse_size, options.sizes.split(",")):
        job = {"height": height, "width": width, "threads": options.threads, "precision": "float32",
               "iterations": options.iterations, "until_loss": options.until_loss, "content": options.content,
               "style": options.style, "weights": os.path.abspath(options.weights)}
        try:
            compare(options.side, job, options.rounds)
        except Failed as failure:
            print(failure, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
