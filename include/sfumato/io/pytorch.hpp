#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
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
#include "sfumato/io/file.hpp"
#include "sfumato/io/pickle.hpp"
#include "sfumato/io/pytorch_storage.hpp"
#include "sfumato/io/stored_type.hpp"
#include "sfumato/io/zip.hpp"

namespace sfumato::io {

/// The tensors of a state dictionary saved by torch.save(), in the zip format (since PyTorch 1.6)
/// or the older one. Nothing in the file is executed, and only what is asked for is read.
class PytorchFile {
 public:
  /// Throws IoError when the file is neither, is damaged, or holds anything but named tensors.
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
    for (const auto& [name, entry] : entries_) all.push_back(name);
    return all;
  }

  /// Throws IoError for a name that the file does not have.
  const Shape& shape(const std::string& name) const { return find(name).shape; }

  /// One tensor. Floating-point types are converted, integers must be asked for as they are stored.
  /// Throws IoError for an unknown name, another type, or values outside the file.
  template <Element T>
  Tensor<T> read(const std::string& name) const {
    const Entry& entry = find(name);
    const Storage& storage = storages_.at(entry.storage);
    const auto bad = [&](const std::string& what) { fail(message("tensor '", name, "' ", what)); };
    const auto [width, type] = *detail::pytorch_element(storage.storage_class);
    if (!type) bad(message("is a ", storage.storage_class, ", which is not supported"));
    const std::uint64_t span = span_of(entry);
    const std::uint64_t first = entry.offset;
    if (first > storage.length || span > storage.length - first) {
      bad(message("needs elements ", first, " to ", first + span, " of a storage of ",
                  storage.length));
    }
    if (static_cast<std::uint64_t>(entry.shape.elements()) > span) {
      bad("repeats its elements; save a contiguous copy");
    }
    const std::vector<std::uint8_t> bytes = read_storage(storage, first * width, span * width);
    std::vector<T> stored(static_cast<std::size_t>(span));
    if (!detail::decode_values(*type, bytes.data(), stored)) {
      bad(message("is a ", storage.storage_class, ", which can't be read as ",
                  detail::info(detail::natural_type<T>()).name));
    }
    return Tensor<T>::from(gather(entry, stored), entry.shape);
  }

 private:
  using Storage = detail::PytorchStorage;
  struct Entry {
    std::string storage;
    std::uint64_t offset = 0;
    Shape shape;
    Strides strides{};
  };
  using Value = detail::PickleValue;
  static constexpr std::uint64_t kMostPickle = 16 << 20;

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(file_.name(), ": ", what));
  }

  const Entry& find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail(message("there is no tensor '", name, "'"));
    return found->second;
  }

  /// How many elements lie from the first to the last of a tensor.
  std::uint64_t span_of(const Entry& entry) const {
    if (entry.shape.elements() == 0) return 0;
    std::uint64_t span = 1;
    for (int axis = 0; axis < entry.shape.rank(); ++axis) {
      constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
      const auto steps = static_cast<std::uint64_t>(entry.shape[axis] - 1);
      const auto stride = static_cast<std::uint64_t>(entry.strides[static_cast<std::size_t>(axis)]);
      if (steps > 0 && stride > (kMost - span) / steps) fail("a tensor has absurd strides");
      span += steps * stride;
    }
    return span;
  }

  template <class T>
  static std::vector<T> gather(const Entry& entry, const std::vector<T>& stored) {
    if (entry.strides == row_major_strides(entry.shape)) return stored;
    std::vector<T> values(static_cast<std::size_t>(entry.shape.elements()));
    const Strides dense = row_major_strides(entry.shape);
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t place = 0;
      for (std::size_t axis = 0; axis < static_cast<std::size_t>(entry.shape.rank()); ++axis) {
        place += rest / dense[axis] * entry.strides[axis];
        rest %= dense[axis];
      }
      values[i] = stored[static_cast<std::size_t>(place)];
    }
    return values;
  }

  std::vector<std::uint8_t> read_storage(const Storage& storage, std::uint64_t offset,
                                         std::uint64_t count) const {
    if (zip_ != nullptr) return zip_->read(storage.zip_entry, offset, count);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    file_.read_at(storage.file_offset + offset, bytes.data(), bytes.size());
    return bytes;
  }

  void open_zip(const std::filesystem::path& path) {
    zip_ = std::make_unique<ZipReader>(path);
    constexpr std::string_view kPickle = "data.pkl";
    std::string folder;
    bool found = false;
    for (const std::string& name : zip_->names()) {
      const bool matches = name == kPickle || name.ends_with("/data.pkl");
      if (!matches || found) continue;
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
    collect(machine.run());
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
    next([&](const Value& value) { collect(value); });
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
      if (found == storages_.end()) fail(message("storage '", key, "' belongs to no tensor"));
      Storage& storage = found->second;
      std::array<std::uint8_t, 8> bytes{};
      file_.read_at(offset, bytes.data(), bytes.size());
      std::uint64_t length = 0;
      for (std::size_t i = bytes.size(); i-- > 0;) length = length << 8 | bytes[i];
      offset += bytes.size();
      if (length != storage.length) {
        fail(message("damaged: storage '", key, "' at offset ", offset, " has ", length,
                     " elements, ", storage.length, " are expected"));
      }
      check_length(key, storage, file_.size() - offset);
      storage.file_offset = offset;
      offset += length * detail::pytorch_element(storage.storage_class)->bytes;
      ++located;
    }
    if (located != storages_.size()) fail("storages are missing at its end");
  }

  /// Takes the tensors out of a dictionary, or out of its "state_dict" if it has one.
  void collect(const Value& root) {
    const Value* dictionary = &root;
    for (std::size_t i = 0; root.kind == Value::Kind::kDictionary && i < root.items.size();
         i += 2) {
      if (root.items[i]->text == "state_dict") dictionary = root.items[i + 1];
    }
    if (dictionary->kind != Value::Kind::kDictionary) fail("does not hold a state dictionary");
    for (std::size_t i = 0; i < dictionary->items.size(); i += 2) {
      const Value& key = *dictionary->items[i];
      const Value& tensor = *dictionary->items[i + 1];
      if (key.kind != Value::Kind::kText || tensor.kind != Value::Kind::kTensor) continue;
      entries_.insert_or_assign(key.text, entry_of(key.text, tensor));
    }
    if (entries_.empty()) fail("holds no named tensors");
  }

  Entry entry_of(const std::string& name, const Value& tensor) const {
    const Value& storage = *tensor.items[0];
    const auto& sizes = tensor.items[1]->items;
    const auto& strides = tensor.items[2]->items;
    Entry entry{storage.text, static_cast<std::uint64_t>(tensor.integer), {}, {}};
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      const bool whole = sizes[axis]->kind == Value::Kind::kInteger &&
                         strides[axis]->kind == Value::Kind::kInteger;
      if (!whole || sizes[axis]->integer < 0 || strides[axis]->integer < 0 || tensor.integer < 0) {
        fail(message("tensor '", name, "' has sizes or strides that are not whole numbers"));
      }
      try {
        entry.shape.push_back(sizes[axis]->integer);
      } catch (const ShapeError& error) {
        fail(message("tensor '", name, "': ", error.what()));
      }
      entry.strides[axis] = strides[axis]->integer;
    }
    return entry;
  }

  /// Remembers every storage that a pickle mentions, wanted or not: the older format's lie in a
  /// row.
  void note_storages(const detail::PickleMachine& machine) {
    for (const Value* value : machine.storages()) {
      const Storage described{value->items[0]->text,
                              static_cast<std::uint64_t>(value->items[1]->integer)};
      if (!detail::pytorch_element(described.storage_class)) {
        fail(message("a ", described.storage_class, " is not supported"));
      }
      const auto [known, added] = storages_.emplace(value->text, described);
      const Storage& first = known->second;
      if (!added &&
          (first.storage_class != described.storage_class || first.length != described.length)) {
        fail(message("storage '", value->text, "' is described in two ways"));
      }
    }
  }

  /// Checks that a storage has as many bytes as it claims elements; later sums rely on it.
  void check_length(const std::string& key, const Storage& storage, std::uint64_t available) const {
    const std::size_t width = detail::pytorch_element(storage.storage_class)->bytes;
    if (storage.length > available / width) {
      fail(message("truncated or damaged: storage '", key, "' claims ", storage.length,
                   " elements of ", width, " bytes, but ", available, " bytes are there"));
    }
  }

  FileReader file_;
  std::unique_ptr<ZipReader> zip_;
  std::map<std::string, Storage> storages_;
  std::map<std::string, Entry> entries_;
};

}  // namespace sfumato::io
