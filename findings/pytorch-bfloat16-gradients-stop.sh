#!/usr/bin/env bash
# Guess:   gradients that meet in one element of bfloat16 are summed in float32 and rounded once, as sum does it; or all
#          such sums stop alike, where 1 is less than half a unit in the last place, at 256.
# Seen:    both, by the function: 4096 ones add up to 4096 in the gradients of gather, repeat, repeat_interleave and
#          expand and in scatter_add, and to 256 in those of index_select, x[index], take, embedding, replicate padding,
#          grid_sample, unfold and overlapping windows of max_pool2d and avg_pool2d and in index_add; 2048 in float16.
#          Two ways to write one choice differ sixteenfold in the gradient.
# Version: torch 2.15.0 on the CPU
# Matters: frequent rows of an embedding, the borders of padded pictures and warped flat areas learn too slowly in 16
#          bits, without a NaN or a warning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import torch
import torch.nn.functional as functional

many = torch.zeros(4096, dtype=torch.long)


def gradient(function, shape, kind):
    x = torch.ones(shape, dtype=kind, requires_grad=True)
    function(x).sum().backward()
    return x.grad.item()


def padded(x):
    return functional.pad(x, (63, 63, 63, 63))


for kind, stop in ((torch.bfloat16, 256), (torch.float16, 2048), (torch.float32, 4096)):
    ones, zero, places = torch.ones(4096, dtype=kind), torch.zeros(1, dtype=kind), torch.zeros(1, 64, 64, 2, dtype=kind)
    line, pixel = (1,), (1, 1, 1, 1)
    whole = {"gather": (lambda x: x.gather(0, many), line), "expand": (lambda x: x.expand(4096), line),
             "repeat": (lambda x: x.repeat(4096), line),
             "repeat_interleave": (lambda x: x.repeat_interleave(4096), line)}
    stopped = {"index_select": (lambda x: x.index_select(0, many), line), "x[index]": (lambda x: x[many], line),
               "take": (lambda x: x.take(many), line), "embedding": (lambda x: functional.embedding(many, x), (1, 1)),
               "replicate": (lambda x: functional.pad(x, (32, 31, 32, 31), mode="replicate"), pixel),
               "grid_sample": (lambda x: functional.grid_sample(x, places, align_corners=True), pixel),
               "unfold": (lambda x: functional.unfold(padded(x), 64), pixel),
               "max_pool2d": (lambda x: functional.max_pool2d(padded(x), 64, 1), pixel),
               "avg_pool2d": (lambda x: functional.avg_pool2d(padded(x), 64, 1, divisor_override=1), pixel)}
    found = {name: gradient(*case, kind) for name, case in (whole | stopped).items()}
    found |= {"scatter_add": zero.scatter_add(0, many, ones), "index_add": zero.index_add(0, many, ones)}
    found = {name: float(value) for name, value in found.items()}
    print(kind, found)
    right = {name for name, value in found.items() if value == 4096}
    assert right == (set(found) if stop == 4096 else set(whole) | {"scatter_add"})
    assert all(value == stop for name, value in found.items() if name not in right)
END
echo "as described"
