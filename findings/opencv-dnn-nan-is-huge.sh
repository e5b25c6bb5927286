#!/usr/bin/env bash
# Guess:   a pixel that is NaN makes the results of a convolution that see it NaN.
# Seen:    they become 3.4e38, the largest float, as infinity does, while minus infinity stays: results are cut off
#          above, and NaN with them. With the engine of OpenCV 4 (ENGINE_CLASSIC) both are NaN, though in 36 places
#          where 9 see the pixel: that one convolves in tiles.
# Version: opencv-python-headless 5.0.0.93, onnx 1.23.2
# Matters: features with one bad pixel look like strong features, and losses of them like numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --no-cache-dir --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 onnx==1.23.2 numpy==2.4.6
venv/bin/python - <<'END'
import cv2
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

shape = [1, 64, 32, 32]
filters = np.full((64, 64, 3, 3), 0.01, np.float32)
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], "one convolution",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], [numpy_helper.from_array(filters, "w")])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "one.onnx")

x = np.ones(shape, np.float32)
for engine, name in (cv2.dnn.ENGINE_NEW, "new"), (cv2.dnn.ENGINE_CLASSIC, "classic"):
    for bad in np.nan, np.inf, -np.inf:
        x[0, 3, 16, 16] = bad
        network = cv2.dnn.readNetFromONNX("one.onnx", engine)
        network.setInput(x)
        y = network.forward()[0, 0]
        print(f"{name}, {bad}: the result there is {y[16, 16]}, of {np.isnan(y).sum()} NaN")
        if name == "new":
            assert (y[15:18, 15:18] == (-np.inf if bad == -np.inf else np.finfo(np.float32).max)).all()
        else:
            assert np.isnan(y).sum() == 36
END
echo "as described"
