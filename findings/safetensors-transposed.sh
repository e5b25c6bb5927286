#!/usr/bin/env bash
# Guess:   safetensors.numpy.save_file writes the values that the array shows, whatever its strides, or refuses.
# Seen:    0.8.0 writes a transposed array in the order of its memory, under the transposed shape, without a word:
#          who loads the file gets other values at other places. 0.7.0 wrote the right values.
# Version: safetensors 0.8.0 against 0.7.0, numpy 2.4.6
# Matters: convolution filters are often transposed (HWIO to OIHW) before they are saved; shapes stay plausible, and
#          the network computes nonsense. Save numpy.ascontiguousarray(x).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 0.7.0 0.8.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 safetensors==$version
  "$folder/$version/bin/python" - "$folder/file" $version <<'END'
import sys
import numpy as np
from safetensors.numpy import load_file, save_file

path, version = sys.argv[1:]
x = np.arange(6, dtype=np.float32).reshape(2, 3).T
save_file({"plain": np.ascontiguousarray(x), "transposed": x}, path)
loaded = load_file(path)
print(f"safetensors {version}: saved {x.tolist()}, loaded {loaded['transposed'].tolist()}")
assert np.array_equal(loaded["plain"], x)
assert loaded["transposed"].shape == x.shape
assert np.array_equal(loaded["transposed"], x) == (version == "0.7.0")
if version == "0.8.0":
    assert loaded["transposed"].tolist() == [[0, 1], [2, 3], [4, 5]]
END
done
echo "as described"
