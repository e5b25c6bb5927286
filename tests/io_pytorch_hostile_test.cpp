// PyTorch files that were made to do harm, and checkpoints with more in them than weights.

#include <doctest/doctest.h>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/pytorch.hpp"
#include "support/complaint.hpp"
#include "support/pytorch_file.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_pytorch_hostile_test {
using namespace pytorch_file;

namespace {

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
  constexpr std::uint64_t kMostRepeated = 16 << 20;
  CHECK(says(tensor(8, 0, list({kMostRepeated + 1}), list({0}))) ==
        "tensor 'w' repeats its elements to 16777217, more than 16777216; save a contiguous copy");
  CHECK(says(tensor(8, 0, list({kHuge, kHuge}), list({0, 0}))).starts_with("tensor 'w': shape: "));
  const auto nine = list({1, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(says(tensor(8, 0, nine, nine)) == "tensor 'w': shape: more than 8 dimensions");
  CHECK(says(tensor(8, 0, list({1}), list({1, 1}))) ==
        "tensor 'w' has not as many strides as sizes");
  CHECK(says(tensor(8, 0, list({~std::uint64_t{0}}), list({1}))) ==
        "tensor 'w' has sizes or strides that are not whole numbers");
  CHECK(says(tensor(8, ~std::uint64_t{0}, list({1}), list({1}))) ==
        "tensor 'w' has an offset that is not a whole number");
}

TEST_CASE("text from the memo can't be multiplied") {
  // Every use of the long text costs two bytes of file; a copy of each would fill the memory.
  const std::string long_text = text(std::string(100'000, 'k')) + "q\x01";
  const std::string storage =
      "(" + text("storage") + "ctorch\nFloatStorage\nh\x01" + text("cpu") + integer(8) + "tQ";
  CHECK(says(message(long_text, "0ctorch._utils\n_rebuild_tensor_v2\n(", storage, integer(0),
                     list({2}), list({1}), "tR")) ==
        "tensor 'w' has a storage that is not described as PyTorch does");
  const TemporaryDirectory folder;
  write_archive(folder / "x.pth", message("}(", long_text, tensor(8, 3, list({2}), list({1})),
                                          text("w"), tensor(8, 3, list({2}), list({1})), "u."));
  CHECK(io::PytorchFile(folder / "x.pth").names() == std::vector<std::string>{"w"});
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

}  // namespace sfumato::io_pytorch_hostile_test
