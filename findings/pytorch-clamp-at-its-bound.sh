#!/usr/bin/env bash
# Guess:   clamp's gradient at its bounds is what it was for years, 1, whatever the bounds are given as.
# Seen:    0 where bounds are numbers (clamp, clip, clamp_min, hardtanh), 0.5 where they are tensors; with a lower and
#          an upper bound that are equal, 0 for numbers and 1 for tensors.
# Version: torch 2.15.0 on the CPU
# Matters: pictures start with black and white pixels, which then never leave the bounds; and whether a bound is a
#          number or a tensor of one changes a training run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --disable-pip-version-check torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import torch
import torch.nn.functional as functional


def slope(function, at):
    x = torch.tensor([at], requires_grad=True)
    function(x).sum().backward()
    return x.grad.item()


zero, one = torch.tensor(0.0), torch.tensor(1.0)
found = {"clamp": slope(lambda x: x.clamp(0, 1), 1.0), "clip": slope(lambda x: x.clip(0, 1), 0.0),
         "clamp_min": slope(lambda x: x.clamp_min(0), 0.0), "hardtanh": slope(functional.hardtanh, 1.0),
         "tensors": slope(lambda x: x.clamp(zero, one), 1.0), "tensor": slope(lambda x: x.clamp(min=zero), 0.0),
         "equal numbers": slope(lambda x: x.clamp(1, 1), 1.0), "equal tensors": slope(lambda x: x.clamp(one, one), 1.0),
         "inside": slope(lambda x: x.clamp(0, 1), 0.5)}
print(found)
assert found["clamp"] == found["clip"] == found["clamp_min"] == found["hardtanh"] == 0.0
assert found["tensors"] == found["tensor"] == 0.5
assert found["equal numbers"] == 0.0 and found["equal tensors"] == 1.0
assert found["inside"] == 1.0
END
echo "as described"
