#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "sfumato/core/tensor.hpp"

/// DLPack, by which programs in one process hand arrays to one another without a copy, as NumPy and
/// PyTorch do: https://dmlc.github.io/dlpack/latest/c_api.html, version 1.0. The structs have the
/// layout and the names of its C header, whose pointers are cast to these by reinterpret_cast.
namespace sfumato::io {

/// Of the interface; another major number is another layout.
struct DLPackVersion {
  std::uint32_t major;
  std::uint32_t minor;
};

/// Where the numbers are.
struct DLDevice {
  std::int32_t device_type;  ///< 1 is the processor
  std::int32_t device_id;
};

/// What the numbers are: a kind, the bits of one, and how many stand together (1).
struct DLDataType {
  std::uint8_t code;  ///< 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool
  std::uint8_t bits;
  std::uint16_t lanes;
};

/// An array: its first element is byte_offset bytes behind data.
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements; null for row-major
  std::uint64_t byte_offset;
};

/// An array whose memory its maker keeps until deleter is called.
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  std::uint64_t flags;  ///< bit 0: read-only
  DLTensor dl_tensor;
};

namespace detail {

inline constexpr std::uint32_t kDlpackMajor = 1;
inline constexpr std::int32_t kDlpackCpu = 1;
inline constexpr std::uint64_t kDlpackReadOnly = 1;
inline constexpr std::uint8_t kDlpackBool = 6;

template <Element T>
constexpr DLDataType dlpack_type() {
  std::uint8_t code = 0;
  if constexpr (std::same_as<T, std::uint8_t>) code = 1;
  if constexpr (Real<T>) code = 2;
  if constexpr (std::same_as<T, BFloat16>) code = 4;
  return {code, 8 * sizeof(T), 1};
}

/// A tensor that was handed out, with what its description points to.
template <Element T, class Device>
struct DlpackExport {
  Tensor<T, Device> tensor;
  std::array<std::int64_t, kMaxRank> shape{};
  Strides strides{};
  DLManagedTensorVersioned managed{};
};

struct ReleaseDlpack {
  void operator()(DLManagedTensorVersioned* managed) const {
    if (managed->deleter != nullptr) managed->deleter(managed);
  }
};
using OwnedDlpack = std::unique_ptr<DLManagedTensorVersioned, ReleaseDlpack>;

/// A block of memory that goes back to whoever handed it in.
struct DlpackBlock : sfumato::detail::Block {
  OwnedDlpack owner;
};

/// Throws ValueError for what is not an array of T on the processor.
template <Element T>
void check_dlpack(const DLManagedTensorVersioned& managed) {
  const auto refuse = [](const auto&... parts) {
    throw ValueError(message("from_dlpack: ", parts...));
  };
  if (managed.version.major != kDlpackMajor) {
    refuse("version ", managed.version.major, ".", managed.version.minor,
           " of DLPack has another layout than version ", kDlpackMajor, ", which is understood");
  }
  const DLTensor& array = managed.dl_tensor;
  if (array.device.device_type != kDlpackCpu) {
    refuse("the array is on a device of DLPack's type ", array.device.device_type,
           "; copy it to the processor's memory first");
  }
  constexpr DLDataType kWanted = dlpack_type<T>();
  const DLDataType type = array.dtype;
  const bool same =
      type.code == kWanted.code || (type.code == kDlpackBool && std::same_as<T, std::uint8_t>);
  if (!same || type.bits != kWanted.bits || type.lanes != 1) {
    refuse("the elements are of DLPack's type ", int{type.code}, " with ", int{type.bits},
           " bits and ", type.lanes, " lanes, but ", int{kWanted.code}, " with ", int{kWanted.bits},
           " bits and 1 lane is asked for");
  }
  if (array.ndim < 0 || (array.ndim > 0 && array.shape == nullptr)) {
    refuse("the array has ", array.ndim, " dimensions and ",
           array.shape == nullptr ? "no shape" : "a shape");
  }
}

/// The elements one by one, wherever they are, in rows.
template <Element T>
Tensor<T> copy_dlpack(const std::byte* first, const Shape& shape, const Strides& strides) {
  auto copy = Tensor<T>::empty(shape);
  T* next = copy.data();
  std::array<std::int64_t, kMaxRank> index{};
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    std::int64_t place = 0;
    for (std::size_t axis = 0; axis < kMaxRank; ++axis) place += index[axis] * strides[axis];
    std::memcpy(next++, first + place * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    for (int axis = shape.rank(); axis-- > 0;) {
      std::int64_t& along = index[static_cast<std::size_t>(axis)];
      if (++along < shape[axis]) break;
      along = 0;
    }
  }
  return copy;
}

template <Element T, HostAccessible Device>
DLManagedTensorVersioned* export_dlpack(const Tensor<T, Device>& tensor, const T* data,
                                        std::uint64_t flags) {
  if (!tensor.defined()) throw ValueError("to_dlpack: the tensor is undefined");
  using Export = DlpackExport<T, Device>;
  auto handed_out = std::make_unique<Export>();
  handed_out->tensor = tensor;
  std::copy(tensor.shape().begin(), tensor.shape().end(), handed_out->shape.begin());
  handed_out->strides = row_major_strides(tensor.shape());
  DLManagedTensorVersioned& managed = handed_out->managed;
  managed.version = {kDlpackMajor, 0};
  managed.deleter = [](DLManagedTensorVersioned* self) {
    delete static_cast<Export*>(self->manager_ctx);
  };
  managed.flags = flags;
  managed.dl_tensor = {const_cast<T*>(data),
                       {kDlpackCpu, 0},
                       tensor.rank(),
                       dlpack_type<T>(),
                       handed_out->shape.data(),
                       handed_out->strides.data(),
                       0};
  managed.manager_ctx = handed_out.get();
  return &handed_out.release()->managed;
}

}  // namespace detail

/// A tensor on the CPU for another library, without a copy. Its memory is kept until `deleter` is
/// called, as the one who takes it must. What is written there is written to the tensor, unnoticed
/// by version() later on; a const tensor is marked as read-only. Throws ValueError for an undefined
/// one.
template <Element T, HostAccessible Device>
DLManagedTensorVersioned* to_dlpack(Tensor<T, Device>& tensor) {
  return detail::export_dlpack(tensor, tensor.data(), 0);
}
template <Element T, HostAccessible Device>
DLManagedTensorVersioned* to_dlpack(const Tensor<T, Device>& tensor) {
  return detail::export_dlpack(tensor, tensor.data(), detail::kDlpackReadOnly);
}

/// A tensor of what another library has handed out, which is released when the last tensor with
/// this memory goes; at once where it is copied, and before an error is thrown. It is copied if it
/// is read-only, as tensors can be written to, if it isn't dense and row-major, or if its address
/// is no multiple of an element's size. bool is read as uint8_t. Throws ValueError for null,
/// another version of the layout, element type or device, and ShapeError for more than kMaxRank
/// dimensions.
template <Element T>
Tensor<T> from_dlpack(DLManagedTensorVersioned* managed) {
  if (managed == nullptr) throw ValueError("from_dlpack: there is no array");
  detail::OwnedDlpack owner(managed);
  detail::check_dlpack<T>(*managed);
  const DLTensor& array = managed->dl_tensor;
  const Shape shape(
      std::span<const std::int64_t>(array.shape, static_cast<std::size_t>(array.ndim)));
  if (shape.numel() == 0) return Tensor<T>::empty(shape);
  if (array.data == nullptr) {
    throw ValueError(message("from_dlpack: an array of the shape ", shape, " without memory"));
  }
  const Strides dense = row_major_strides(shape);
  Strides strides = dense;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    // How far it is to an element that isn't there says nothing.
    const auto i = static_cast<std::size_t>(axis);
    if (array.strides != nullptr && shape[axis] > 1) strides[i] = array.strides[i];
  }
  std::byte* const first = static_cast<std::byte*>(array.data) + array.byte_offset;
  const bool read_only = (managed->flags & detail::kDlpackReadOnly) != 0;
  const bool aligned = reinterpret_cast<std::uintptr_t>(first) % alignof(T) == 0;
  if (read_only || !aligned || strides != dense) {
    return detail::copy_dlpack<T>(first, shape, strides);
  }
  auto block = std::make_unique<detail::DlpackBlock>();
  block->memory = first;
  block->size = static_cast<std::size_t>(shape.numel()) * sizeof(T);
  block->foreign = true;
  block->put_back = [](sfumato::detail::Block& returned) noexcept {
    delete static_cast<detail::DlpackBlock*>(&returned);
  };
  block->owner = std::move(owner);
  return Tensor<T>::adopt(Storage(*block.release()), shape);
}

}  // namespace sfumato::io
