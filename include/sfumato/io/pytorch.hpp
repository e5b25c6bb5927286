#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/io/file_reader.hpp"
#include "sfumato/io/pickle.hpp"
#include "sfumato/io/pytorch_names.hpp"
#include "sfumato/io/pytorch_storage.hpp"
#include "sfumato/io/pytorch_tensor.hpp"
#include "sfumato/io/stored_type.hpp"
#include "sfumato/io/zip.hpp"

namespace sfumato::io {

/// The tensors of a state dictionary saved by torch.save(), in the zip format (since PyTorch 1.6)
/// or the older one, wherever in the file the dictionary is; see detail::choose_names(). Nothing in
/// the file is executed, and only what is asked for is read: what else is there may be of any kind.
class PytorchFile {
 public:
  /// Throws IoError when the file is neither, is damaged, or holds no named tensors.
  explicit PytorchFile(const std::filesystem::path& path) : file_(path) {
    std::array<char, 2> start{};
    file_.read_at(0, start.data(), std::min<std::uint64_t>(start.size(), file_.size()));
    if (start[0] == 'P' && start[1] == 'K') {
      open_zip(path);
    } else {
      open_legacy();
    }
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : names_.tensors) all.push_back(name);
    return all;
  }
  /// Lists the state dictionaries where the file has several and none is the one that is meant;
  /// empty otherwise.
  const std::string& choice() const { return names_.choice; }

  /// Throws IoError for a name that the file does not have.
  const Shape& shape(const std::string& name) const { return find(name).shape; }

  /// One tensor. Floating-point types are converted, and whole numbers that T holds exactly; whole
  /// numbers must be asked for as they are stored.
  /// Throws IoError for an unknown name, another type, a number that is too large for T, or values
  /// outside the file.
  template <Element T>
  Tensor<T> read(const std::string& name) const {
    const detail::PytorchTensor& tensor = find(name);
    const auto bad = [&](const std::string& what) {
      fail(message("tensor '", excerpt(name), "' ", what));
    };
    const Storage& storage = storages_.at(tensor.storage);
    const auto stored_as = detail::pytorch_element(storage.storage_class);
    const auto element =
        tensor.dtype.empty() ? stored_as : detail::pytorch_element_of(tensor.dtype);
    const std::string type = tensor.dtype.empty() ? storage.storage_class : tensor.dtype;
    if (!element || !element->type || !stored_as) {
      bad(message("is a ", excerpt(type), ", which is not supported"));
    }
    const std::size_t width = element->bytes;
    const std::uint64_t available = storage.length * stored_as->bytes / width;
    const std::uint64_t span = span_of(tensor);
    const std::uint64_t first = tensor.offset;
    if (first > available || span > available - first) {
      bad(message("needs elements ", first, " to ", first + span, " of a storage of ", available));
    }
    const auto elements = static_cast<std::uint64_t>(tensor.shape.numel());
    if (elements > std::max(span, kMostRepeated)) {
      bad(message("repeats its elements to ", elements, ", more than ", kMostRepeated,
                  "; save a contiguous copy"));
    }
    const std::vector<std::uint8_t> bytes =
        gather(tensor, read_storage(storage, first * width, span * width), width);
    std::vector<T> values(static_cast<std::size_t>(elements));
    if (!detail::decode_values(*element->type, bytes.data(), values, bad)) {
      bad(message("is a ", type, ", which can't be read as ",
                  detail::info(detail::natural_type<T>()).name));
    }
    if (tensor.negated) {
      for (T& value : values) value = static_cast<T>(-value);
    }
    return Tensor<T>::from(values, tensor.shape);
  }

 private:
  using Storage = detail::PytorchStorage;
  using Value = detail::PickleValue;
  static constexpr std::uint64_t kMostPickle = 16 << 20;
  static constexpr std::uint64_t kMostRepeated = 16 << 20;  ///< by a stride of 0

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(file_.name(), ": ", what));
  }

  const detail::PytorchTensor& find(const std::string& name) const {
    const auto found = names_.tensors.find(name);
    if (found == names_.tensors.end()) {
      const std::string choice =
          names_.choice.empty()
              ? ""
              : message(", but a choice of dictionaries: ", names_.choice,
                        "; put the dictionary's name before it, as in '", "ema.weight'");
      fail(message("there is no tensor '", excerpt(name), "'", choice));
    }
    if (!found->second.unsupported.empty()) {
      fail(message("tensor '", excerpt(name), "'", found->second.unsupported));
    }
    return found->second;
  }

  /// How many elements lie from the first to the last of a tensor.
  std::uint64_t span_of(const detail::PytorchTensor& tensor) const {
    if (tensor.shape.numel() == 0) return 0;
    std::uint64_t span = 1;
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
      constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
      const auto steps = static_cast<std::uint64_t>(tensor.shape[axis] - 1);
      const auto stride =
          static_cast<std::uint64_t>(tensor.strides[static_cast<std::size_t>(axis)]);
      if (steps > 0 && stride > (kMost - span) / steps) fail("a tensor has absurd strides");
      span += steps * stride;
    }
    return span;
  }

  /// Brings the elements, of `width` bytes each, into rows, as they lie here.
  static std::vector<std::uint8_t> gather(const detail::PytorchTensor& tensor,
                                          std::vector<std::uint8_t> stored, std::size_t width) {
    const Strides dense = row_major_strides(tensor.shape);
    if (tensor.strides == dense) return stored;
    const auto elements = static_cast<std::size_t>(tensor.shape.numel());
    std::vector<std::uint8_t> rows(elements * width);
    for (std::size_t i = 0; i < elements; ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t place = 0;
      for (std::size_t axis = 0; axis < static_cast<std::size_t>(tensor.shape.rank()); ++axis) {
        place += rest / dense[axis] * tensor.strides[axis];
        rest %= dense[axis];
      }
      std::memcpy(&rows[i * width], &stored[static_cast<std::size_t>(place) * width], width);
    }
    return rows;
  }

  std::vector<std::uint8_t> read_storage(const Storage& storage, std::uint64_t offset,
                                         std::uint64_t count) const {
    if (count == 0) return {};
    if (zip_ != nullptr) return zip_->read(storage.zip_entry, offset, count);
    if (!storage.file_offset) fail("it lies behind values of an unknown type; save it anew");
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    file_.read_at(*storage.file_offset + offset, bytes.data(), bytes.size());
    return bytes;
  }

  void open_zip(const std::filesystem::path& path) {
    zip_ = std::make_unique<ZipReader>(path);
    constexpr std::string_view kPickle = "data.pkl";
    std::string folder;
    bool found = false;
    for (const std::string& name : zip_->names()) {
      const bool matches = name == kPickle || name.ends_with("/data.pkl");
      if (!matches) continue;
      if (found) {
        fail(message("data.pkl is in the archive twice, as '", excerpt(message(folder, kPickle)),
                     "' and '", excerpt(name), "'; save the weights anew"));
      }
      folder = name.substr(0, name.size() - kPickle.size());
      found = true;
    }
    if (!found) fail("a zip archive without data.pkl is not a PyTorch file");
    if (const auto size = zip_->size(folder + "byteorder")) {
      const auto order = zip_->read(folder + "byteorder", 0, std::min<std::uint64_t>(*size, 16));
      if (std::string(order.begin(), order.end()) != "little") {
        fail("its byte order is not little-endian");
      }
    }
    const std::string pickle = message(folder, kPickle);
    const auto size = zip_->size(pickle);
    if (!size || *size > kMostPickle) fail("data.pkl is too large for a state dictionary");
    const auto bytes = zip_->read(pickle, 0, *size);
    detail::PickleMachine machine(bytes, file_.name(), 0);
    read_names(machine.run());
    note_storages(machine);
    for (auto& [key, storage] : storages_) {
      storage.zip_entry = message(folder, "data/", key);
      check_length(key, storage, zip_->size(storage.zip_entry).value_or(0));
    }
  }

  void open_legacy() {
    std::vector<std::uint8_t> bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(file_.size(), kMostPickle)));
    file_.read_at(0, bytes.data(), bytes.size());
    std::size_t position = 0;
    const auto next = [&](const auto& use) {
      detail::PickleMachine machine(std::span<const std::uint8_t>(bytes).subspan(position),
                                    file_.name(), position);
      use(machine.run());
      note_storages(machine);
      position += machine.consumed();
    };
    // 0x1950a86a20f9469cfc6c, little-endian.
    const std::string magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    if (bytes.size() < 2 || bytes[0] != 0x80) fail("not a PyTorch file");
    next([&](const Value& value) {
      if (value.text != magic) fail("not a PyTorch file");
    });
    next([&](const Value& value) {
      if (value.integer != 1001) fail("an unknown version of PyTorch's format");
    });
    next([](const Value&) {});  // facts about the system that wrote it
    next([&](const Value& value) { read_names(value); });
    std::vector<std::string> keys;
    next([&](const Value& value) {
      for (const Value* key : value.items) keys.push_back(key->text);
    });
    locate_storages(keys, position);
  }

  /// The older format's storages follow one another: a length of eight bytes, then the values.
  void locate_storages(const std::vector<std::string>& keys, std::uint64_t offset) {
    std::size_t located = 0;
    for (const std::string& key : keys) {
      const auto found = storages_.find(key);
      if (found == storages_.end()) {
        fail(message("storage '", excerpt(key), "' belongs to no tensor"));
      }
      Storage& storage = found->second;
      std::array<std::uint8_t, 8> bytes{};
      file_.read_at(offset, bytes.data(), bytes.size());
      std::uint64_t length = 0;
      for (std::size_t i = bytes.size(); i-- > 0;) length = length << 8 | bytes[i];
      offset += bytes.size();
      if (length != storage.length) {
        fail(message("damaged: storage '", excerpt(key), "' at offset ", offset, " has ", length,
                     " elements, ", storage.length, " are expected"));
      }
      const auto element = detail::pytorch_element(storage.storage_class);
      if (!element) return;  // nobody knows where the next one begins
      check_length(key, storage, file_.size() - offset);
      storage.file_offset = offset;
      offset += length * element->bytes;
      ++located;
    }
    if (located != storages_.size()) fail("storages are missing at its end");
  }

  void read_names(const Value& root) {
    try {
      names_ = detail::choose_names(detail::StateDictionaryFinder(root).find());
    } catch (const IoError& error) {
      fail(error.what());
    }
    if (names_.tensors.empty()) fail("holds no named tensors");
  }

  /// Remembers every storage that a pickle mentions, wanted or not: the older format's lie in a
  /// row.
  void note_storages(const detail::PickleMachine& machine) {
    for (const Value* value : machine.persistent()) {
      const auto id = detail::storage_id(*value);
      if (!id) continue;
      const auto [known, added] =
          storages_.emplace(id->key, Storage{id->storage_class, id->length});
      const Storage& first = known->second;
      if (!added && (first.storage_class != id->storage_class || first.length != id->length)) {
        fail(message("storage '", excerpt(id->key), "' is described in two ways"));
      }
    }
  }

  /// Checks that a storage has as many bytes as it claims elements; later sums rely on it.
  void check_length(const std::string& key, const Storage& storage, std::uint64_t available) const {
    const auto element = detail::pytorch_element(storage.storage_class);
    if (element && storage.length > available / element->bytes) {
      fail(message("truncated or damaged: storage '", excerpt(key), "' claims ", storage.length,
                   " elements of ", element->bytes, " bytes, but ", available, " bytes are there"));
    }
  }

  FileReader file_;
  std::unique_ptr<ZipReader> zip_;
  std::map<std::string, Storage> storages_;
  detail::PytorchNames names_;
};

}  // namespace sfumato::io
