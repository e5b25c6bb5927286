#!/usr/bin/env bash
# Guess:   torch.compile changes the last digit of erf at most.
# Seen:    compiled, erf(1e-5) is 1.7 % off, erf(1e-6) 6 %, and erf(1e-7) is 0; not compiled all digits are right. What
#          is compiled computes 1 minus something near 1, so that the error is 6e-8 however small the result is.
# Version: torch 2.15.0 on the CPU, compiled with g++ 12
# Matters: whatever divides by erf, or takes its logarithm, is finite without torch.compile and not with it.
set -euo pipefail
command -v g++ > /dev/null || { echo "SKIP: no g++"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TORCHINDUCTOR_CACHE_DIR=$folder/cache
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END' 2> /dev/null
import math

import torch

x = (10.0 ** -torch.arange(0.0, 8.0)).repeat(8)
plain, compiled = torch.erf(x)[:8], torch.compile(torch.erf)(x)[:8]
exact = [math.erf(v) for v in x[:8].tolist()]
for v, e, p, c in zip(x.tolist(), exact, plain.tolist(), compiled.tolist()):
    print(f"erf({v:.0e}) = {e:.4e}: plain {p / e - 1:+.1e}, compiled {c / e - 1:+.1e}")
off = [abs(c / e - 1) for c, e in zip(compiled.tolist(), exact)]
assert all(abs(p / e - 1) < 1e-6 for p, e in zip(plain.tolist(), exact))
assert off[5] > 0.01 and off[6] > 0.03 and compiled[7] == 0
END
echo "as described"
