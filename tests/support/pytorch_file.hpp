#pragma once

#include <doctest/doctest.h>
#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "temporary_directory.hpp"

/// Makes PyTorch files from pieces of pickle programs, as Python's pickle and torch.save() do.
namespace pytorch_file {

using sfumato::message;

/// `count` bytes of a number, the lowest first.
inline std::string little_endian(std::uint64_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}
inline std::string text(const std::string& value) {
  return message("X", little_endian(value.size(), 4), value);
}
inline std::string integer(std::uint64_t value) {
  return message("\x8a\x08", little_endian(value, 8));
}
inline std::string list(std::initializer_list<std::uint64_t> values) {
  std::string program = "](";
  for (const std::uint64_t value : values) program += integer(value);
  return program + "e";
}

/// Pushes a float tensor cut from storage "0".
inline std::string tensor(std::uint64_t length, std::uint64_t offset, const std::string& sizes,
                          const std::string& strides) {
  return message("ctorch._utils\n_rebuild_tensor_v2\n((", text("storage"), "ctorch\nFloatStorage\n",
                 text("0"), text("cpu"), integer(length), "tQ", integer(offset), sizes, strides,
                 "tR");
}

inline std::string global(const std::string& module, const std::string& name) {
  return message("c", module, "\n", name, "\n");
}
/// Pushes what a call gives; `arguments` pushes the arguments one by one.
inline std::string call(const std::string& module, const std::string& name,
                        const std::string& arguments) {
  return message(global(module, name), "(", arguments, "tR");
}

/// A zip archive as torch.save() writes it, with this program and eight floats, 0 to 7, in "0".
inline void write_archive(const std::filesystem::path& path, const std::string& program,
                          zip_int32_t method = ZIP_CM_STORE) {
  const std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7};
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  REQUIRE(archive != nullptr);
  const auto add = [&](const char* name, const void* data, std::size_t bytes) {
    const zip_int64_t index =
        zip_file_add(archive, name, zip_source_buffer(archive, data, bytes, 0), ZIP_FL_OVERWRITE);
    REQUIRE(index >= 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  };
  add("a/data.pkl", program.data(), program.size());
  add("a/data/0", values.data(), values.size() * sizeof(float));
  add("a/data/none", values.data(), 0);
  REQUIRE(zip_close(archive) == 0);
}

/// A file of PyTorch's older format with this program and the given storages: key and content,
/// which begins with the number of elements.
inline void write_legacy(const std::filesystem::path& path, const std::string& program,
                         const std::vector<std::pair<std::string, std::string>>& storages) {
  std::string bytes("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  bytes += message("\x80\x02", integer(1001), ".", "\x80\x02}.", program, "](");
  for (const auto& [key, content] : storages) bytes += text(key);
  bytes += "e.";
  for (const auto& [key, content] : storages) bytes += content;
  write_bytes(path, bytes);
}

/// The bytes of floats.
inline std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace pytorch_file
