// A module for Python that hands tensors to NumPy and PyTorch and takes theirs, as a binding of
// sfumato has to, and writes files for them. io_python_test.sh imports it.
#define Py_LIMITED_API 0x03080000
#include <Python.h>

#include <concepts>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/dlpack.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/io/pytorch_writer.hpp"
#include "sfumato/io/safetensors.hpp"

namespace {

using namespace sfumato;
using io::DLManagedTensorVersioned;

/// The names that the protocol of Python's arrays has for a capsule, and for one that was taken.
constexpr const char* kCapsule = "dltensor_versioned";
constexpr const char* kUsed = "used_dltensor_versioned";

template <class... T>
using OneOf = std::variant<Tensor<T>...>;
using AnyTensor = OneOf<float, double, Half, BFloat16, std::uint8_t, std::int32_t, std::int64_t>;

AnyTensor kept;  // the tensor that Python talks about

/// Calls a function and makes a Python error of an exception.
template <class Function>
PyObject* guarded(const Function& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
    return nullptr;
  }
}

/// Sets `kept` to what make(T{}) returns for the type that Python gave a letter.
template <class Make>
bool keep_as(char type, const Make& make) {
  switch (type) {
    case 'f':
      kept = make(float{});
      return true;
    case 'd':
      kept = make(double{});
      return true;
    case 'h':
      kept = make(Half(0.0F));
      return true;
    case 'b':
      kept = make(BFloat16(0.0F));
      return true;
    case 'B':
      kept = make(std::uint8_t{});
      return true;
    case 'i':
      kept = make(std::int32_t{});
      return true;
    case 'l':
      kept = make(std::int64_t{});
      return true;
    default:
      PyErr_SetString(PyExc_TypeError, "no such type");
      return false;
  }
}

/// arange(type, rows, columns): keeps 0, 1, … as a matrix.
PyObject* arange(PyObject* /*self*/, PyObject* arguments) {
  const char* type = nullptr;
  long long rows = 0;
  long long columns = 0;
  if (!PyArg_ParseTuple(arguments, "sLL", &type, &rows, &columns)) return nullptr;
  return guarded([&]() -> PyObject* {
    const auto make = [&]<class T>(T) {
      const auto all = Tensor<std::int64_t>::arange(rows * columns).cast<T>();
      return all.reshape({rows, columns}).clone();
    };
    if (!keep_as(*type, make)) return nullptr;
    Py_RETURN_NONE;
  });
}

/// give(read_only): a capsule of the tensor that is kept.
PyObject* give(PyObject* /*self*/, PyObject* arguments) {
  int read_only = 0;
  if (!PyArg_ParseTuple(arguments, "p", &read_only)) return nullptr;
  return guarded([&] {
    DLManagedTensorVersioned* const managed = std::visit(
        [&](auto& tensor) {
          return read_only != 0 ? io::to_dlpack(std::as_const(tensor)) : io::to_dlpack(tensor);
        },
        kept);
    // Whoever takes what is in a capsule renames it; else it is released with the capsule.
    return PyCapsule_New(managed, kCapsule, [](PyObject* capsule) {
      if (PyCapsule_IsValid(capsule, kCapsule) == 0) return;
      auto* const unused =
          static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, kCapsule));
      unused->deleter(unused);
    });
  });
}

/// take(type, capsule): keeps what is in it.
PyObject* take(PyObject* /*self*/, PyObject* arguments) {
  const char* type = nullptr;
  PyObject* capsule = nullptr;
  if (!PyArg_ParseTuple(arguments, "sO", &type, &capsule)) return nullptr;
  void* const managed = PyCapsule_GetPointer(capsule, kCapsule);
  if (managed == nullptr || PyCapsule_SetName(capsule, kUsed) != 0) return nullptr;
  return guarded([&]() -> PyObject* {
    const auto make = [&]<class T>(T) {
      return io::from_dlpack<T>(static_cast<DLManagedTensorVersioned*>(managed));
    };
    if (!keep_as(*type, make)) return nullptr;
    Py_RETURN_NONE;
  });
}

/// values(): those of the kept tensor, as a list of floats.
PyObject* values(PyObject* /*self*/, PyObject* /*arguments*/) {
  PyObject* const list = PyList_New(0);
  std::visit(
      [&](const auto& tensor) {
        for (const auto value : tensor.to_vector()) {
          PyObject* const number = PyFloat_FromDouble(static_cast<double>(value));
          PyList_Append(list, number);
          Py_DECREF(number);
        }
      },
      kept);
  return list;
}

/// address(): where the kept tensor is.
PyObject* address(PyObject* /*self*/, PyObject* /*arguments*/) {
  return std::visit(
      [](const auto& tensor) {
        return PyLong_FromVoidPtr(
            const_cast<void*>(static_cast<const void*>(std::as_const(tensor).data())));
      },
      kept);
}

/// fill(number): sets all values of the kept tensor.
PyObject* fill(PyObject* /*self*/, PyObject* arguments) {
  double number = 0;
  if (!PyArg_ParseTuple(arguments, "d", &number)) return nullptr;
  std::visit(
      [&]<class T>(Tensor<T>& tensor) {
        for (T& value : tensor.span()) value = static_cast<T>(number);
      },
      kept);
  Py_RETURN_NONE;
}

/// write(path): the kept tensor as .npy, .safetensors or .pth, in the latter two as "a" and, as a
/// row, "b".
PyObject* write(PyObject* /*self*/, PyObject* arguments) {
  const char* name = nullptr;
  if (!PyArg_ParseTuple(arguments, "s", &name)) return nullptr;
  return guarded([&]() -> PyObject* {
    const std::filesystem::path path(name);
    std::visit(
        [&]<class T>(const Tensor<T>& tensor) {
          const std::map<std::string, Tensor<T>> tensors{{"a", tensor},
                                                         {"b", tensor.reshape({-1})}};
          if (path.extension() == ".pth") io::write_pytorch(path, tensors);
          if (path.extension() == ".safetensors") io::write_safetensors(path, tensors);
          if constexpr (!std::same_as<T, BFloat16>) {
            if (path.extension() == ".npy") io::write_npy(path, tensor);
          }
        },
        kept);
    Py_RETURN_NONE;
  });
}

/// drop(): keeps nothing.
PyObject* drop(PyObject* /*self*/, PyObject* /*arguments*/) {
  kept = Tensor<float>();
  Py_RETURN_NONE;
}

/// in_use(): how many bytes tensors have of the pool.
PyObject* in_use(PyObject* /*self*/, PyObject* /*arguments*/) {
  return PyLong_FromSize_t(Pool<Cpu>::shared().statistics().bytes_in_use);
}

PyMethodDef methods[] = {
    {"arange", arange, METH_VARARGS, nullptr},  {"give", give, METH_VARARGS, nullptr},
    {"take", take, METH_VARARGS, nullptr},      {"values", values, METH_NOARGS, nullptr},
    {"address", address, METH_NOARGS, nullptr}, {"fill", fill, METH_VARARGS, nullptr},
    {"write", write, METH_VARARGS, nullptr},    {"drop", drop, METH_NOARGS, nullptr},
    {"in_use", in_use, METH_NOARGS, nullptr},   {nullptr, nullptr, 0, nullptr}};
PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "sfumato_module",
                      nullptr,
                      -1,
                      methods,
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_sfumato_module() {
  return PyModule_Create(&module);
}
