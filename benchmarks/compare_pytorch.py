#!/usr/bin/env python3
"""Times whole style-transfer iterations of PyTorch and of neural_style side by side.

    benchmarks/compare_pytorch.py --weights FILE [--content FILE --style FILE] [--sizes 150x225,600x900]

One iteration is: VGG-19 forward to conv5_1, content, Gram-style and total-variation losses, backward to the
image, one Adam step; or what --method says, of the last size alone. Both sides get the same two images, already
resized, the same weights, the same number of threads and the same loss weights, and start from the content image.
They run in turn, each in a process of its own, so that peak memory is each side's own. The losses of the last iteration are compared as a check that both
computed the same thing. At the end stand the rows of README.md: PyTorch's fastest mode and sfumato.

Needs PyTorch (1.13 or newer), NumPy and Pillow, and build/release/neural_style. Debian's PyTorch takes its
matrix products from whatever libblas.so.3 is installed; with the plain reference library (no libopenblas0) an
iteration takes several times longer than it should. The script says so when it sees that.
"""

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

MODES = ("plain", "channels_last", "compile")
EIGENVALUES = "eigenvalues"  # a mode of --method wasserstein: channels last, and roots by torch.linalg.eigvalsh
OURS = "sfumato"
SLOW_GFLOPS = 10  # per thread: the reference BLAS stays below, every optimised one is well above


# ---- The PyTorch side, in its own process ---------------------------------------------------------------


def run_pytorch(job):
    """Runs `job` and prints its seconds per iteration and its losses as JSON."""
    import torch
    from pytorch_iteration import StyleTransfer

    torch.set_num_threads(job["threads"])
    mode = job["mode"]
    pictures = (job["weights"], job["content"], job["style"], (job["height"], job["width"]))
    how = {"channels_last": mode in ("channels_last", EIGENVALUES), "compiled": mode == "compile"}
    if job.get("method", "gram") == "gram":
        picture = StyleTransfer(*pictures, bf16=job["precision"] == "bf16", **how)
    else:
        import pytorch_methods as methods

        of = methods.Neighbors if job["method"] == "neighbors" else methods.Wasserstein
        picture = (methods.WassersteinByEigenvalues if mode == EIGENVALUES else of)(*pictures, **how)
    seconds, losses = [], []
    for _ in range(job["iterations"]):
        start = time.perf_counter()
        losses.append(picture.iterate())
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "losses": losses, "gflops": matrix_product_rate(torch)}))


def matrix_product_rate(torch):
    """How fast PyTorch multiplies matrices, in GFLOP/s: it tells which BLAS it was given."""
    matrix = torch.randn(1024, 1024)
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


# ---- Both sides, seen from outside ----------------------------------------------------------------------


class Failed(Exception):
    """A side that did not run; its last words."""


def measure(command, threads, allowed=(0,)):
    """Runs a command; returns what it printed, its peak memory in MiB and its seconds of processor time."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror}") from error
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode not in allowed:
            last_words = errors.read().strip().splitlines() or ["no message"]
            raise Failed(f"exit status {process.returncode}: {last_words[-1]}")
        unit = 1024 * 1024 if sys.platform == "darwin" else 1024
        return output.read(), usage.ru_maxrss / unit, usage.ru_utime + usage.ru_stime


def pytorch_side(job, mode):
    job = dict(job, mode=mode)
    command = [sys.executable, os.path.abspath(__file__), "--worker", json.dumps(job)]
    printed, memory, processor = measure(command, job["threads"])
    return dict(json.loads(printed.splitlines()[-1]), memory=memory, processor=processor)


def sfumato_side(job, program, folder):
    table = os.path.join(folder, "losses.csv")
    command = [program, job["content"], job["style"], "--method", job["method"], "-o", os.path.join(folder, "out.png")]
    if job["method"] != "gram":
        command += ["--min-size", str(max(job["height"], job["width"])), "--first-iterations", str(job["iterations"])]
    for option in ("height", "width", "iterations", "threads", "weights", "precision"):
        command += [f"--{option}", str(job[option])]
    command += ["--borders", "plain"]  # or it would paint a larger picture than PyTorch does
    _, memory, _ = measure(command + ["--losses", table, "--quiet"], job["threads"])
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ends = [0.0] + [float(row["seconds"]) for row in rows]
    seconds = [after - before for before, after in zip(ends, ends[1:])]
    return {"seconds": seconds, "losses": [float(row["total"]) for row in rows], "memory": memory}


def compare(size, options, folder):
    """Measures one size and prints its part of the table; returns what failed, and the medians."""
    from PIL import Image

    height, width = size
    job = {"height": height, "width": width, "threads": options.threads, "precision": options.precision,
           "method": options.method}
    job["weights"] = os.path.abspath(options.weights)
    job["iterations"] = options.skip + options.iterations
    for role in ("content", "style"):
        job[role] = os.path.join(folder, f"{role}-{height}x{width}.png")
        Image.open(getattr(options, role)).convert("RGB").resize((width, height), Image.BILINEAR).save(job[role])

    sides = {f"PyTorch {mode}": lambda mode=mode: pytorch_side(job, mode) for mode in options.modes}
    sides[OURS] = lambda: sfumato_side(job, options.program, folder)
    runs = {name: [] for name in sides}
    failures = {}
    for _ in range(options.rounds):
        for name, run in sides.items():
            if name in failures:
                continue
            try:
                runs[name].append(run())
            except Failed as failure:
                failures[name] = failure

    medians, last_losses = {}, {}
    for name in sides:
        if name not in failures:
            timed = [second for run in runs[name] for second in run["seconds"][options.skip :]]
            medians[name] = statistics.median(timed)
            last_losses[name] = runs[name][-1]["losses"][job["iterations"] - 1]
    reference = last_losses.get("PyTorch plain", next(iter(last_losses.values()), None))
    for name in sides:
        start = f"{height}x{width:<6} {name:<22}"
        if name in failures:
            print(f"{start} {failures[name]}")
            continue
        ratio = f"{medians[name] / medians[OURS]:.2f}" if OURS in medians else "-"
        memory = max(run["memory"] for run in runs[name])
        difference = (last_losses[name] - reference) / abs(reference)
        print(f"{start} {medians[name]:12.4f} {ratio:>12} {memory:14.0f} {last_losses[name]:14.6g} {difference:+12.1e}")
    rates = [run["gflops"] for name in runs for run in runs[name] if "gflops" in run]
    if rates and max(rates) < SLOW_GFLOPS * options.threads:
        print(f"NOT A FAIR COMPARISON: PyTorch multiplies matrices at only {max(rates):.0f} GFLOP/s; give it a "
              "fast BLAS (Debian: libopenblas0)")
    sys.stdout.flush()
    return failures, medians


def processor():
    """Its name, as the system has it."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith(("model name", "Processor"))]
    return names[0] if names else platform.machine()


def three_digits(seconds):
    return f"{seconds:.{max(0, 2 - math.floor(math.log10(seconds)))}f}"


def parse_size(text):
    height, _, width = text.partition("x")
    return int(height), int(width)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        run_pytorch(json.loads(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    images = os.path.join(ROOT, "examples", "images")
    parser.add_argument("--weights", default=os.path.join(ROOT, "weights", "vgg19-dcbb9e9d.pth"))
    parser.add_argument("--content", default=os.path.join(images, "rocket.jpg"))
    parser.add_argument("--style", default=os.path.join(images, "suns.jpg"))
    parser.add_argument("--sizes", default="150x225,600x900", help="height x width, comma-separated")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=6, help="timed iterations in each run")
    parser.add_argument("--skip", type=int, default=2, help="untimed iterations at the start of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, taken in turn")
    parser.add_argument("--modes", default=",".join(MODES), help="of PyTorch: " + ", ".join(MODES))
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32",
                        help="bf16: PyTorch's autocast, and neural_style --precision bf16")
    parser.add_argument("--method", choices=("gram", "neighbors", "wasserstein"), default="gram",
                        help="the objective; wasserstein has a mode more, eigenvalues")
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "neural_style"))
    options = parser.parse_args()
    sizes = [parse_size(text) for text in options.sizes.split(",")]
    options.modes = [mode for mode in options.modes.split(",") if mode]
    modes = (*MODES, EIGENVALUES) if options.method == "wasserstein" else MODES
    unknown = set(options.modes) - set(modes)
    if unknown:
        parser.error(f"PyTorch modes are {', '.join(modes)}, not {', '.join(sorted(unknown))}")
    if options.method != "gram" and options.precision != "float32":
        parser.error("bf16 is compared with --method gram only")
    # PyTorch itself is imported by workers only: a process starts with the peak memory of its parent.
    missing = [name for name in ("numpy", "PIL", "torch") if importlib.util.find_spec(name) is None]
    if missing:
        parser.error(f"there is no {missing[0]} (Debian: python3-torch python3-numpy python3-pil)")
    version = importlib.metadata.version("torch")
    if "compile" in options.modes and version.startswith("1."):
        options.modes.remove("compile")
        print("PyTorch before 2.0 cannot compile: that mode is left out")
    for path in (options.weights, options.content, options.style):
        if not os.path.exists(path):
            parser.error(f"{path} does not exist")

    print(f"PyTorch {version}, Python {platform.python_version()}, {options.threads} threads, "
          f"{options.rounds} x {options.iterations} iterations of each (after {options.skip} untimed)")
    print(f"{'size':<10} {'program':<22} {'median s/it':>12} {'of sfumato':>12} {'peak RSS MiB':>14} "
          f"{'last loss':>14} {'difference':>12}")
    failed, rows = False, []
    with tempfile.TemporaryDirectory() as folder:
        for height, width in sizes:
            failures, medians = compare((height, width), options, folder)
            failed |= bool(failures)
            ours = medians.pop(OURS, None)
            if ours and medians:
                theirs = min(medians.values())
                rows.append(f"| style transfer, {height} × {width} | {processor()} | {three_digits(theirs)} | "
                            f"{three_digits(ours)} | {theirs / ours:.1f} |")
    print("\n| | processor | PyTorch | sfumato | ratio |\n| --- | --- | --- | --- | --- |", *rows, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
