#!/usr/bin/env python3
"""Makes resnet18.txt, resnet50.txt and resnet50_short.txt: what PyTorch computes with torchvision's ResNets.

Needs PyTorch and torchvision (here 2.15 and 0.29). Run in this folder:

    python make.py

The first line of a file is the depth, the images' side and the number of steps of SGD (learning rate 0.01,
momentum 0.9, batches of 4, 10 classes, in double). Numbers follow, one a line with a name, in the order of
nn_resnet_test.cpp, which computes the same: the logits before the first step; of each parameter's gradient
then, in the order of their names, the largest size, one element and the product with random numbers; the
losses; of each parameter and running statistic after the last step an element and such a product; and the
logits with these statistics. Parameters and images are random numbers of random(), which needs nothing but
integers. What bottlenecks add to their inputs is small at first: else ten steps from a random start amplify
rounding until PyTorch's own results differ by 1e-7 from one algorithm to another.
"""

import math

import numpy
import torch
import torchvision

BATCH = 4
CLASSES = 10
IMAGES = 1 << 20  # the stream that images come from


def random(stream, count):
    """SplitMix64 at stream · 2³² + 0, 1, …, as numbers from -1 to 1: Steele, Lea and Flood (2014)."""
    with numpy.errstate(over="ignore"):
        z = (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64((stream << 32) + 1)) * numpy.uint64(
            0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return torch.from_numpy((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1.0)


def start(stream, shape):
    """Weights as large as He's, and numbers near 0."""
    values = random(stream, math.prod(shape)).reshape(shape)
    return values * math.sqrt(6.0 / math.prod(shape[1:])) if len(shape) > 1 else values * 0.125


def write(depth, side, steps, name):
    model = getattr(torchvision.models, f"resnet{depth}")(num_classes=CLASSES).double()
    parameters = sorted(model.named_parameters())
    with torch.no_grad():
        for stream, (parameter_name, parameter) in enumerate(parameters):
            parameter.copy_(start(stream, parameter.shape))
            if parameter.dim() == 1 and parameter_name.endswith("weight") and "bn3" not in parameter_name:
                parameter.add_(1.0)
    images = random(IMAGES, BATCH * 3 * side * side).reshape(BATCH, 3, side, side)
    labels = torch.arange(BATCH) * 3 % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    lines = [f"{depth} {side} {steps}"]

    def put(label, *numbers):
        lines.extend(f"{label} {float(number)!r}" for number in numbers)

    def sample(label, stream, tensor):
        values = tensor.detach().flatten()
        put(label, values[stream * 7919 % len(values)], values @ random(stream, len(values)))

    for step in range(steps):
        optimizer.zero_grad()
        logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        if step == 0:
            put("logits", *logits.detach().flatten())
            for stream, (parameter_name, parameter) in enumerate(parameters):
                put(parameter_name + ".grad", parameter.grad.abs().max())
                sample(parameter_name + ".grad", stream, parameter.grad)
        put("loss", loss.detach())
        optimizer.step()
    state = {key: value for key, value in model.state_dict().items() if "num_batches" not in key}
    for stream, key in enumerate(sorted(state)):
        sample(key, stream, state[key])
    model.eval()
    put("eval", *model(images).detach().flatten())
    with open(name, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    write(18, 64, 10, "resnet18.txt")
    write(50, 64, 10, "resnet50.txt")
    write(50, 64, 2, "resnet50_short.txt")
