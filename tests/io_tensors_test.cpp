// Files of tensors: .npy, .npz, safetensors and PyTorch's.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/io/npz.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/io/weights.hpp"
#include "support/complaint.hpp"
#include "support/hostile_files.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_directory.hpp"

using namespace sfumato;

namespace {

const std::filesystem::path kFixtures = SFUMATO_TEST_FIXTURES;

/// A safetensors file with this header and as many bytes of data.
std::string safetensors(const std::string& header, std::size_t data) {
  std::string bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return bytes + header + std::string(data, '\0');
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.ends_with(end);
}

}  // namespace

TEST_CASE("half and bfloat16 convert exactly and round to the nearest") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = io::half_to_float(half);
    const float brain = io::bfloat16_to_float(half);
    if (!std::isnan(value)) CHECK(io::float_to_half(value) == half);
    if (std::isnan(value)) CHECK(std::isnan(io::half_to_float(io::float_to_half(value))));
    if (!std::isnan(brain)) CHECK(io::float_to_bfloat16(brain) == half);
    if (std::isnan(brain)) CHECK(std::isnan(io::bfloat16_to_float(io::float_to_bfloat16(brain))));
  }
  CHECK(io::half_to_float(0x3555) == 0.333251953125F);
  CHECK(io::float_to_half(1.0F + 0x1p-11F) == 0x3C00);  // a tie goes to even
  CHECK(io::float_to_half(1.0F + 3 * 0x1p-11F) == 0x3C02);
  CHECK(io::float_to_half(65519.9F) == 0x7BFF);
  CHECK(io::float_to_half(65520.0F) == 0x7C00);
  CHECK(io::float_to_half(0x1p-25F) == 0);
  CHECK(io::float_to_half(1.5F * 0x1p-25F) == 1);
  CHECK(io::float_to_bfloat16(1.0F + 0x1p-8F) == 0x3F80);
}

TEST_CASE_TEMPLATE("npy files round trip", T, float, double, std::uint8_t, std::int32_t,
                   std::int64_t) {
  const TemporaryDirectory folder;
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{0, 3}, Shape{2, 3, 4}}) {
    const auto x = Tensor<T>::arange(static_cast<T>(shape.elements())).reshape(shape);
    io::write_npy(folder / "x.npy", x);
    const auto y = io::read_npy<T>(folder / "x.npy");
    CHECK(y.shape() == shape);
    CHECK(y.to_vector() == x.to_vector());
  }
}

TEST_CASE("npy and npz files of NumPy are read") {
  const auto fortran = io::read_npy<double>(kFixtures / "fortran.npy");
  CHECK(fortran.shape() == Shape{2, 3, 4});
  CHECK(fortran.to_vector() == Tensor<double>::arange(24).to_vector());
  CHECK(io::read_npz<double>(kFixtures / "arrays.npz", "a").at({1, 2}) == 5.0);
  CHECK(io::read_npz<std::int64_t>(kFixtures / "arrays.npz", "b").item() == 5);
  CHECK(ends_with(complaint([] { io::read_npz<float>(kFixtures / "arrays.npz", "c"); }),
                  "arrays.npz: there is no array 'c'"));
  CHECK(ends_with(complaint([] { io::read_npy<float>(kFixtures / "big-endian.npy"); }),
                  "big-endian.npy: holds values of type '>f4' but '<f4' is asked for"));
  CHECK(ends_with(complaint([] { io::read_npy<float>(kFixtures / "none.npy"); }),
                  "none.npy: no such file"));
  CHECK(ends_with(complaint([] { io::read_npy<float>(kFixtures / "state-zip.pth"); }),
                  "state-zip.pth: not a .npy file"));
}

TEST_CASE("hostile npy files give errors") {
  const TemporaryDirectory folder;
  io::write_npy(folder / "x.npy", Tensor<float>::arange(10));
  const std::string good = read_bytes(folder / "x.npy");
  check_hostile_copies(good, "x.npy", [](const auto& path) { io::read_npy<float>(path); });
  const auto with_shape = [&](const std::string& shape) {
    std::string bytes = good;
    const std::size_t place = bytes.find("(10,)");
    const std::size_t end = bytes.find("}", place);
    bytes.replace(place, end - place,
                  shape + ", " + std::string(end - place - shape.size() - 2, ' '));
    write_bytes(folder / "y.npy", bytes);
    return complaint([&] { io::read_npy<float>(folder / "y.npy"); });
  };
  CHECK(ends_with(with_shape("(9,)"),
                  "the shape (9,) of <f4 needs 9 values of 4 bytes but 40 bytes "
                  "follow the header"));
  CHECK(with_shape("(-1,)").find("expected a number") != std::string::npos);
}

TEST_CASE("safetensors round trip in every stored type") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const std::map<std::string, Tensor<float>> tensors{
      {"a.weight", Tensor<float>::from({1, -2.5, 0.25, 3}, {2, 2})},
      {"b", Tensor<float>::scalar(7)},
      {"empty", Tensor<float>::empty({0, 3})}};
  for (const auto type :
       {io::StoredType::kF32, io::StoredType::kF64, io::StoredType::kF16, io::StoredType::kBF16}) {
    io::write_safetensors(path, tensors, type, {{"format", "pt"}});
    const io::SafetensorsFile file(path);
    CHECK(file.names() == std::vector<std::string>{"a.weight", "b", "empty"});
    CHECK(file.metadata().at("format") == "pt");
    CHECK(file.type("b") == type);
    CHECK(file.shape("empty") == Shape{0, 3});
    CHECK(file.read<double>("a.weight").to_vector() == std::vector<double>{1, -2.5, 0.25, 3});
  }
  io::write_safetensors<std::int64_t>(path, {{"n", Tensor<std::int64_t>::arange(3)}});
  const io::SafetensorsFile integers(path);
  CHECK(integers.read<std::int64_t>("n").to_vector() == std::vector<std::int64_t>{0, 1, 2});
  CHECK(ends_with(complaint([&] { integers.read<float>("n"); }),
                  "tensor 'n' holds I64, which can't be read as F32"));
  CHECK(ends_with(complaint([&] { integers.read<float>("m"); }), "there is no tensor 'm'"));
  CHECK(complaint([&] { io::write_safetensors<std::int64_t>(path, {}, io::StoredType::kF16); }) ==
        "write_safetensors: can't store I64 as F16");
}

TEST_CASE("hostile safetensors give precise errors") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const auto says = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    const std::string text = complaint([&] { const io::SafetensorsFile file(path); });
    return text.substr(std::min(text.size(), path.string().size() + 2));
  };
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  CHECK(says("1234567").starts_with("truncated: needs 8 bytes at offset 0"));
  CHECK(says(std::string(8, '\xff') + "{}") ==
        "the header claims 18446744073709551615 bytes but the file has 10; is this a safetensors "
        "file?");
  CHECK(says(safetensors("{", 0)) == "the header is not valid JSON");
  CHECK(says(safetensors("[]", 0)) == "the header is not a JSON object");
  CHECK(says(safetensors(std::string(5000, '['), 0)) == "the header is nested too deeply");
  CHECK(says(safetensors(R"({"t":{},"t":{}})", 0)) == "the name 't' stands twice in the header");
  CHECK(says(safetensors(R"({"t":{"dtype":"F32"}})", 0)) ==
        "tensor 't': dtype, shape or data_offsets is missing or malformed");
  CHECK(says(safetensors(entry("F99", "[1]", "[0,4]"), 4)) == "tensor 't': unknown dtype 'F99'");
  CHECK(says(safetensors(entry("F32", "[-1]", "[0,4]"), 4)) ==
        "tensor 't': an extent of the shape is not a whole number");
  CHECK(says(safetensors(entry("F32", "[1.5]", "[0,4]"), 4)) ==
        "tensor 't': an extent of the shape is not a whole number");
  CHECK(says(safetensors(entry("F32", "[18446744073709551615]", "[0,4]"), 4)) ==
        "tensor 't': the extent 18446744073709551615 is absurd");
  CHECK(says(safetensors(entry("F32", "[4294967296,4294967296]", "[0,4]"), 4))
            .starts_with("tensor 't': shape: "));
  CHECK(says(safetensors(entry("F32", "[1]", "[4,0]"), 4)) ==
        "tensor 't': offsets 4 to 0 are outside the 4 bytes of data");
  CHECK(says(safetensors(entry("F32", "[2]", "[0,8]"), 4)) ==
        "tensor 't': offsets 0 to 8 are outside the 4 bytes of data");
  CHECK(says(safetensors(entry("F32", "[2]", "[0,4]"), 4)) ==
        "tensor 't': the shape (2,) of F32 does not fill its 4 bytes");
  CHECK(says(safetensors(entry("F32", "[1]", "[0,4]"), 6))
            .starts_with("surplus bytes follow the last tensor, from offset"));
  CHECK(says(safetensors(entry("F32", "[1]", "[4,8]"), 8)) ==
        "there is a hole at offset 0 of the data");
  CHECK(says(safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                         R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                         6)) == "tensors overlap at offset 2 of the data");
  CHECK(says(safetensors(R"({"__metadata__":{"a":1}})", 0)) == "the metadata 'a' is not a string");
  io::write_safetensors<float>(
      path, {{"a", Tensor<float>::arange(5)}, {"b", Tensor<float>::ones({2, 2})}});
  check_hostile_copies(read_bytes(path), "y.safetensors", [](const auto& copy) {
    const io::SafetensorsFile file(copy);
    for (const auto& name : file.names()) file.read<float>(name);
  });
}

TEST_CASE("state dictionaries of PyTorch are read in both formats") {
  for (const char* const name : {"state-zip.pth", "state-legacy.pth"}) {
    CAPTURE(name);
    const io::WeightsFile file(kFixtures / name);
    CHECK(file.names() == std::vector<std::string>{"bfloat16", "double", "float", "half", "long",
                                                   "parameter", "part", "scalar", "transposed"});
    CHECK(file.shape("float") == Shape{2, 3});
    CHECK(file.read<float>("float").to_vector() == std::vector<float>{0, .25, .5, .75, 1, 1.25});
    CHECK(file.read<float>("double").to_vector() == std::vector<float>{1.5, -2.25});
    CHECK(file.read<double>("half").to_vector() == std::vector<double>{0.5, -1, 65504});
    CHECK(file.read<float>("bfloat16").to_vector() == std::vector<float>{1, -3});
    CHECK(file.read<std::int64_t>("long").to_vector() ==
          std::vector<std::int64_t>{1, -(1LL << 40)});
    CHECK(file.read<float>("scalar").item() == 7.0F);
    CHECK(file.read<float>("part").to_vector() == std::vector<float>{4, 5, 6, 7});
    CHECK(file.read<float>("parameter").to_vector() == std::vector<float>{1, 1});
    const auto transposed = file.read<float>("transposed");
    CHECK(transposed.shape() == Shape{4, 3});
    CHECK(transposed.to_vector() == std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    CHECK(ends_with(complaint([&] { file.read<float>("long"); }),
                    "tensor 'long' is a LongStorage, which can't be read as F32"));
    CHECK(ends_with(complaint([&] { file.read<float>("none"); }), "there is no tensor 'none'"));
    check_hostile_copies(read_bytes(kFixtures / name), "copy.pth", [](const auto& path) {
      const io::PytorchFile copy(path);
      for (const auto& tensor : copy.names()) copy.read<float>(tensor);
    });
  }
  CHECK(io::WeightsFile(kFixtures / "nested.pth").names() ==
        std::vector<std::string>{"bias", "weight"});
  CHECK(ends_with(complaint([] {
                    io::read_tensors<float>(kFixtures / "nested.pth", {"bias", "a", "b"});
                  }),
                  "nested.pth: the weights lack a, b"));
}

TEST_CASE("pickles that want more than tensors are refused") {
  const auto says = [](const std::string& program) {
    const std::vector<std::uint8_t> bytes(program.begin(), program.end());
    return complaint([&] { io::detail::PickleMachine(bytes, "file", 0).run(); });
  };
  CHECK(says("cos\nsystem\n(S'true'\ntR.")
            .find("uses os.system, which tensors do not need and is "
                  "not allowed here") != std::string::npos);
  CHECK(says("c__builtin__\neval\n.").find("uses __builtin__.eval") != std::string::npos);
  CHECK(says("i").find("opcode 105 is not one that tensors need") != std::string::npos);
  CHECK(says(std::string("X\xff\xff\xff\x7f", 5)).find("truncated") != std::string::npos);
  CHECK(says("R").find("the stack is empty") != std::string::npos);
  CHECK(says("t").find("no mark on the stack") != std::string::npos);
  CHECK(says("(.").find("the stack is empty") != std::string::npos);
  CHECK(says("h\x05.").find("memo 5 has not been set") != std::string::npos);
  CHECK(says("]K\x01R.").find("reduces something other") != std::string::npos);
  CHECK(says("K\x01Q.").find("a storage is not described as PyTorch does") != std::string::npos);
  CHECK(says("}(K\x01u.").find("a key has no value") != std::string::npos);
  CHECK(says("K\x01K\x02"
             "a.")
            .find("expected a list") != std::string::npos);
  CHECK(says(std::string(2'000'000, ']') + ".").find("more values than") != std::string::npos);
  CHECK(says("]q\x01h\x01"
             "a.") == "nothing");  // a list that holds itself does no harm
  CHECK(says("").find("truncated") != std::string::npos);
}

TEST_CASE("the real VGG-19 has all its tensors") {
  const auto path = shared_data("weights/vgg19-oxford-q8.safetensors");
  if (!path) {
    MESSAGE("SKIPPED: there are no shared weights; set SFUMATO_SHARED to the shared data");
    return;
  }
  const io::SafetensorsFile file(*path);
  CHECK(file.names().size() == 32);
  CHECK(file.shape("features.34.weight") == Shape{512, 512, 3, 3});
}
