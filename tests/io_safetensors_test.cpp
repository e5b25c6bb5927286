// safetensors files: round trips and the real VGG-19.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/safetensors.hpp"
#include "support/complaint.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_safetensors_test {

namespace {

template <class T>
void check_round_trip(io::StoredType type, const std::vector<T>& values) {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const std::map<std::string, Tensor<T>> tensors{{"matrix", Tensor<T>::from(values, {2, 2})},
                                                 {"scalar", Tensor<T>::scalar(values[1])},
                                                 {"empty", Tensor<T>::empty({0, 3})},
                                                 {"vector", Tensor<T>::from(values, {4})}};
  io::write_safetensors(path, tensors, type);
  const io::SafetensorsFile file(path);
  CHECK(file.names() == std::vector<std::string>{"empty", "matrix", "scalar", "vector"});
  CHECK(file.metadata().empty());
  for (const auto& entry : tensors) {
    const std::string& name = entry.first;
    const Tensor<T>& tensor = entry.second;
    CAPTURE(name);
    CHECK(file.contains(name));
    CHECK(file.type(name) == type);
    CHECK(file.shape(name) == tensor.shape());
    const auto read = file.template read<T>(name);
    CHECK(read.shape() == tensor.shape());
    CHECK(read.to_vector() == tensor.to_vector());
  }
  // The values start at a multiple of eight, as the format's own library has it.
  const std::string bytes = read_bytes(path);
  CHECK((8 + static_cast<unsigned char>(bytes[0])) % 8 == 0);
}

}  // namespace

TEST_CASE("every stored type round trips") {
  const float largest = std::numeric_limits<float>::max();
  check_round_trip<float>(io::StoredType::kF32, {0.1F, -largest, 1e-45F, -0.0F});
  check_round_trip<double>(io::StoredType::kF64, {0.1, -1e300, 5e-324, 3});
  check_round_trip<float>(io::StoredType::kF64, {0.1F, -largest, 1e-45F, 3});
  check_round_trip<double>(io::StoredType::kF32, {0.5, -1.25, 0, 3});
  check_round_trip<float>(io::StoredType::kF16, {65504, -0.5F, 0x1p-24F, 3});
  check_round_trip<double>(io::StoredType::kF16, {65504, -0.5, 0x1p-24, 3});
  check_round_trip<float>(io::StoredType::kBF16, {0x1p127F, -0.5F, 0x1p-133F, 3});
  check_round_trip<double>(io::StoredType::kBF16, {0x1p127, -0.5, 0x1p-126, 3});
  check_round_trip<Half>(io::StoredType::kF16, {Half(65504), Half(-0.5F), Half(0x1p-24F), Half(3)});
  check_round_trip<BFloat16>(io::StoredType::kBF16, {BFloat16(0x1p127F), BFloat16(-0.5F),
                                                     BFloat16(0x1p-133F), BFloat16(3)});
  check_round_trip<std::int64_t>(io::StoredType::kI64,
                                 {0, std::numeric_limits<std::int64_t>::min(), 1LL << 40, -1});
  check_round_trip<std::int32_t>(io::StoredType::kI32,
                                 {0, std::numeric_limits<std::int32_t>::min(), 1 << 20, -1});
  check_round_trip<std::uint8_t>(io::StoredType::kU8, {0, 1, 128, 255});
}

TEST_CASE("small stored types round to the nearest and natural types need no mention") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const auto values = Tensor<float>::from({1.0F / 3.0F, 60001.0F}, {2});
  io::write_safetensors<float>(path, {{"x", values}}, io::StoredType::kF16);
  CHECK(io::SafetensorsFile(path).read<float>("x").to_vector() ==
        std::vector<float>{0.333251953125F, 60000.0F});
  io::write_safetensors<float>(path, {{"x", values}});
  CHECK(io::SafetensorsFile(path).type("x") == io::StoredType::kF32);
  io::write_safetensors<float>(path, {});
  CHECK(io::SafetensorsFile(path).names().empty());
}

TEST_CASE("metadata and odd names round trip") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"", "\"quoted\"\n"}};
  const auto one = Tensor<float>::ones({1});
  io::write_safetensors<float>(path, {{"", one}, {"a\"b\\c", one}, {"größe", one}},
                               io::StoredType::kF32, metadata);
  const io::SafetensorsFile file(path);
  CHECK(file.metadata() == metadata);
  CHECK(file.names() == std::vector<std::string>{"", "a\"b\\c", "größe"});
  CHECK_FALSE(file.contains("__metadata__"));
}

TEST_CASE("what can't be written is refused before the file is touched") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  write_bytes(path, "old");
  const auto one = Tensor<float>::ones({1});
  CHECK(complaint([&] { io::write_safetensors<float>(path, {}, io::StoredType::kI64); }) ==
        "write_safetensors: can't store F32 as I64");
  CHECK(complaint([&] { io::write_safetensors<std::int32_t>(path, {}, io::StoredType::kI64); }) ==
        "write_safetensors: can't store I32 as I64");
  CHECK(complaint([&] {
          io::write_safetensors<float>(path, {{"__metadata__", one}});
        }) == "write_safetensors: no tensor can be called '__metadata__'");
  CHECK(complaint([&] {
          io::write_safetensors<float>(path, {{"x", Tensor<float>::from({1e6F}, {1})}},
                                       io::StoredType::kF16);
        }) == "write_safetensors: x holds 1e+06, which is too large for F16");
  CHECK(complaint([&] {
          io::write_safetensors<double>(path, {{"a\n", Tensor<double>::from({1e300}, {1})}},
                                        io::StoredType::kF32);
        }) == R"(write_safetensors: a\n holds 1e+300, which is too large for F32)");
  CHECK(complaint([&] {
          io::write_safetensors<float>(path, {{"\xff", one}});
        }) == "write_safetensors: a name or the metadata are not valid UTF-8");
  CHECK(read_bytes(path) == "old");
  CHECK(complaint([&] {
          io::write_safetensors<float>(folder / "no/x", {{"x", one}});
        }) == message((folder / "no/x").string(), ": can't be written: there is no folder ",
                      (folder / "no").string()));
}

TEST_CASE("a file is written piece by piece as whole tensors are, and read in parts") {
  const TemporaryDirectory folder;
  const std::map<std::string, Tensor<float>> tensors{
      {"a", Tensor<float>::arange(12).reshape({3, 4})},
      {"b", Tensor<float>::empty({0})},
      {"c", Tensor<float>::scalar(5)}};
  const std::map<std::string, Shape> shapes{{"a", {3, 4}}, {"b", {0}}, {"c", {}}};
  const std::map<std::string, std::string> metadata{{"made by", "a test"}};
  io::write_safetensors(folder / "whole", tensors, io::StoredType::kF16, metadata);
  io::SafetensorsWriter<float> pieces(folder / "pieces", shapes, io::StoredType::kF16, metadata);
  for (int i = 0; i < 3; ++i) pieces.write(tensors.at("a")[i]);
  CHECK(complaint([&] { pieces.write(Tensor<float>::ones({2})); }) ==
        "SafetensorsWriter: 2 values where 1 are missing to a tensor's end");
  CHECK(complaint([&] { pieces.commit(); }) == "SafetensorsWriter: 1 values are missing");
  CHECK(complaint([&] { pieces.write(Tensor<float>::full({1}, 1e6F)); }) ==
        "write_safetensors: c holds 1e+06, which is too large for F16");
  CHECK(complaint([&] { pieces.commit(); }) == "SafetensorsWriter: 1 values are missing");
  pieces.write(tensors.at("c"));
  CHECK(complaint([&] { pieces.write(Tensor<float>::ones({1})); }) ==
        "SafetensorsWriter: 1 values where 0 are missing to a tensor's end");
  pieces.commit();
  CHECK(read_bytes(folder / "pieces") == read_bytes(folder / "whole"));

  const io::SafetensorsFile file(folder / "pieces");
  CHECK(file.read_part<double>("a", 3, 4).to_vector() == std::vector<double>{3, 4, 5, 6});
  CHECK(file.read_part<float>("a", 12, 0).numel() == 0);
  CHECK(file.read_part<float>("c", 0, 1).to_vector() == std::vector<float>{5});
  const auto refused = [&](std::int64_t begin, std::int64_t count) {
    CHECK(complaint([&] { file.read_part<float>("a", begin, count); }) ==
          message("read_part: ", count, " values from ", begin, " on, of 'a', which has 12"));
  };
  refused(-1, 2);
  refused(0, -1);
  refused(11, 2);
  refused(std::numeric_limits<std::int64_t>::max(), 1);
}

TEST_CASE("several threads read from one file") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  constexpr std::int64_t kCount = 1 << 16;
  constexpr std::int64_t kPart = 1 << 12;
  io::write_safetensors<std::int64_t>(path, {{"n", Tensor<std::int64_t>::arange(kCount)}});
  const io::SafetensorsFile file(path);
  std::atomic<int> wrong = 0;
  const auto look = [&](std::int64_t step) {
    for (std::int64_t i = 0; i < 2000; ++i) {
      const std::int64_t first = i * step % (kCount - kPart);
      const auto part = file.read_part<std::int64_t>("n", first, kPart);
      if (part.at({0}) != first || part.at({kPart - 1}) != first + kPart - 1) ++wrong;
    }
  };
  std::thread other(look, 4099);
  look(7919);
  other.join();
  CHECK(wrong == 0);
}

TEST_CASE("unknown names and other types are refused") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  io::write_safetensors<std::int64_t>(path, {{"n", Tensor<std::int64_t>::arange(3)}});
  const io::SafetensorsFile file(path);
  const std::string start = path.string() + ": ";
  CHECK(complaint([&] { file.read<float>("m"); }) == start + "there is no tensor 'm'");
  CHECK(complaint([&] { file.shape("m"); }) == start + "there is no tensor 'm'");
  CHECK(complaint([&] { file.type("m"); }) == start + "there is no tensor 'm'");
  CHECK(file.read<Half>("n").cast<float>().to_vector() == std::vector<float>{0, 1, 2});
  CHECK(complaint([&] { file.read<std::int32_t>("n"); }) ==
        start + "tensor 'n' holds I64, which can't be read as I32");
  io::write_safetensors<std::int64_t>(path, {{"n", Tensor<std::int64_t>{1, (1 << 24) + 1}}});
  CHECK(io::SafetensorsFile(path).read<double>("n").to_vector() ==
        std::vector<double>{1, (1 << 24) + 1});
  CHECK(complaint([&] { io::SafetensorsFile(path).read<float>("n"); }) ==
        start +
            "tensor 'n' holds 16777217 as I64, which F32 can't hold exactly; ask for another type");
  io::write_safetensors<float>(path, {{"n", Tensor<float>::arange(3)}}, io::StoredType::kBF16);
  CHECK(complaint([&] { io::SafetensorsFile(path).read<std::int64_t>("n"); }) ==
        start + "tensor 'n' holds BF16, which can't be read as I64");
}

TEST_CASE("a finite number that is too large for what is asked for is refused") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const double infinity = std::numeric_limits<double>::infinity();
  const auto says = [&](auto type) {
    const std::string text =
        complaint([&] { io::SafetensorsFile(path).read<decltype(type)>("x"); });
    return text == "nothing" ? text : text.substr(text.find("tensor '"));
  };
  io::write_safetensors<double>(path, {{"x", Tensor<double>::from({infinity, -1e300}, {2})}});
  CHECK(says(float{}) ==
        "tensor 'x' holds -1e+300 as F64, which is too large for F32; ask for another type");
  CHECK(says(double{}) == "nothing");
  io::write_safetensors<float>(path, {{"x", Tensor<float>::from({1, 70000}, {2})}});
  CHECK(says(Half{}) ==
        "tensor 'x' holds 70000 as F32, which is too large for F16; ask for another type");
  CHECK(says(BFloat16{}) == "nothing");
  io::write_safetensors<float>(path, {{"x", Tensor<float>::from({65519}, {1})}});
  CHECK(io::SafetensorsFile(path).read<Half>("x").item() == Half(65504));
}

TEST_CASE("the VGG-19 weights have the tensors of the paper") {
  const auto path = shared_data("weights/vgg19-oxford-q8.safetensors");
  if (!path) {
    MESSAGE("SKIPPED: there are no shared weights; set SFUMATO_SHARED to the shared data");
    return;
  }
  const io::SafetensorsFile file(*path);
  CHECK(file.names().size() == 32);
  // The places of the convolutions in torchvision's vgg19().features and their channels.
  const std::vector<std::pair<int, std::int64_t>> layers{
      {0, 64},   {2, 64},   {5, 128},  {7, 128},  {10, 256}, {12, 256}, {14, 256}, {16, 256},
      {19, 512}, {21, 512}, {23, 512}, {25, 512}, {28, 512}, {30, 512}, {32, 512}, {34, 512}};
  std::int64_t inputs = 3;
  for (const auto& [place, channels] : layers) {
    const std::string name = message("features.", place);
    CAPTURE(name);
    CHECK(file.shape(name + ".weight") == Shape{channels, inputs, 3, 3});
    CHECK(file.shape(name + ".bias") == Shape{channels});
    inputs = channels;
  }
  const auto weights = file.read<float>("features.0.weight").to_vector();
  CHECK(std::all_of(weights.begin(), weights.end(), [](float w) { return std::abs(w) < 10.0F; }));
}

}  // namespace sfumato::io_safetensors_test
