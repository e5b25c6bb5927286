// NumPy's .npy files.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sfumato/core/random.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npy.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_npy_test {

namespace {

/// The bytes of a .npy file: `spaces` and a line feed follow the dictionary.
std::string npy_file(int version, const std::string& dictionary, std::size_t spaces,
                     const std::string& data) {
  const std::size_t length = dictionary.size() + spaces + 1;
  std::string bytes("\x93NUMPY");
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (std::size_t i = 0; i < (version == 1 ? 2U : 4U); ++i) {
    bytes += static_cast<char>(length >> (8 * i) & 0xFF);
  }
  return bytes + dictionary + std::string(spaces, ' ') + "\n" + data;
}

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

template <class T>
Tensor<T> read(const std::string& bytes) {
  // A copy on the heap, exactly as long as the file, so that sanitizers see every step beyond it.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  return io::read_npy_bytes<T>(exact, "x");
}

template <class T = float>
std::string says(const std::string& bytes) {
  return complaint([&] { read<T>(bytes); });
}

/// What reading a float file of one value says when this is its dictionary.
std::string says_of(const std::string& dictionary) {
  return says(npy_file(1, dictionary, 0, std::string(4, '\0')));
}

const std::string kMalformed = "x: the .npy header is malformed: ";

template <class T>
std::vector<T> extremes() {
  using Limits = std::numeric_limits<T>;
  return {T{0}, T{1}, Limits::lowest(), Limits::max(), Limits::min(), Limits::denorm_min()};
}

}  // namespace

TEST_CASE_TEMPLATE("tensors of every type and shape round trip", T, float, double, std::uint8_t,
                   std::int32_t, std::int64_t) {
  const TemporaryDirectory folder;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{5}, Shape{0}, Shape{0, 3}, Shape{3, 0, 2},
                             Shape{2, 3, 4}, Shape{1, 2, 1, 2, 1, 2, 1, 2}}) {
    CAPTURE(shape.to_string());
    const auto x = Tensor<T>::arange(static_cast<T>(shape.numel())).reshape(shape);
    io::write_npy(folder / "x.npy", x);
    const auto y = io::read_npy<T>(folder / "x.npy");
    CHECK(y.shape() == shape);
    CHECK(y.to_vector() == x.to_vector());
    // NumPy wants the values to start at a multiple of 64.
    const std::string bytes = read_bytes(folder / "x.npy");
    CHECK((bytes.size() - static_cast<std::size_t>(shape.numel()) * sizeof(T)) % 64 == 0);
  }
  const auto values = Tensor<T>::from(extremes<T>(), {6});
  io::write_npy(folder / "x.npy", values);
  CHECK(io::read_npy<T>(folder / "x.npy").to_vector() == values.to_vector());
}

TEST_CASE("NaN, infinities and negative zero round trip") {
  const TemporaryDirectory folder;
  const float infinity = std::numeric_limits<float>::infinity();
  io::write_npy(folder / "x.npy",
                Tensor<float>::from({std::nanf(""), infinity, -infinity, -0.0F}, {4}));
  const auto values = io::read_npy<float>(folder / "x.npy").to_vector();
  CHECK(std::isnan(values[0]));
  CHECK(values[1] == infinity);
  CHECK(values[2] == -infinity);
  CHECK(std::signbit(values[3]));
}

TEST_CASE("a written header reads as NumPy writes it") {
  const TemporaryDirectory folder;
  io::write_npy(folder / "x.npy", Tensor<std::int32_t>::from({1, -2, 3, -2147483647 - 1}, {2, 2}));
  const std::string numpy =
      npy_file(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }", 58,
               from_hex("01000000feffffff0300000000000080"));
  CHECK(read_bytes(folder / "x.npy") == numpy);
}

// The files in these two cases are numpy 1.24's own.
TEST_CASE("files of NumPy are read") {
  const auto fortran =
      read<float>(npy_file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 59,
                           from_hex("000000000000403f0000803e0000803f0000003f0000a03f")));
  CHECK(fortran.shape() == Shape{2, 3});
  CHECK(fortran.to_vector() == std::vector<float>{0, .25, .5, .75, 1, 1.25});
  const auto cube = read<std::uint8_t>(
      npy_file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", 56,
               from_hex("000c04100814010d05110915020e06120a16030f07130b17")));
  CHECK(cube.shape() == Shape{2, 3, 4});
  CHECK(cube.to_vector() == Tensor<std::uint8_t>::arange(24).to_vector());
  const auto scalar = read<std::uint8_t>(
      npy_file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (), }", 62, from_hex("c8")));
  CHECK(scalar.rank() == 0);
  CHECK(scalar.item() == 200);
  const auto empty = read<std::int64_t>(
      npy_file(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 3), }", 58, ""));
  CHECK(empty.shape() == Shape{0, 3});
  const auto second =
      read<std::int64_t>(npy_file(2, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
                                  58, from_hex("01000000000000000000000000010000")));
  CHECK(second.to_vector() == std::vector<std::int64_t>{1, std::int64_t{1} << 40});
  const auto third = read<std::uint8_t>(npy_file(
      3, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", 58, from_hex("0102")));
  CHECK(third.to_vector() == std::vector<std::uint8_t>{1, 2});
}

TEST_CASE("float and double are converted into each other") {
  const std::string doubles =
      npy_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }", 60,
               from_hex("9a9999999999b93f000000000000e0bf555555555555d53f000000000000f07f"));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(read<double>(doubles).to_vector() == std::vector<double>{0.1, -0.5, 1.0 / 3.0, infinity});
  const auto floats = read<float>(doubles).to_vector();
  CHECK(floats[0] == 0.1F);
  CHECK(floats[1] == -0.5F);
  CHECK(floats[2] == static_cast<float>(1.0 / 3.0));
  CHECK(floats[3] == std::numeric_limits<float>::infinity());
  const std::string single =
      npy_file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", 59,
               from_hex("0000a03f0000003f"));
  CHECK(read<double>(single).to_vector() == std::vector<double>{1.25, 0.5});
}

namespace {

/// A file of one axis with values of this type, given as hexadecimal digits.
std::string of_type(const std::string& descr, int count, const std::string& hex,
                    const std::string& mark = "") {
  return npy_file(1,
                  "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" +
                      std::to_string(count) + mark + ",), }",
                  40, from_hex(hex));
}

}  // namespace

TEST_CASE("every type of numbers is read, in both orders of bytes") {
  using Floats = std::vector<float>;
  CHECK(read<float>(of_type("<f4", 2, "0000c03f000000c0")).to_vector() == Floats{1.5F, -2});
  CHECK(read<float>(of_type(">f4", 2, "3fc00000c0000000")).to_vector() == Floats{1.5F, -2});
  CHECK(read<float>(of_type("=f4", 1, "0000c03f")).to_vector() == Floats{1.5F});
  CHECK(read<float>(of_type(">f8", 1, "3ff8000000000000")).to_vector() == Floats{1.5F});
  CHECK(read<float>(of_type("<f2", 2, "003e00c0")).to_vector() == Floats{1.5F, -2});
  CHECK(read<float>(of_type(">f2", 2, "3e00c000")).to_vector() == Floats{1.5F, -2});
  CHECK(read<float>(of_type("|b1", 3, "010002")).to_vector() == Floats{1, 0, 1});
  CHECK(read<float>(of_type("|i1", 2, "ff7f")).to_vector() == Floats{-1, 127});
  CHECK(read<float>(of_type("|u1", 2, "ff7f")).to_vector() == Floats{255, 127});
  CHECK(read<float>(of_type("<i2", 2, "feff0001")).to_vector() == Floats{-2, 256});
  CHECK(read<float>(of_type(">i2", 2, "fffe0100")).to_vector() == Floats{-2, 256});
  CHECK(read<float>(of_type("<u2", 1, "ffff")).to_vector() == Floats{65535});
  CHECK(read<float>(of_type(">u2", 1, "fffe")).to_vector() == Floats{65534});
  CHECK(read<float>(of_type("<i4", 1, "fdffffff")).to_vector() == Floats{-3});
  CHECK(read<float>(of_type(">i4", 1, "fffffffd")).to_vector() == Floats{-3});
  CHECK(read<float>(of_type("<u4", 1, "00000080")).to_vector() == Floats{2147483648.0F});
  CHECK(read<float>(of_type("<i8", 1, "0000000000000080")).to_vector() ==
        Floats{-9223372036854775808.0F});
  CHECK(read<float>(of_type(">u8", 1, "8000000000000000")).to_vector() ==
        Floats{9223372036854775808.0F});
  CHECK(read<std::uint8_t>(of_type("|b1", 2, "0100")).to_vector() ==
        std::vector<std::uint8_t>{1, 0});
  CHECK(read<std::int32_t>(of_type(">i8", 1, "ffffffffffffffff")).item() == -1);
  CHECK(read<std::int64_t>(of_type("<u4", 1, "ffffffff")).item() == 4294967295);
  CHECK(read<std::int64_t>(of_type("<f4", 1, "00004040")).item() == 3);  // 3.0
  CHECK(static_cast<float>(read<Half>(of_type("<f4", 1, "0000c03f")).item()) == 1.5F);
  CHECK(static_cast<float>(read<Half>(of_type("<i4", 1, "e0ff0000")).item()) == 65504);
}

TEST_CASE("what would change a value is refused, and both types named") {
  const auto refused = [](const std::string& says, const std::string& from, const std::string& to,
                          const std::string& value) {
    return says == message("x: holds values of type '", from, "' but '", to,
                           "' is asked for, which can't hold ", value,
                           "; ask for another type or convert it in NumPy with astype()");
  };
  CHECK(refused(says<float>(of_type("<i4", 1, "01000001")), "<i4", "<f4", "16777217"));
  CHECK(says<double>(of_type("<i4", 1, "01000001")) == "nothing");
  CHECK(refused(says<double>(of_type("<i8", 1, "0100000000002000")), "<i8", "<f8",
                "9007199254740993"));
  CHECK(refused(says<float>(of_type("<u8", 1, "ffffffffffffffff")), "<u8", "<f4",
                "18446744073709551615"));
  CHECK(refused(says<Half>(of_type("<i4", 1, "00000100")), "<i4", "<f2", "65536"));
  CHECK(refused(says<Half>(of_type("<i4", 1, "01080000")), "<i4", "<f2", "2049"));
  CHECK(refused(says<std::uint8_t>(of_type("|i1", 1, "ff")), "|i1", "|u1", "-1"));
  CHECK(refused(says<std::uint8_t>(of_type("<i2", 1, "0001")), "<i2", "|u1", "256"));
  CHECK(refused(says<std::int32_t>(of_type("<u4", 1, "00000080")), "<u4", "<i4", "2147483648"));
  CHECK(refused(says<std::int64_t>(of_type(">u8", 1, "8000000000000000")), ">u8", "<i8",
                "9223372036854775808"));
  CHECK(refused(says<std::int32_t>(of_type("<f4", 1, "0000c03f")), "<f4", "<i4", "1.5"));
  CHECK(refused(says<std::int64_t>(of_type("<f8", 1, "000000000000e043")), "<f8", "<i8",
                "9223372036854775808"));
  CHECK(says<std::int64_t>(of_type("<f8", 1, "000000000000e0c3")) == "nothing");  // -2^63
  // Finite numbers do not become infinite.
  CHECK(refused(says<float>(of_type("<f8", 1, "9c7500883ce437fe")), "<f8", "<f4", "-1e+300"));
  CHECK(refused(says<Half>(of_type("<f4", 1, "00b88847")), "<f4", "<f2", "70000"));
  CHECK(says<double>(of_type("<f8", 1, "9c7500883ce437fe")) == "nothing");
  CHECK(static_cast<float>(read<Half>(of_type("<f4", 1, "ffef7f47")).item()) ==
        65504);  // 65519.996
  CHECK(says<std::uint8_t>(of_type("<f4", 1, "0000c07f")).find("can't hold nan") !=
        std::string::npos);
  CHECK(says<std::int64_t>(of_type("<f4", 1, "0000807f")).find("can't hold inf") !=
        std::string::npos);
}

TEST_CASE("other types are refused by name") {
  for (const char* const descr :
       {"<c8", "|S4", "<U1", "|O", "<f16", "<M8[ns]", "|V2", "<f3", "f4", "", "<i0", "<b4", "?"}) {
    CAPTURE(descr);
    CHECK(says(of_type(descr, 1, "3fc00000")) ==
          message("x: holds values of type '", descr,
                  "' but '<f4' is asked for; bool, whole numbers and floating-point ones of 16, "
                  "32 and 64 bits are read"));
  }
  CHECK(says(of_type("\x1b[2J\n", 1, "00"))
            .starts_with(R"(x: holds values of type '\x1b[2J\n' but)"));
  CHECK(says(of_type(std::string(20'000, 'f'), 1, "00")).size() < 300);
}

TEST_CASE("headers of Python 2 are read") {
  CHECK(read<float>(of_type("<f4", 1, "0000c03f", "L")).item() == 1.5F);
  CHECK(read<float>(npy_file(1, "{u'descr': u'<f4', b'fortran_order': False, 'shape': (1L, 1L)}", 0,
                             from_hex("0000c03f")))
            .shape() == Shape{1, 1});
  CHECK(says(of_type("<f4", 1, "0000c03f", "LL")) == kMalformed + "expected ')'");
}

TEST_CASE("what is no npy file is refused") {
  CHECK(says("") == "x: not a .npy file");
  CHECK(says("\x93NUMPY") == "x: not a .npy file");
  CHECK(says("PK\x03\x04 and so on for a while") == "x: not a .npy file");
  CHECK(says(npy_file(4, "{}", 0, "")) == "x: .npy version 4 is not supported; 1 to 3 are");
  CHECK(says(npy_file(0, "{}", 0, "")) == "x: .npy version 0 is not supported; 1 to 3 are");
  CHECK(says(npy_file(2, "", 0, "").substr(0, 11)) == "x: truncated in the .npy header");
  CHECK(says(std::string("\x93NUMPY\x01\x00\xff\xff{}", 12)) ==
        "x: truncated: the .npy header says it has 65535 bytes at offset 10 but the file has 12");
  CHECK(says(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14)) ==
        "x: truncated: the .npy header says it has 4294967295 bytes at offset 12 but the file has "
        "14");
  CHECK(complaint([] { io::read_npy<float>("no/such.npy"); }) == "no/such.npy: no such file");
}

TEST_CASE("malformed headers are refused, and the error says why") {
  const std::string rest = "'fortran_order': False, 'shape': (1,), }";
  CHECK(says_of("{'descr': '<f4', " + rest) == "nothing");
  CHECK(says_of("{\"descr\": \"<f4\", " + rest) == "nothing");
  CHECK(says_of("") == kMalformed + "expected '{'");
  CHECK(says_of("{") == kMalformed + "expected a string");
  CHECK(says_of("{}") == kMalformed + "descr, fortran_order or shape is missing");
  CHECK(says_of("{" + rest) == kMalformed + "descr, fortran_order or shape is missing");
  CHECK(says_of("{'descr") == kMalformed + "a string does not end");
  CHECK(says_of("{'descr' '<f4', " + rest) == kMalformed + "expected ':'");
  CHECK(says_of("{'descr': [('a', '<f4')], " + rest) ==
        "x: a structured array of several fields, which is not read; save one field by itself");
  CHECK(says_of("{'descr': ('<f4', (2,)), " + rest) == kMalformed + "expected a string");
  CHECK(says_of("{'descr': '<f4' " + rest) == kMalformed + "expected '}'");
  CHECK(says_of("{'descr': '<f4', 'descr': '<f4', " + rest) ==
        kMalformed + "unexpected key 'descr'");
  CHECK(says_of("{'colour': 'red', " + rest) == kMalformed + "unexpected key 'colour'");
  CHECK(says_of("{'descr': '<f4', " + rest + "}") == kMalformed + "text follows the dictionary");
  CHECK(says_of("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}") ==
        kMalformed + "expected True or False");
  const auto of_shape = [](const std::string& shape) {
    return says_of("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}");
  };
  CHECK(of_shape("(1, 1)") == "nothing");
  CHECK(of_shape("1") == kMalformed + "expected '('");
  CHECK(of_shape("(-1,)") == kMalformed + "expected a number");
  CHECK(of_shape("(1.0,)") == kMalformed + "expected ')'");
  CHECK(of_shape("(1, 1") == kMalformed + "expected ')'");
  CHECK(of_shape("(9999999999999999999,)") == kMalformed + "an extent is too large");
  CHECK(of_shape("(1, 1, 1, 1, 1, 1, 1, 1, 1)") == kMalformed + "shape: more than 8 dimensions");
  CHECK(of_shape("(4294967296, 4294967296)") ==
        kMalformed + "shape: (4294967296,) times 4294967296 has too many elements");
  // A zero must not hide the others' product.
  CHECK(of_shape("(0, 4294967296, 4294967296)").starts_with(kMalformed + "shape: "));
}

TEST_CASE("the shape must match the bytes that follow") {
  const auto of = [](const std::string& shape, std::size_t bytes) {
    return says(npy_file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}", 0,
                         std::string(bytes, '\0')));
  };
  CHECK(of("(2,)", 8) == "nothing");
  CHECK(of("(2,)", 7) ==
        "x: the shape (2,) of <f4 needs 2 values of 4 bytes but 7 bytes follow the header");
  CHECK(of("(2,)", 9) ==
        "x: the shape (2,) of <f4 needs 2 values of 4 bytes but 9 bytes follow the header");
  CHECK(of("(0,)", 1) ==
        "x: the shape (0,) of <f4 needs 0 values of 4 bytes but 1 bytes follow the header");
  // Nothing is allocated for what the file can't hold.
  CHECK(
      of("(500000000000000000,)", 4) ==
      "x: the shape (500000000000000000,) of <f4 needs 500000000000000000 values of 4 bytes but 4 "
      "bytes follow the header");
}

TEST_CASE("a file cut off at any byte gives an error") {
  const TemporaryDirectory folder;
  io::write_npy(folder / "x.npy", Tensor<double>::arange(6).reshape({2, 3}));
  const std::string bytes = read_bytes(folder / "x.npy");
  int accepted = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    if (says<double>(bytes.substr(0, length)) == "nothing") ++accepted;
  }
  CHECK(accepted == 0);
  CHECK(says<double>(bytes) == "nothing");
}

TEST_CASE("single damaged bytes give an error or a tensor, never a crash") {
  const std::string good = npy_file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
                                    59, std::string(24, 'x'));
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    const std::int64_t place = random.below(static_cast<std::int64_t>(bytes.size()));
    bytes[static_cast<std::size_t>(place)] = static_cast<char>(random.below(256));
    if (says(bytes) == "nothing") REQUIRE(read<float>(bytes).numel() == 6);
  }
}

}  // namespace sfumato::io_npy_test
