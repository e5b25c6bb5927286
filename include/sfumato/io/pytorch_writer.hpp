#pragma once

#include <zip.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/io/file_writer.hpp"
#include "sfumato/io/pytorch_storage.hpp"
#include "sfumato/io/stored_type.hpp"

namespace sfumato::io {

namespace detail {

/// A zip archive that is made in memory by libzip. Entries are stored, and the content of each
/// begins at a multiple of 64 bytes, as far as those before it have less than 4 GiB.
class StoredZip {
 public:
  explicit StoredZip(const std::filesystem::path& path) : path_(path) {
    bytes_.reset(zip_source_buffer_create(nullptr, 0, 0, nullptr));
    if (bytes_ != nullptr) archive_.reset(zip_open_from_source(bytes_.get(), 0, nullptr));
    check(archive_ != nullptr);
    zip_source_keep(bytes_.get());  // one hold is the archive's, the other ours
  }

  /// The data must stay where they are until write().
  void add(const std::string& entry, const void* data, std::size_t size) {
    zip_source_t* const source = zip_source_buffer(archive_.get(), data, size, 0);
    check(source != nullptr);
    const zip_int64_t added = zip_file_add(archive_.get(), entry.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (added < 0) zip_source_free(source);
    check(added >= 0);
    const auto index = static_cast<zip_uint64_t>(added);
    // What goes before the content: 30 bytes, the name, and a field of padding with 4 bytes.
    constexpr std::size_t kAlignment = 64;
    const std::size_t header = 34 + entry.size();
    const std::array<zip_uint8_t, kAlignment> zeros{};
    const std::size_t padding = (kAlignment - (end_ + header) % kAlignment) % kAlignment;
    constexpr zip_uint16_t kPadding = 0x4246;  // "FB", as PyTorch
    constexpr zip_uint16_t kFirstDay = 0x21;   // of 1980: the same content is the same file
    check(zip_set_file_compression(archive_.get(), index, ZIP_CM_STORE, 0) == 0 &&
          zip_file_set_dostime(archive_.get(), index, 0, kFirstDay, 0) == 0 &&
          zip_file_extra_field_set(archive_.get(), index, kPadding, ZIP_EXTRA_FIELD_NEW,
                                   zeros.data(), static_cast<zip_uint16_t>(padding),
                                   ZIP_FL_LOCAL) == 0);
    end_ += header + padding + size;
  }

  void write() {
    AtomicFileWriter file(path_);
    check(zip_close(archive_.get()) == 0);
    archive_.release();
    check(zip_source_open(bytes_.get()) == 0);
    std::vector<char> piece(1 << 20);
    zip_int64_t got = 0;
    while ((got = zip_source_read(bytes_.get(), piece.data(), piece.size())) > 0) {
      file.write(piece.data(), static_cast<std::size_t>(got));
    }
    zip_source_close(bytes_.get());
    check(got == 0);
    file.commit();
  }

 private:
  void check(bool done) const {
    if (!done) fail_to_write(path_, "libzip can't make the archive; is there too little memory?");
  }

  std::filesystem::path path_;
  std::unique_ptr<zip_source_t, void (*)(zip_source_t*)> bytes_{nullptr, zip_source_free};
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_{nullptr, zip_discard};
  std::size_t end_ = 0;  ///< of what was added
};

/// `count` bytes of a number, the lowest first.
inline std::string pickle_bytes(std::uint64_t number, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFF);
  return bytes;
}
inline std::string pickle_text(const std::string& text) {
  return message("X", pickle_bytes(text.size(), 4), text);
}
inline std::string pickle_number(std::int64_t number) {
  return message("\x8a\x08", pickle_bytes(static_cast<std::uint64_t>(number), 8));
}

/// Pushes a dense tensor whose values are the storage `key`.
inline std::string pickle_tensor(const std::string& storage_class, const std::string& key,
                                 const Shape& shape) {
  std::string sizes = "(";
  std::string strides = "(";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    sizes += pickle_number(shape[axis]);
    strides += pickle_number(row_major_strides(shape)[static_cast<std::size_t>(axis)]);
  }
  const std::string storage =
      message("(", pickle_text("storage"), "ctorch\n", storage_class, "\n", pickle_text(key),
              pickle_text("cpu"), pickle_number(shape.numel()), "tQ");
  return message("ctorch._utils\n_rebuild_tensor_v2\n(", storage, pickle_number(0), sizes, "t",
                 strides, "t", "\x89", "ccollections\nOrderedDict\n)RtR");
}

}  // namespace detail

/// Writes named tensors, such as a module's state_dict(), for torch.load(), whole or not at all: an
/// OrderedDict in the zip format of PyTorch 1.6 and newer. It is made in memory first. Throws
/// IoError, and ValueError for a name that is not UTF-8.
template <Element T, class Device>
void write_pytorch(const std::filesystem::path& path,
                   const std::map<std::string, Tensor<T, Device>>& tensors) {
  const auto* const element =
      std::find_if(detail::kPytorchElements.begin(), detail::kPytorchElements.end(),
                   [](const auto& known) { return known.type == detail::natural_type<T>(); });
  std::string pickle =
      "\x80\x02"
      "ccollections\nOrderedDict\n)R(";
  std::vector<Tensor<T>> values;
  for (const auto& [name, tensor] : tensors) {
    try {
      (void)nlohmann::json(name).dump();
    } catch (const nlohmann::json::exception&) {
      throw ValueError(message("write_pytorch: the name '", excerpt(name), "' is not valid UTF-8"));
    }
    pickle += detail::pickle_text(name);
    pickle += detail::pickle_tensor(std::string(element->storage_class),
                                    std::to_string(values.size()), tensor.shape());
    values.push_back(tensor.template to<Cpu>());
  }
  pickle += "u.";
  const std::string order = "little";
  const std::string version = "3\n";
  detail::StoredZip archive(path);
  archive.add("archive/data.pkl", pickle.data(), pickle.size());
  archive.add("archive/byteorder", order.data(), order.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tensor<T>& value = values[i];
    archive.add(message("archive/data/", i), value.data(),
                static_cast<std::size_t>(value.numel()) * sizeof(T));
  }
  archive.add("archive/version", version.data(), version.size());
  archive.write();
}

}  // namespace sfumato::io
