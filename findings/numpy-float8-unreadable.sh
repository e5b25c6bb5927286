#!/usr/bin/env bash
# Guess:   numpy.save refuses the 8-bit floats of ml_dtypes, or writes all of them as raw bytes (V1), as it writes
#          bfloat16 as V2.
# Seen:    float8_e4m3fn becomes V1 and loads as raw bytes, but float8_e5m2 becomes '<f1', a type that numpy.load itself
#          refuses: the file is written without a word and NumPy can't read it again. The values are whole: they are
#          the bytes behind the header.
# Version: ml_dtypes 0.6.0, numpy 2.4.6
# Matters: a reader of .npy meets '<f1', which is in no specification. Save x.view(numpy.uint8).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'END'
import io

import ml_dtypes
import numpy as np


def saved(x):
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


values = np.array([0, 1, 2, 3])
for name, written in (("bfloat16", "<V2"), ("float8_e4m3fn", "<V1"), ("float8_e5m2", "<f1")):
    x = values.astype(getattr(ml_dtypes, name))
    data = saved(x)
    try:
        loaded = str(np.load(io.BytesIO(data)).dtype)
    except ValueError as error:
        loaded = f"ValueError: {error}"
    print(f"{name}: saved as {written}, loaded as {loaded}")
    assert f"'descr': '{written}'".encode() in data
    assert loaded.startswith("ValueError") == (name == "float8_e5m2")
    assert data.endswith(x.tobytes())
END
echo "as described"
