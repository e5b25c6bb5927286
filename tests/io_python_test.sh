#!/usr/bin/env bash
# Arrays go between sfumato and NumPy and PyTorch without a copy, and they read the files that it writes; by way
# of a small module for Python. SFUMATO_PYTHON names a Python that has them.
set -euo pipefail
python=${SFUMATO_PYTHON:-python3}
module=$SFUMATO_BUILD_DIR/python
ls "$module"/sfumato_module*.so >/dev/null 2>&1 ||
  { echo "SKIPPED: the module was not built, for want of Python's headers or because of a sanitizer"; exit 77; }
"$python" -c 'import numpy, safetensors, torch' ||
  { echo "SKIPPED: pip install numpy safetensors torch, or set SFUMATO_PYTHON to a Python that has them"; exit 77; }
for check in dlpack files; do
  PYTHONPATH=$module${PYTHONPATH:+:$PYTHONPATH} "$python" "$SFUMATO_SOURCE_DIR/tests/python/${check}_check.py"
done
