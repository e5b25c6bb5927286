"""Arrays go to and fro between sfumato and NumPy and PyTorch, in place. Run by io_python_test.sh."""
import gc
import sys

import numpy
import torch

import sfumato_module as sfumato


class Given:
    """What sfumato keeps, as the protocol of arrays wants it."""

    def __init__(self, read_only=False):
        self.read_only = read_only

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        assert max_version is not None and max_version[0] >= 1, max_version
        return sfumato.give(self.read_only)

    def __dlpack_device__(self):
        return 1, 0


def take(letter, array):
    sfumato.take(letter, array.__dlpack__(max_version=(1, 0)))


def released(array_of):
    """That all memory is back when nobody has the array any more."""
    before = sfumato.in_use()
    sfumato.arange("f", 100, 100)
    array = array_of(Given())
    sfumato.drop()
    assert sfumato.in_use() > before
    del array
    gc.collect()
    assert sfumato.in_use() == before


numpy_types = {"f": "float32", "d": "float64", "h": "float16", "B": "uint8", "i": "int32", "l": "int64"}
for letter, name in numpy_types.items():
    sfumato.arange(letter, 2, 3)
    array = numpy.from_dlpack(Given())
    assert array.dtype == name and array.tolist() == [[0, 1, 2], [3, 4, 5]], array
    assert array.ctypes.data == sfumato.address() and array.flags.writeable
    array[1, 2] = 7
    assert sfumato.values() == [0, 1, 2, 3, 4, 7]

    own = numpy.arange(6, dtype=name).reshape(2, 3)
    take(letter, own)
    assert sfumato.address() == own.ctypes.data
    own[0, 1] = 9
    assert sfumato.values() == [0, 9, 2, 3, 4, 5]
    sfumato.fill(1)
    assert own.tolist() == [[1, 1, 1], [1, 1, 1]]

    take(letter, numpy.arange(6, dtype=name).reshape(2, 3).T)
    assert sfumato.values() == [0, 3, 1, 4, 2, 5]
    take(letter, numpy.arange(6, dtype=name)[::-2])
    assert sfumato.values() == [5, 3, 1]

    # Nobody writes to what is read-only.
    own = numpy.arange(3, dtype=name)
    own.flags.writeable = False
    take(letter, own)
    assert sfumato.address() != own.ctypes.data
    sfumato.fill(5)
    assert own.tolist() == [0, 1, 2]
    array = numpy.from_dlpack(Given(read_only=True))
    assert array.tolist() == [5, 5, 5] and not array.flags.writeable
released(numpy.from_dlpack)
take("B", numpy.array([True, False]))
assert sfumato.values() == [1, 0]

torch_types = {letter: getattr(torch, name) for letter, name in numpy_types.items()} | {"b": torch.bfloat16}
for letter, dtype in torch_types.items():
    sfumato.arange(letter, 2, 3)
    tensor = torch.from_dlpack(Given())
    assert tensor.dtype == dtype and tensor.tolist() == [[0, 1, 2], [3, 4, 5]], tensor
    assert tensor.data_ptr() == sfumato.address()
    tensor[1, 2] = 7
    assert sfumato.values() == [0, 1, 2, 3, 4, 7]

    own = torch.arange(6).to(dtype).reshape(2, 3)
    take(letter, own)
    assert sfumato.address() == own.data_ptr()
    sfumato.fill(1)
    assert own.tolist() == [[1, 1, 1], [1, 1, 1]]
    take(letter, torch.arange(6).to(dtype).reshape(2, 3).T)
    assert sfumato.values() == [0, 3, 1, 4, 2, 5]
    take(letter, torch.arange(6).to(dtype)[2:5])
    assert sfumato.values() == [2, 3, 4]
released(torch.from_dlpack)

for letter, array in (("d", numpy.zeros(2, "float32")), ("f", numpy.zeros(2, "complex64"))):
    try:
        take(letter, array)
    except ValueError as error:
        assert str(error).startswith("from_dlpack: the elements are of DLPack's type"), error
    else:
        sys.exit("an array of another type was taken")
print(f"NumPy {numpy.__version__} and PyTorch {torch.__version__}: all arrays went to and fro in place")
