#!/usr/bin/env bash
# Guess:   one NaN pixel spoils the pixels that are interpolated from it, the neighbours.
# Seen:    jax.image.resize makes every pixel of the row NaN, however wide, and in two dimensions the whole picture:
#          it multiplies with a matrix of mostly zeros, and 0 · NaN is NaN. Infinity does nearly the same.
# Version: jax and jaxlib 0.10.2 on the CPU
# Matters: one bad pixel of a mask or flow wipes out a frame, and where it came from can't be seen any more.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp

for value in (jnp.nan, jnp.inf):
    picture = jnp.zeros((8, 8)).at[2, 3].set(value)
    for size in ((8, 16), (16, 16), (4, 4)):
        spoiled = int(jnp.isnan(jax.image.resize(picture, size, "linear")).sum())
        print(f"one {value} in 8 x 8, resized to {size[0]} x {size[1]}: {spoiled} of {size[0] * size[1]} are NaN")
        assert spoiled > size[0] * size[1] / 16
    assert spoiled == 16 if value != value else spoiled > 8
END
echo "as described"
