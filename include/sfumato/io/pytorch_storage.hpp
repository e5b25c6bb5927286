#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sfumato/io/stored_type.hpp"

namespace sfumato::io::detail {

/// A kind of PyTorch's elements: the class of storages of them, and what torch calls their type.
struct PytorchElement {
  std::string_view storage_class;
  std::string_view dtype;
  std::size_t bytes;
  std::optional<StoredType> type;  ///< nothing where they can only be passed over
};

inline constexpr std::array<PytorchElement, 18> kPytorchElements{
    {{"FloatStorage", "float32", 4, StoredType::kF32},
     {"DoubleStorage", "float64", 8, StoredType::kF64},
     {"HalfStorage", "float16", 2, StoredType::kF16},
     {"BFloat16Storage", "bfloat16", 2, StoredType::kBF16},
     {"LongStorage", "int64", 8, StoredType::kI64},
     {"IntStorage", "int32", 4, StoredType::kI32},
     {"ByteStorage", "uint8", 1, StoredType::kU8},
     {"BoolStorage", "bool", 1, std::nullopt},
     {"CharStorage", "int8", 1, std::nullopt},
     {"ShortStorage", "int16", 2, std::nullopt},
     {"ComplexFloatStorage", "complex64", 8, std::nullopt},
     {"ComplexDoubleStorage", "complex128", 16, std::nullopt},
     {"QInt8Storage", "qint8", 1, std::nullopt},
     {"QUInt8Storage", "quint8", 1, std::nullopt},
     {"QInt32Storage", "qint32", 4, std::nullopt},
     {"QUInt4x2Storage", "quint4x2", 1, std::nullopt},
     {"QUInt2x4Storage", "quint2x4", 1, std::nullopt},
     {"UntypedStorage", "", 1, std::nullopt}}};

/// The elements of a storage class by its name, such as "FloatStorage"; nothing for an unknown one.
inline std::optional<PytorchElement> pytorch_element(std::string_view storage_class) {
  const auto* const found = std::find_if(
      kPytorchElements.begin(), kPytorchElements.end(),
      [&](const PytorchElement& element) { return element.storage_class == storage_class; });
  return found == kPytorchElements.end() ? std::nullopt : std::optional(*found);
}

/// The elements of a type by torch's name for it, such as "float32"; nothing for an unknown one.
inline std::optional<PytorchElement> pytorch_element_of(std::string_view dtype) {
  const auto* const found =
      std::find_if(kPytorchElements.begin(), kPytorchElements.end(),
                   [&](const PytorchElement& element) { return element.dtype == dtype; });
  return found == kPytorchElements.end() ? std::nullopt : std::optional(*found);
}

/// A run of elements in a file that tensors are cut from.
struct PytorchStorage {
  std::string storage_class;
  std::uint64_t length = 0;    ///< in elements, checked against the file
  std::string zip_entry = {};  ///< where it is in the zip format
  std::optional<std::uint64_t> file_offset =
      {};  ///< where it is in the older format, if that is known
};

}  // namespace sfumato::io::detail
