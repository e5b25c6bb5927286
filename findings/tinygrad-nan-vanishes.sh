#!/usr/bin/env bash
# Guess:   relu, maximum and max pooling of tinygrad keep NaN, or all of them drop it.
# Seen:    relu(NaN) is 0; maximum(NaN, 0) is NaN and maximum(0, NaN) is 0; max() is NaN when it stands first; a max
#          pooling window with one NaN gives the largest of the rest.
# Version: tinygrad 0.14.0 on its CPU device
# Matters: a network that diverged looks dead, not broken: its activations are zeros.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tinygrad==0.14.0
command -v clang >/dev/null || { echo "SKIP: tinygrad compiles its CPU kernels with clang, which is not here"; exit 0; }
cd "$folder"
DEV=CPU XDG_CACHE_HOME="$folder" "$folder/venv/bin/python" - <<'END'
from math import isnan, nan

from tinygrad import Tensor

x = Tensor([nan, -1.0, 0.0, 2.0])
zeros = Tensor([0.0] * 4)
relu, keeps, drops = x.relu().tolist(), x.maximum(zeros).tolist(), zeros.maximum(x).tolist()
pooled = Tensor([[[[1.0, nan], [3.0, 2.0]]]]).max_pool2d(2).item()
print("relu", relu, "maximum(x, 0)", keeps, "maximum(0, x)", drops, "max", x.max().item(), "max_pool2d", pooled)
assert relu == [0.0, 0.0, 0.0, 2.0]
assert isnan(keeps[0]) and drops[0] == 0.0
assert isnan(x.max().item())
assert pooled == 3.0
END
echo "as described"
