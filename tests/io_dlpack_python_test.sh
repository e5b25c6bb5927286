#!/usr/bin/env bash
# Arrays go between sfumato and NumPy and PyTorch without a copy, by way of a small module for Python.
# SFUMATO_PYTHON names a Python that has both.
set -euo pipefail
python=${SFUMATO_PYTHON:-python3}
module=$SFUMATO_BUILD_DIR/python
ls "$module"/dlpack_module*.so >/dev/null 2>&1 || { echo "SKIPPED: without Python's headers the module was not built"; exit 77; }
command -v "$python" >/dev/null || { echo "SKIPPED: there is no $python"; exit 77; }
"$python" -c 'import numpy, torch' 2>/dev/null ||
  { echo "SKIPPED: $python lacks numpy or torch; pip install numpy torch, or set SFUMATO_PYTHON"; exit 77; }
PYTHONPATH=$module "$python" "$SFUMATO_SOURCE_DIR/tests/python/dlpack_check.py"
