#!/usr/bin/env bash
# Guess:   the activations of ONNX Runtime are right to some units in the last place of a float, as PyTorch's are.
# Seen:    Sigmoid is right absolutely, not relatively: of -15 it is 17 % too large and from -18 on it is 0, where a
#          float has 1.5e-8, and 8.8e-27 for -60. Elu, Selu and Celu lose their digits near 0, as they take 1 from a
#          rounded exponential: of -1e-6 they are 1.3 % off, of -1e-10 they are 0. Tanh, Exp, Softplus, Mish are right.
# Version: onnxruntime 1.32.0 (CPU), onnx 1.23.2, numpy 2.4.6
# Matters: a detector's rare classes and the logarithm of a probability: -log(Sigmoid(-18)) is infinite. And a network
#          behaves otherwise than where it was trained.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'END'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def run(op, x):
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "one_op",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0].astype(float)


def off(op, x, right):
    x = np.array(x, np.float32)
    found, right = run(op, x), right(x.astype(float))
    for case in zip(x, found, right):
        print("{}({:g}) is {:.6g}, not {:.6g}".format(op, *case))
    return np.abs(found / right - 1)


sigmoid = off("Sigmoid", [-5, -15, -18, -60], lambda x: 1 / (1 + np.exp(-x)))
assert sigmoid[0] < 1e-4 and 0.15 < sigmoid[1] < 0.2 and (sigmoid[2:] == 1).all()
for op, scale in (("Elu", 1), ("Celu", 1), ("Selu", 1.0507009873554805 * 1.6732632423543772)):
    elu = off(op, [-1, -1e-6, -1e-10], lambda x: scale * np.expm1(x))
    assert elu[0] < 1e-6 and 0.01 < elu[1] < 0.02 and elu[2] == 1
for op, right in (("Tanh", np.tanh), ("Exp", np.exp), ("Softplus", lambda x: np.logaddexp(0, x)),
                  ("Mish", lambda x: x * np.tanh(np.logaddexp(0, x)))):
    assert (off(op, [-60, -15, -1, -1e-6], right) < 2e-6).all()
END
echo "as described"
