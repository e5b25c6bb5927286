#!/usr/bin/env bash
# Guess:   jax.grad of |x| at 0 is 0 (the sign), as PyTorch's and JAX's own older versions; of x ** 0.0 it is 0.
# Seen:    the derivative of |x| at 0 is 1, and that of x ** 0.0 at 0 is NaN, although the function is constant; with the
#          integer exponent 0 it is 0. relu has 0 at 0, maximum(x, 0) a half, clip a half at both bounds.
# Version: jax and jaxlib 0.10.2 on the CPU
# Matters: total variation with |x| pushes flat areas in JAX (every difference of 0 has slope 1) and leaves them alone
#          in PyTorch: pictures differ from the first step on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp


def slope(function, x=0.0):
    return float(jax.grad(function)(x))


found = {
    "|x|": slope(jnp.abs),
    "x ** 0.0": slope(lambda x: x**0.0),
    "x ** 0": slope(lambda x: x**0),
    "relu": slope(jax.nn.relu),
    "maximum(x, 0)": slope(lambda x: jnp.maximum(x, 0.0)),
    "clip at 0": slope(lambda x: jnp.clip(x, 0.0, 1.0)),
    "clip at 1": slope(lambda x: jnp.clip(x, 0.0, 1.0), 1.0),
}
print(f"jax {jax.__version__}:", found)
nan = found.pop("x ** 0.0")
assert nan != nan
assert list(found.values()) == [1, 0, 0, 0.5, 0.5, 0.5]
END
echo "as described"
