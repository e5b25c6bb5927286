// PyTorch files that were made to do harm, and checkpoints with more in them than weights.

#include <doctest/doctest.h>
#include <zip.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/pytorch.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

using namespace sfumato;

namespace {

/// `count` bytes of a number, the lowest first.
std::string little_endian(std::uint64_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}
std::string text(const std::string& value) {
  return message("X", little_endian(value.size(), 4), value);
}
std::string integer(std::uint64_t value) {
  return message("\x8a\x08", little_endian(value, 8));
}
std::string list(std::initializer_list<std::uint64_t> values) {
  std::string program = "](";
  for (const std::uint64_t value : values) program += integer(value);
  return program + "e";
}

/// Pushes a float tensor cut from storage "0".
std::string tensor(std::uint64_t length, std::uint64_t offset, const std::string& sizes,
                   const std::string& strides) {
  return message("ctorch._utils\n_rebuild_tensor_v2\n((", text("storage"), "ctorch\nFloatStorage\n",
                 text("0"), text("cpu"), integer(length), "tQ", integer(offset), sizes, strides,
                 "tR");
}

/// A zip archive as torch.save() writes it, with this program and eight floats, 0 to 7.
void write_archive(const std::filesystem::path& path, const std::string& program) {
  const std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7};
  zip_t* archive = zip_open(path.string().c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  REQUIRE(archive != nullptr);
  const auto add = [&](const char* name, const void* data, std::size_t bytes) {
    const zip_int64_t index =
        zip_file_add(archive, name, zip_source_buffer(archive, data, bytes, 0), ZIP_FL_OVERWRITE);
    REQUIRE(index >= 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  };
  add("a/data.pkl", program.data(), program.size());
  add("a/data/0", values.data(), values.size() * sizeof(float));
  REQUIRE(zip_close(archive) == 0);
}

/// What reading the tensor "w" of a dictionary says, when `value` pushes it.
std::string says(const std::string& value, const std::string& afterwards = "") {
  const TemporaryDirectory folder;
  write_archive(folder / "x.pth", message("}", text("w"), value, "s", afterwards, "."));
  const std::string complaint_text = complaint([&] {
    const auto w = io::PytorchFile(folder / "x.pth").read<float>("w");
    CHECK(w.to_vector() == std::vector<float>{3, 4});
  });
  const std::size_t name = complaint_text.find("x.pth: ");
  return name == std::string::npos ? complaint_text : complaint_text.substr(name + 7);
}

}  // namespace

TEST_CASE("an honest tensor is read") {
  CHECK(says(tensor(8, 3, list({2}), list({1}))) == "nothing");
}

TEST_CASE("lists that change after a tensor was described do not reach it") {
  // Without a copy, the sizes would become longer than the strides, and be read past their end.
  const std::string remembered = message("]q\x07(", integer(2), "e");
  const std::string append = message(text("x"), "h\x07(", integer(2), integer(2), integer(2), "es");
  CHECK(says(tensor(8, 3, remembered, list({1})), append) == "nothing");
}

TEST_CASE("offsets, lengths and strides that overflow are refused") {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;
  const std::string claim =
      "truncated or damaged: storage '0' claims 9223372036854775807 elements of 4 bytes, but 32 "
      "bytes are there";
  CHECK(says(tensor(2 * kHuge - 1, kHuge, list({1}), list({1}))) == claim);
  CHECK(says(tensor(2 * kHuge - 1, 0, list({2}), list({kHuge - 1}))) == claim);
  CHECK(says(tensor(9, 3, list({2}), list({1}))) ==
        "truncated or damaged: storage '0' claims 9 elements of 4 bytes, but 32 bytes are there");
  CHECK(says(tensor(8, kHuge, list({1}), list({1}))) ==
        "tensor 'w' needs elements 4611686018427387904 to 4611686018427387905 of a storage of 8");
  CHECK(says(tensor(8, 7, list({2}), list({1}))) ==
        "tensor 'w' needs elements 7 to 9 of a storage of 8");
  CHECK(says(tensor(8, 0, list({3}), list({kHuge}))) == "a tensor has absurd strides");
  CHECK(says(tensor(8, 0, list({1000}), list({0}))) ==
        "tensor 'w' repeats its elements; save a contiguous copy");
  CHECK(says(tensor(8, 0, list({kHuge, kHuge}), list({0, 0}))).starts_with("tensor 'w': shape: "));
  const auto nine = list({1, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(says(tensor(8, 0, nine, nine)).find("with arguments that tensors do not need") !=
        std::string::npos);
}

TEST_CASE("text from the memo can't be multiplied") {
  // Every use of the long text would cost two bytes of file and keep a copy in memory.
  const std::string long_text = text(std::string(100'000, 'k')) + "q\x01";
  const auto run = [](const std::string& program) {
    const std::vector<std::uint8_t> bytes(program.begin(), program.end());
    return complaint([&] { io::detail::PickleMachine(bytes, "file", 0).run(); });
  };
  CHECK(run(long_text + "(" + text("storage") + "ctorch\nFloatStorage\nh\x01" + text("cpu") +
            "K\x01tQ.")
            .ends_with("a storage key of 100000 letters"));
  CHECK(run(long_text + text("torch") + "h\x01\x93.").ends_with("a global name of 100000 letters"));
}

TEST_CASE("checkpoints with an optimiser and masks give their weights in both formats") {
  for (const char* const name : {"checkpoint-zip.pth", "checkpoint-legacy.pth"}) {
    CAPTURE(name);
    const io::PytorchFile file(std::filesystem::path(SFUMATO_TEST_FIXTURES) / name);
    CHECK(file.names() == std::vector<std::string>{"mask", "weight"});
    CHECK(file.read<float>("weight").to_vector() == std::vector<float>{0, 1});
    CHECK(complaint([&] {
            file.read<float>("mask");
          }).ends_with("tensor 'mask' is a BoolStorage, which is not supported"));
  }
}
