#!/usr/bin/env bash
# Guess:   GELU of infinity is infinity, as its limit is, and of 3e38 it is 3e38.
# Seen:    with AVX-512 a tensor of float32 gives NaN and infinity; one of a single number, float64, the tanh form, and
#          the same with ONEDNN_MAX_CPU_ISA=AVX2 are right. In bfloat16 it is NaN as well.
# Version: torch 2.15.0 (oneDNN) on the CPU
# Matters: a network whose activations overflow says inf on one machine, which clipping mends, and NaN on another.
set -euo pipefail
grep -q avx512bw /proc/cpuinfo || { echo "SKIP: no AVX-512"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cat > "$folder/show.py" <<'END'
import math
import sys

import torch
from torch.nn.functional import gelu

many = torch.full((64,), math.inf)
found = {"float32": gelu(many)[0], "3e38": gelu(torch.full((64,), 3e38))[0], "float64": gelu(many.double())[0],
         "tanh form": gelu(many, approximate="tanh")[0], "bfloat16": gelu(many.bfloat16())[0]}
found = {name: value.item() for name, value in found.items()}
print(sys.argv[1], found)
wrong = sys.argv[1] == "AVX-512:"
assert math.isnan(found["float32"]) == math.isnan(found["bfloat16"]) == wrong
assert (found["3e38"] == math.inf) == wrong
assert found["float64"] == found["tanh form"] == math.inf
END
"$folder/venv/bin/python" "$folder/show.py" AVX-512:
ONEDNN_MAX_CPU_ISA=AVX2 "$folder/venv/bin/python" "$folder/show.py" AVX2:
echo "as described"
