#!/usr/bin/env python3
"""Times training in PyTorch and in sfumato side by side.

    benchmarks/compare_training.py digits [--seeds 5] [--threads 1]
    benchmarks/compare_training.py resnet18 [--steps 12] [--threads 2] [--rounds 3]

digits: ten epochs of a CNN (two convolutions, a pool, two linear layers; Adam, batches of 64) over 1437 of
scikit-learn's digits, and its accuracy on the other 360. resnet18: steps of SGD over 16 random images of
64 x 64; PyTorch in its layout channels last. Both sides run in turn, each in a process of its own, whose peak
memory is told. Needs PyTorch, torchvision, scikit-learn, NumPy and build/release/training.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def write_digits(file):
    import numpy
    from sklearn.datasets import load_digits
    data = load_digits()
    order = numpy.random.RandomState(0).permutation(len(data.target))
    images = (data.images / 16.0).astype(numpy.float32)[order][:, None]
    labels = data.target.astype(numpy.int64)[order]
    numpy.savez(file, train_images=images[360:], train_labels=labels[360:], test_images=images[:360],
                test_labels=labels[:360])


def pytorch_digits(file, seed, threads):
    import numpy
    import torch
    from torch import nn
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    data = numpy.load(file)
    images, labels = torch.from_numpy(data["train_images"]), torch.from_numpy(data["train_labels"])
    model = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    for _ in range(10):
        for chosen in torch.randperm(len(images)).split(64):
            adam.zero_grad()
            nn.functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
            adam.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        found = model(torch.from_numpy(data["test_images"])).argmax(1)
    accuracy = (found == torch.from_numpy(data["test_labels"])).float().mean().item()
    print(json.dumps({"seconds": seconds, "accuracy": accuracy}))


def pytorch_resnet18(steps, threads):
    import torch
    import torchvision
    torch.set_num_threads(threads)
    model = torchvision.models.resnet18(num_classes=10).to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = torch.randn(16, 3, 64, 64).to(memory_format=torch.channels_last)
    labels = torch.arange(16) % 10
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        sgd.step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds}))


def run(command, threads):
    """What a command prints as JSON, and its peak memory in MiB."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}")
    return json.loads(output), usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=("digits", "resnet18"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/training"))
    parser.add_argument("--pytorch", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    threads = options.threads or (1 if options.job == "digits" else 2)
    if options.pytorch is not None:
        if options.job == "digits":
            return pytorch_digits(options.pytorch[0], int(options.pytorch[1]), threads)
        return pytorch_resnet18(int(options.pytorch[0]), threads)

    def side(name, *words):
        if name == "sfumato":
            return run([options.program, options.job, *words, str(threads)], threads)
        return run([sys.executable, __file__, options.job, "--threads", str(threads), "--pytorch", *words], threads)

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "digits.npz")
        if options.job == "digits":
            write_digits(file)
        seconds, accuracies, memory = {}, {}, {}
        for i in range(options.seeds if options.job == "digits" else options.rounds):
            for name in ("PyTorch", "sfumato") if i % 2 == 0 else ("sfumato", "PyTorch"):
                words = (file, str(i)) if options.job == "digits" else (str(options.steps),)
                found, mib = side(name, *words)
                took = found["seconds"] if options.job == "digits" else statistics.median(found["seconds"][2:])
                seconds.setdefault(name, []).append(took)
                accuracies.setdefault(name, []).append(found.get("accuracy", 0.0))
                memory[name] = max(memory.get(name, 0.0), mib)
    for name in seconds:
        accuracy = f", accuracy {statistics.mean(accuracies[name]):.4f}" if options.job == "digits" else ""
        print(f"{name}: {statistics.median(seconds[name]):.3f} s{accuracy}, {memory[name]:.0f} MiB at the peak")
    print(f"ratio {statistics.median(seconds['PyTorch']) / statistics.median(seconds['sfumato']):.2f}, "
          f"{threads} thread{'s' if threads > 1 else ''}")


main()
