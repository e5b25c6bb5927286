#!/usr/bin/env bash
# Guess:   a float64 becomes the nearest number of 16 bits, ties to even, as NumPy makes float16 of it.
# Seen:    PyTorch (half(), bfloat16(), tensor(), full(), assignment) and ml_dtypes round to float32 first. What is
#          just beside the middle of two numbers of 16 bits becomes the middle, and then goes to the wrong side:
#          1 + 2^-8 + 2^-40 is 1 in bfloat16, not 1 + 2^-7, and 65519.999999 is infinity in PyTorch's float16, where
#          NumPy has 65504. Whole numbers of 64 bits fare alike, and the 8-bit floats.
# Version: torch 2.15.0 on the CPU, ml_dtypes 0.6.0, numpy 2.4.6
# Matters: a mean or a sum that is carefully computed in float64 is stored one unit off, or not finite; results of two
#          libraries differ in the last of eight bits where the exact ones agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'END'
import ml_dtypes
import numpy as np
import torch

beside = {"float16": np.array([1 + 2.0**-11 + 2.0**-40, 65519.999999]), "bfloat16": np.array([1 + 2.0**-8 + 2.0**-40])}
nearest = {"float16": [1 + 2.0**-10, 65504.0], "bfloat16": [1 + 2.0**-7]}
by_float = {"float16": [1.0, float("inf")], "bfloat16": [1.0]}

for name, values in beside.items():
    kind = getattr(torch, name)
    doubles = torch.from_numpy(values)
    assigned = torch.zeros(len(values), dtype=kind)
    for i, value in enumerate(values):
        assigned[i] = float(value)
    found = {"to": doubles.to(kind), "tensor": torch.tensor(values.tolist(), dtype=kind), "assigned": assigned,
             "full": torch.cat([torch.full((1,), float(value), dtype=kind) for value in values])}
    for how, result in found.items():
        print(f"PyTorch, {name}, {how}: {result.double().tolist()} of {values.tolist()}")
        assert result.double().tolist() == by_float[name]
    own = values.astype(getattr(ml_dtypes if name == "bfloat16" else np, name)).astype(np.float64).tolist()
    print(f"NumPy{' with ml_dtypes' if name == 'bfloat16' else ''}, {name}: {own}")
    assert own == (by_float if name == "bfloat16" else nearest)[name]

whole = 2**24 + 2**16 + 1  # beside the middle of 2^24 and 2^24 + 2^17
assert torch.tensor([whole]).bfloat16().item() == 2**24 == int(np.array([whole]).astype(ml_dtypes.bfloat16)[0])
small = np.array([1.0625 + 1e-12])  # beside the middle of 1 and 1.125
assert torch.from_numpy(small).to(torch.float8_e4m3fn).item() == 1.0 == float(small.astype(ml_dtypes.float8_e4m3fn)[0])
END
echo "as described"
