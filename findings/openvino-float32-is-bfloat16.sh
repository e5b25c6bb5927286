#!/usr/bin/env bash
# Guess:   a model of float32 is computed in float32; OpenVINO says "f32" for its input and its output.
# Seen:    on a processor with instructions for bfloat16 it is computed in bfloat16 unless INFERENCE_PRECISION_HINT asks
#          for f32. Where numbers share a large mean, as brightness does in a photograph, little is left: a convolution
#          whose results have a spread of 1 around what 100 makes of it is off by 0.2, where f32 is off by 0.00004.
# Version: openvino 2026.4.1, onnx 1.23.2
# Matters: the same script gives other features on the newer machine of two, and losses that differ in their second digit.
set -euo pipefail
grep -q avx512_bf16 /proc/cpuinfo || { echo "SKIP: no instructions for bfloat16"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --no-cache-dir --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6
venv/bin/python - <<'END'
import numpy as np
import openvino
from onnx import TensorProto, helper, numpy_helper, save

random = np.random.default_rng(1)
size = 32
filters = (random.standard_normal((64, 64, 3, 3)) / 24).astype(np.float32)
names = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64, size, size]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], "one convolution",
                          names[:1], names[1:], [numpy_helper.from_array(filters, "w")])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "one.onnx")

noise = random.standard_normal((1, 64, size, size)).astype(np.float32)
for mean in 0, 100:
    x = noise + np.float32(mean)
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    exact = sum(np.einsum("oc,nchw->nohw", filters[:, :, i, j], padded[:, :, i:i + size, j:j + size])
                for i in range(3) for j in range(3))
    for hint in {}, {"INFERENCE_PRECISION_HINT": "f32"}:
        model = openvino.Core().compile_model("one.onnx", "CPU", hint)
        error = np.sqrt(np.square(model(x)[0] - exact).mean())
        print(f"mean {mean}, {model.get_property('INFERENCE_PRECISION_HINT')}, output {model.output(0).element_type}: {error:.2g}")
        assert error < 1e-4 if hint else error > (0.1 if mean else 1e-3)
END
echo "as described"
