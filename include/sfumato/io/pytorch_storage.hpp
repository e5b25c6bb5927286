#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sfumato/io/stored_type.hpp"

namespace sfumato::io::detail {

/// What the elements of one of PyTorch's storage classes are.
struct PytorchElement {
  std::size_t bytes;
  std::optional<StoredType> type;  ///< nothing where they can only be skipped
};

/// The elements of a storage class by its name, such as "FloatStorage"; nothing for an unknown one.
inline std::optional<PytorchElement> pytorch_element(const std::string& storage_class) {
  static const std::map<std::string, PytorchElement> known{
      {"FloatStorage", {4, StoredType::kF32}},    {"DoubleStorage", {8, StoredType::kF64}},
      {"HalfStorage", {2, StoredType::kF16}},     {"BFloat16Storage", {2, StoredType::kBF16}},
      {"LongStorage", {8, StoredType::kI64}},     {"IntStorage", {4, StoredType::kI32}},
      {"ByteStorage", {1, StoredType::kU8}},      {"BoolStorage", {1, std::nullopt}},
      {"CharStorage", {1, std::nullopt}},         {"ShortStorage", {2, std::nullopt}},
      {"ComplexFloatStorage", {8, std::nullopt}}, {"ComplexDoubleStorage", {16, std::nullopt}}};
  const auto found = known.find(storage_class);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

/// A run of elements in a file that tensors are cut from.
struct PytorchStorage {
  std::string storage_class;
  std::uint64_t length = 0;       ///< in elements, checked against the file
  std::string zip_entry = {};     ///< where it is in the zip format
  std::uint64_t file_offset = 0;  ///< where it is in the older format
};

}  // namespace sfumato::io::detail
