#!/usr/bin/env bash
# Guess:   NumPy's mean of 4096 ones in bfloat16 is 1: of float16 it is computed in float32, as its documentation says,
#          and a sum is pairwise.
# Seen:    it is 0.0625. For the types of ml_dtypes every sum is one running sum in the type itself, which stops where
#          1 is less than half a unit in the last place: at 256 for bfloat16, at 16 for float8_e4m3fn. dot and @ are
#          right, and so is mean(dtype=numpy.float32); JAX itself sums in float32.
# Version: numpy 2.4.6, ml_dtypes 0.6.0, jax 0.10.2
# Matters: what leaves JAX by numpy.asarray keeps its type, and a loss or a mean colour of it is wrong by any factor.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 ml_dtypes==0.6.0 jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax.numpy as jnp
import ml_dtypes
import numpy as np

for kind, stop in ((np.float16, None), (ml_dtypes.bfloat16, 256), (ml_dtypes.float8_e4m3fn, 16)):
    ones = np.ones(4096, kind)
    found = {"sum": ones.sum(), "mean": ones.mean(), "mean in float32": ones.mean(dtype=np.float32)}
    if kind is not ml_dtypes.float8_e4m3fn:  # which has no 4096
        found |= {"dot": np.dot(ones, ones), "@": (ones[None] @ ones[:, None]).item(),
                  "JAX's sum": jnp.asarray(ones).sum(), "JAX's mean": jnp.asarray(ones).mean()}
    found = {name: float(value) for name, value in found.items()}
    print(f"4096 ones of {ones.dtype}: {found}")
    sums = stop or 4096
    assert found.pop("sum") == sums and found.pop("mean") == sums / 4096
    assert all(value == (1 if "mean" in name else 4096) for name, value in found.items())
END
echo "as described"
