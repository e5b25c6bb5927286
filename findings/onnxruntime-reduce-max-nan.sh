#!/usr/bin/env bash
# Guess:   the maximum of 0 … 15, one of them replaced by NaN, is NaN (as NumPy's and PyTorch's), or 15 where NaN is
#          passed over.
# Seen:    ONNX Runtime's ReduceMax gives NaN when it stands first, 15 in most places, and 14 where it stands at 1, 3
#          or 7: what was found before it is dropped along with it. MaxPool passes NaN over, unless the whole window
#          is NaN. Relu keeps NaN.
# Version: onnxruntime 1.32.0 (CPU), onnx 1.23.2, numpy 2.4.6
# Matters: a network that diverged gives a finite, wrong score after a global maximum, and which one depends on where
#          the NaN was. Look for NaN before reducing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'END'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def run(op, x, **attributes):
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], **attributes)], "one_op",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def with_nan(place):
    x = np.arange(16, dtype=np.float32)
    x[place] = np.nan
    return x


found = [float(run("ReduceMax", with_nan(place), keepdims=0)) for place in range(16)]
print("ReduceMax of 0 … 15 with NaN at 0, 1, …:", found)
assert np.isnan(found[0])
assert found[1] == found[3] == found[7] == 14 and found[2] == found[8] == 15
pooled = run("MaxPool", with_nan(1).reshape(1, 1, 4, 4), kernel_shape=[2, 2], strides=[2, 2])
print("MaxPool:", pooled.ravel())
assert pooled.ravel().tolist() == [5, 7, 13, 15]
assert np.isnan(run("Relu", with_nan(1))[1])
END
echo "as described"
