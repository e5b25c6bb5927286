"""NumPy, safetensors and PyTorch read what sfumato has written. Run by io_python_test.sh."""
import os
import tempfile

import numpy
import safetensors.torch
import torch

import sfumato_module as sfumato

types = {"f": "float32", "d": "float64", "h": "float16", "b": "bfloat16", "B": "uint8", "i": "int32", "l": "int64"}
with tempfile.TemporaryDirectory() as folder:
    for letter, name in types.items():
        for rows in (2, 0):
            sfumato.arange(letter, rows, 3)
            wanted = torch.arange(rows * 3).reshape(rows, 3).to(getattr(torch, name))

            def check(tensors):
                assert sorted(tensors) == ["a", "b"], tensors
                for key, value in (("a", wanted), ("b", wanted.reshape(-1))):
                    assert tensors[key].dtype == value.dtype and torch.equal(tensors[key], value), tensors

            path = os.path.join(folder, name)
            sfumato.write(path + ".pth")
            check(torch.load(path + ".pth", weights_only=True))
            check(torch.load(path + ".pth", weights_only=True, mmap=True))
            sfumato.write(path + ".safetensors")
            check(safetensors.torch.load_file(path + ".safetensors"))
            if letter != "b":
                sfumato.write(path + ".npy")
                array = numpy.load(path + ".npy", allow_pickle=False)
                assert array.dtype == name and numpy.array_equal(array, wanted.numpy()), array
print("NumPy, safetensors and PyTorch have read all files")
