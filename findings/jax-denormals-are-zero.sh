#!/usr/bin/env bash
# Guess:   XLA keeps IEEE 754's denormals on the CPU, as NumPy and PyTorch do unless asked otherwise.
# Seen:    every operation takes and gives zeros for them: 1e-40 prints as 1e-40 and yet equals 0; times 1 or plus 0
#          it becomes 0, and so does its square root, which would be 1e-20, a normal number.
# Version: jax and jaxlib 0.10.2 on the CPU
# Matters: second moments of Adam and variances of nearly constant channels live there: a step divided by epsilon
#          where others divide by the root.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax.numpy as jnp
import numpy as np

x = jnp.float32(1e-40)
found = {"x": float(x), "x == 0": bool(x == 0), "x * 1": float(x * 1), "sqrt": float(jnp.sqrt(x)),
         "matmul": float((jnp.full((4, 4), x) @ jnp.eye(4))[0, 0]), "NumPy's sqrt": float(np.sqrt(np.float32(1e-40)))}
print(found)
assert found["x"] > 0 and found["x == 0"]
assert found["x * 1"] == found["sqrt"] == found["matmul"] == 0
assert abs(found["NumPy's sqrt"] - 1e-20) < 1e-24
END
echo "as described"
