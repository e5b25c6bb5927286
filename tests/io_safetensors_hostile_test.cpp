// safetensors files that are damaged or made to do harm.

#include <doctest/doctest.h>
#include <algorithm>

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "sfumato/core/random.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/safetensors.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_safetensors_hostile_test {

namespace {

/// A safetensors file with this header and as many zero bytes of data.
std::string safetensors(const std::string& header, std::size_t data) {
  std::string bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return bytes + header + std::string(data, '\0');
}

/// One entry of a header, without the outer braces.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

/// What reading the file, all its tensors included, complains of, without the file's name.
std::string says(const TemporaryDirectory& folder, const std::string& bytes) {
  const auto path = folder / "hostile.safetensors";
  write_bytes(path, bytes);
  const std::string text = complaint([&] {
    const io::SafetensorsFile file(path);
    for (const auto& name : file.names()) {
      const std::string kind = complaint([&] { file.type(name); });
      if (kind == "nothing" && file.type(name) == io::StoredType::kF32) file.read<float>(name);
    }
  });
  return text == "nothing" ? text : text.substr(path.string().size() + 2);
}

/// What a header whose only tensor is `t`, over 4 bytes of data, makes the reader say.
std::string says_of(const std::string& dtype, const std::string& shape,
                    const std::string& offsets) {
  const TemporaryDirectory folder;
  return says(folder, safetensors(message("{", entry("t", dtype, shape, offsets), "}"), 4));
}

}  // namespace

TEST_CASE("a header that can't be trusted is refused before anything is allocated") {
  const TemporaryDirectory folder;
  const auto of = [&](const std::string& bytes) { return says(folder, bytes); };
  const auto start_of = [](const char* size, int bytes) {
    return message("the header claims ", size, " bytes but the file has ", bytes,
                   "; is this a safetensors file?");
  };
  CHECK(of("").starts_with("truncated: needs 8 bytes at offset 0"));
  CHECK(of("1234567").starts_with("truncated: needs 8 bytes at offset 0"));
  CHECK(of(std::string("\0\0\0\0\0\0\0\x80{}", 10)) == start_of("9223372036854775808", 10));
  CHECK(of(std::string(8, '\xff') + "{}") == start_of("18446744073709551615", 10));
  CHECK(of(std::string("\3\0\0\0\0\0\0\0{}", 10)) == start_of("3", 10));
  CHECK(of(safetensors("{}", 0)) == "nothing");
  CHECK(of(safetensors("{}      ", 0)) == "nothing");
}

TEST_CASE("bad JSON is refused") {
  const TemporaryDirectory folder;
  const auto of = [&](const std::string& header) { return says(folder, safetensors(header, 0)); };
  const std::string invalid = "the header is not valid JSON";
  for (const std::string& header :
       {std::string(), std::string("{"), std::string("{\"a\":}"), std::string("{} {}"),
        std::string("{'a':1}"), std::string("{\"\xff\":1}"), std::string("{\"a\":1e999}"),
        std::string("{}\0", 3), std::string("{\"a\":NaN}"), std::string("{,}")}) {
    CAPTURE(header);
    CHECK(of(header) == invalid);
  }
  CHECK(of("[]") == "the header is not a JSON object");
  CHECK(of("null") == "the header is not a JSON object");
  CHECK(of("7") == "the header is not a JSON object");
  const std::string deep = "the header is nested too deeply";
  CHECK(of(std::string(1'000'000, '[')) == deep);
  CHECK(of(R"({"t":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}") == deep);
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += R"({"a":)";
  CHECK(of(objects) == deep);
}

TEST_CASE("malformed entries are refused by name") {
  const TemporaryDirectory folder;
  const auto of = [&](const std::string& header) { return says(folder, safetensors(header, 4)); };
  const std::string malformed = "tensor 't': dtype, shape or data_offsets is missing or malformed";
  for (const char* const value :
       {"1", "[]", "{}", "null", R"({"dtype":"F32","shape":[1]})",
        R"({"dtype":"F32","data_offsets":[0,4]})", R"({"shape":[1],"data_offsets":[0,4]})",
        R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":{},"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":4})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[4]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0,4,4]})"}) {
    CAPTURE(value);
    CHECK(of(std::string(R"({"t":)") + value + "}") == malformed);
  }
  CHECK(of(message("{", entry("t", "F32", "[1]", "[0,4]"), ",", entry("t", "F32", "[1]", "[0,4]"),
                   "}")) == "the name 't' stands twice in the header");
  CHECK(of(R"({"__metadata__":{},"__metadata__":{}})") ==
        "the name '__metadata__' stands twice in the header");
  CHECK(of(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"I32"}})") ==
        "the name 'dtype' stands twice in the header");
  CHECK(of(R"({"__metadata__":[]})") == "__metadata__ is not a JSON object");
  CHECK(of(R"({"__metadata__":{"a":1}})") == "the metadata 'a' is not a string");
}

TEST_CASE("absurd dtypes, shapes and offsets are refused") {
  CHECK(says_of("F32", "[1]", "[0,4]") == "nothing");
  for (const char* const extent : {"-1", "1.0", "1.5", "1e300", "\"1\"", "null", "true", "[1]"}) {
    CAPTURE(extent);
    CHECK(says_of("F32", std::string("[") + extent + "]", "[0,4]") ==
          "tensor 't': an extent of the shape is not a whole number");
    CHECK(says_of("F32", "[1]", std::string("[0,") + extent + "]") ==
          "tensor 't': an offset is not a whole number");
  }
  CHECK(says_of("F32", "[18446744073709551615]", "[0,4]") ==
        "tensor 't': the extent 18446744073709551615 is absurd");
  CHECK(says_of("F32", "[9223372036854775808]", "[0,4]") ==
        "tensor 't': the extent 9223372036854775808 is absurd");
  // Their product is 2^64, which would look like zero.
  CHECK(says_of("F32", "[4294967296,4294967296]", "[0,4]") ==
        "tensor 't': shape: (4294967296,) times 4294967296 has too many elements");
  // As bytes this one would be 2^64 + 4.
  CHECK(says_of("F32", "[4611686018427387905]", "[0,4]") ==
        "tensor 't': the extent 4611686018427387905 is absurd");
  CHECK(says_of("F32", "[1]", "[4,0]") ==
        "tensor 't': offsets 4 to 0 are outside the 4 bytes of data");
  CHECK(says_of("F32", "[1]", "[0,8]") ==
        "tensor 't': offsets 0 to 8 are outside the 4 bytes of data");
  CHECK(says_of("F32", "[1]", "[18446744073709551612,18446744073709551615]") ==
        "tensor 't': offsets 18446744073709551612 to 18446744073709551615 are outside the 4 bytes "
        "of data");
  CHECK(says_of("F32", "[2]", "[0,4]") ==
        "tensor 't': the shape (2,) of F32 does not fill its 4 bytes");
  CHECK(says_of("F64", "[1]", "[0,4]") ==
        "tensor 't': the shape (1,) of F64 does not fill its 4 bytes");
  CHECK(says_of("U8", "[0]", "[0,4]") ==
        "tensor 't': the shape (0,) of U8 does not fill its 4 bytes");
}

TEST_CASE("tensors that overlap, holes and surplus bytes are refused") {
  const TemporaryDirectory folder;
  const auto of = [&](const std::string& second, std::size_t data) {
    const std::string header =
        message("{", entry("a", "U8", "[4]", "[0,4]"), ",", entry("b", "U8", "[4]", second), "}");
    const std::string text = says(folder, safetensors(header, data));
    return text.substr(0, text.find(", from"));  // which depends on the header's length
  };
  CHECK(of("[4,8]", 8) == "nothing");
  CHECK(of("[2,6]", 6) == "tensors overlap at offset 2 of the data");
  CHECK(of("[0,4]", 4) == "tensors overlap at offset 0 of the data");
  CHECK(of("[5,9]", 9) == "there is a hole at offset 4 of the data");
  CHECK(of("[4,8]", 9) == "surplus bytes follow the last tensor");
  CHECK(says(folder, safetensors("{}", 1)) ==
        "surplus bytes follow the last tensor, from offset 10");
}

TEST_CASE("only asking for a tensor of an unknown type fails") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  for (const std::string& dtype :
       {std::string("BOOL"), std::string("I8"), std::string("U16"), std::string("F8_E4M3"),
        std::string("F4"), std::string("f32"), std::string(), std::string("\\u001b[2J")}) {
    CAPTURE(dtype);
    const std::string header =
        message("{", entry("a", "F32", "[1]", "[0,4]"), ",", entry("odd", dtype, "[3]", "[4,7]"),
                ",", entry("z", "F32", "[1]", "[7,11]"), R"(,"__metadata__":null})");
    write_bytes(path, safetensors(header, 11));
    const io::SafetensorsFile file(path);
    CHECK(file.names() == std::vector<std::string>{"a", "odd", "z"});
    CHECK(file.read<float>("a").item() == 0);
    CHECK(file.read<float>("z").item() == 0);
    CHECK(file.shape("odd") == Shape{3});
    CHECK(file.metadata().empty());
    const std::string wanted = dtype[0] == '\\' ? "\\x1b[2J" : dtype;
    const std::string says =
        message(path.string(), ": tensor 'odd' is of type ", wanted, ", which is not supported");
    CHECK(complaint([&] { file.read<float>("odd"); }) == says);
    CHECK(complaint([&] { file.type("odd"); }) == says);
  }
}

TEST_CASE("only asking for a tensor of too many dimensions fails") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  const auto write = [&](const std::string& dtype, const std::string& offsets) {
    const std::string header =
        message("{", entry("a", "F32", "[1]", "[0,4]"), ",",
                entry("deep", dtype, "[1,1,1,1,1,1,1,1,4611686018427387904]", offsets), "}");
    write_bytes(path, safetensors(header, 8));
  };
  for (const char* const dtype : {"F32", "F4"}) {
    write(dtype, "[4,8]");
    const io::SafetensorsFile file(path);
    CHECK(file.names() == std::vector<std::string>{"a", "deep"});
    CHECK(file.read<float>("a").item() == 0);
    const std::string says = message(path.string(),
                                     ": tensor 'deep' has 9 dimensions, but at most "
                                     "8 are read; save it in another shape");
    CHECK(complaint([&] { file.read<float>("deep"); }) == says);
    CHECK(complaint([&] { file.shape("deep"); }) == says);
  }
  write("F32", "[5,8]");
  CHECK(complaint([&] {
          io::SafetensorsFile{path};
        }).ends_with("there is a hole at offset 4 of the data"));
  write("F32", "[4,9]");
  CHECK(complaint([&] { io::SafetensorsFile{path}; }).ends_with("are outside the 8 bytes of data"));
}

TEST_CASE("the header of many tensors takes time by its length") {
  // 40,000 names took 40 seconds when each was compared with all before it.
  const TemporaryDirectory folder;
  const auto clocks = [&](int count) {
    std::string header = "{";
    for (int i = 0; i < count; ++i) {
      header += message(i == 0 ? "" : ",",
                        entry(message("t", i), "U8", "[1]", message("[", i, ",", i + 1, "]")));
    }
    write_bytes(folder / "x", safetensors(header + "}", static_cast<std::size_t>(count)));
    const std::clock_t start = std::clock();
    CHECK(io::SafetensorsFile(folder / "x").names().size() == static_cast<std::size_t>(count));
    return static_cast<double>(std::clock() - start);
  };
  // Eight times as many names take eight times as long, not 64 times.
  CHECK(clocks(40'000) < 30 * std::max(clocks(5'000), clocks(5'000)));
}

TEST_CASE("names in messages are escaped and shortened") {
  const TemporaryDirectory folder;
  const auto of = [&](const std::string& name) {
    return says(folder, safetensors(message("{", entry(name, "F32", "[2]", "[0,4]"), "}"), 4));
  };
  CHECK(of(R"(a\u001b[31m\nb)") ==
        R"(tensor 'a\x1b[31m\nb': the shape (2,) of F32 does not fill its 4 bytes)");
  CHECK(of("\xc2\x9b") == R"(tensor '\u{9b}': the shape (2,) of F32 does not fill its 4 bytes)");
  CHECK(of(std::string(1'000'000, 'a')).size() < 250);
  CHECK(says(folder, safetensors(R"({"__metadata__":{"a\u0007":1}})", 0)) ==
        R"(the metadata 'a\x07' is not a string)");
}

TEST_CASE("cut-off and damaged safetensors give errors or tensors, never a crash") {
  const TemporaryDirectory folder;
  const auto path = folder / "x.safetensors";
  io::write_safetensors<float>(
      path, {{"a", Tensor<float>::arange(5)}, {"b", Tensor<float>::ones({2, 2})}},
      io::StoredType::kF32, {{"format", "pt"}});
  const std::string good = read_bytes(path);
  REQUIRE(says(folder, good) == "nothing");
  int accepted = 0;
  for (std::size_t length = 0; length < good.size(); ++length) {
    if (says(folder, good.substr(0, length)) == "nothing") ++accepted;
  }
  CHECK(accepted == 0);
  Random random(13);
  for (int i = 0; i < 4000; ++i) {
    std::string bytes = good;
    const std::int64_t place = random.below(static_cast<std::int64_t>(bytes.size()));
    bytes[static_cast<std::size_t>(place)] = static_cast<char>(random.below(256));
    CHECK_NOTHROW(says(folder, bytes));  // which lets through what is not a sfumato::Error
  }
}

}  // namespace sfumato::io_safetensors_hostile_test
