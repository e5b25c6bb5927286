// Zip archives: stored and deflated entries, checksums, and sizes that are claimed.

#include <doctest/doctest.h>
#include <zip.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npz.hpp"
#include "sfumato/io/pytorch.hpp"
#include "sfumato/io/zip.hpp"
#include "support/complaint.hpp"
#include "support/pytorch_file.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_zip_test {

namespace {

struct Entry {
  std::string name;
  std::string content;
  zip_int32_t method = ZIP_CM_STORE;
};

/// The bytes of an archive.
std::string archive_of(const std::vector<Entry>& entries, const char* password = nullptr) {
  const TemporaryDirectory folder;
  const auto path = folder / "x.zip";
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  REQUIRE(archive != nullptr);
  for (const Entry& entry : entries) {
    const zip_int64_t index =
        zip_file_add(archive, entry.name.c_str(),
                     zip_source_buffer(archive, entry.content.data(), entry.content.size(), 0), 0);
    REQUIRE(index >= 0);
    const auto place = static_cast<zip_uint64_t>(index);
    zip_set_file_compression(archive, place, entry.method, 0);
    if (password != nullptr) zip_file_set_encryption(archive, place, ZIP_EM_AES_128, password);
  }
  REQUIRE(zip_close(archive) == 0);
  return read_bytes(path);
}

/// What reading `count` bytes of the entry "x" from `offset` on gives, or says.
std::string read(const std::string& bytes, std::uint64_t offset, std::uint64_t count) {
  const TemporaryDirectory folder;
  write_bytes(folder / "x.zip", bytes);
  std::string content;
  const std::string says = complaint([&] {
    const io::ZipReader archive(folder / "x.zip");
    const auto read = archive.read("x", offset, count);
    content.assign(read.begin(), read.end());
  });
  return says == "nothing" ? content : says.substr(says.find("x.zip: ") + 7);
}

/// The archive with a number of four bytes changed in its directory, of one entry, at the end.
std::string with_claim(std::string bytes, std::size_t place, std::uint32_t value) {
  const std::size_t directory = bytes.find("PK\x01\x02");
  REQUIRE(directory != std::string::npos);
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[directory + place + i] = static_cast<char>(value >> (8 * i) & 0xFF);
  }
  return bytes;
}
const std::string kWrongChecksum =
    "entry x is damaged: its checksum is wrong, or it was saved with checksums turned off, as "
    "torch.serialization.set_crc32_options(False) does; save it again with them";
constexpr std::size_t kChecksum = 16;
constexpr std::size_t kCompressedSize = 20;
constexpr std::size_t kSize = 24;

}  // namespace

TEST_CASE("stored and deflated entries are read whole and in part") {
  std::string content(100'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * i >> 8);
  for (const zip_int32_t method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const TemporaryDirectory folder;
    write_bytes(folder / "x.zip", archive_of({{"y", "other", method}, {"x", content, method}}));
    const io::ZipReader archive(folder / "x.zip");
    CHECK(archive.names() == std::vector<std::string>{"y", "x"});
    CHECK(archive.size("x") == content.size());
    CHECK_FALSE(archive.size("z"));
    const auto part = [&](std::size_t offset, std::size_t count) {
      const auto bytes = archive.read("x", offset, count);
      return std::string(bytes.begin(), bytes.end()) == content.substr(offset, count);
    };
    CHECK(part(99'990, 10));  // before the whole has been read, and after
    CHECK(part(0, content.size()));
    CHECK(part(70'001, 3));
    CHECK(archive.read("y", 1, 2) == std::vector<std::uint8_t>{'t', 'h'});
    CHECK(part(3, 70'000));
    CHECK(archive.read("x", content.size(), 0).empty());
    CHECK(complaint([&] {
            archive.read("x", 99'999, 2);
          }).ends_with("entry x has 100000 bytes, but 2 at offset 99999 are needed"));
  }
}

TEST_CASE("wrong checksums are found, also where only a part is read") {
  const std::string content(50'000, 'c');
  for (const zip_int32_t method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const std::string good = archive_of({{"x", content, method}});
    CHECK(read(good, 0, content.size()) == content);
    const std::string wrong = with_claim(good, kChecksum, 12345);
    CHECK(read(wrong, 0, content.size()) == kWrongChecksum);
    CHECK(read(wrong, 10, 3) == kWrongChecksum);
  }
  std::string flipped = archive_of({{"x", content}});
  flipped[flipped.find("cccc") + 30'000] = 'd';
  CHECK(read(flipped, 0, 3) == kWrongChecksum);
  CHECK(read(with_claim(archive_of({{"x", ""}}), kChecksum, 1), 0, 0) == kWrongChecksum);
}

TEST_CASE("empty entries are read without asking for anything") {
  for (const zip_int32_t method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    CHECK(read(archive_of({{"x", "", method}}), 0, 0).empty());
    CHECK(read(archive_of({{"x", "", method}}), 0, 1) ==
          "entry x has 0 bytes, but 1 at offset 0 are needed");
  }
}

TEST_CASE("sizes that are claimed are not believed") {
  const std::string stored = archive_of({{"x", "12345"}});
  CHECK(read(with_claim(stored, kSize, 6), 0, 6) ==
        "entry x is damaged: its size is 6 bytes and, stored, 5");
  CHECK(read(with_claim(stored, kCompressedSize, 0), 0, 5) ==
        "entry x is damaged: its size is 5 bytes and, stored, 0");
  CHECK(read(with_claim(with_claim(stored, kSize, 5000), kCompressedSize, 5000), 0, 5000)
            .starts_with("entry x claims 5000 bytes but the file has "));
  const std::string deflated = archive_of({{"x", std::string(5000, 'c'), ZIP_CM_DEFLATE}});
  CHECK(read(with_claim(deflated, kSize, 300 << 20), 0, 1) ==
        message("entry x claims to expand from ",
                static_cast<int>(deflated.find("PK\x01\x02") - 31),
                " bytes to 314572800, which is more than is allowed; save it without compression"));
  CHECK(read(with_claim(deflated, kSize, 200 << 20), 0, 200 << 20) ==
        "entry x is damaged: it ends too early or can't be expanded");
  CHECK(read(with_claim(deflated, kSize, 4000), 0, 4000) ==
        "entry x is damaged: it is longer than it claims");
  CHECK(read(with_claim(deflated, kCompressedSize, 0), 0, 1) ==
        "entry x is damaged: its size is 5000 bytes and, stored, 0");
}

TEST_CASE("what can't be read is refused by what it is") {
  const std::string encrypted = archive_of({{"x", "secret"}}, "password");
  CHECK(read(encrypted, 0, 6) == "entry x is encrypted; save the file without a password");
  std::string other = archive_of({{"x", "12345"}});
  other[other.find("PK\x01\x02") + 10] = 12;
  CHECK(read(other, 0, 5) ==
        "entry x is compressed by method 12; only stored and deflated ones are read");
  CHECK(read("PK, and nothing else", 0, 0) == "damaged: the zip archive can't be opened");
  CHECK(read(archive_of({{"y", ""}}), 0, 0) == "there is no entry x");
  std::string named = archive_of({{"y", "1234"}});
  const TemporaryDirectory folder;
  write_bytes(folder / "x.zip", named);
  const io::ZipReader archive(folder / "x.zip");
  CHECK(complaint([&] {
          archive.read("\x1b[31m\n", 0, 0);
        }).ends_with(R"(there is no entry \x1b[31m\n)"));
}

TEST_CASE("an archive that has a name twice is refused") {
  std::string bytes = archive_of({{"one.npy", "1"}, {"two\n.npy", "2"}, {"two\t.npy", "3"}});
  CHECK(read(bytes, 0, 0) == "there is no entry x");
  for (std::size_t at = 0; (at = bytes.find('\t', at)) != std::string::npos;) bytes[at] = '\n';
  CHECK(read(bytes, 0, 0) == R"(the name 'two\n.npy' stands twice in the archive)");
}

TEST_CASE("an array is found by its entry's name with .npy and without, as NumPy finds it") {
  const TemporaryDirectory folder;
  const auto array = [&](float value) {
    io::write_npy(folder / "a.npy", Tensor<float>::scalar(value));
    return read_bytes(folder / "a.npy");
  };
  write_bytes(
      folder / "x.npz",
      archive_of({{"a.npy", array(1)}, {"a", array(2)}, {"b", array(3)}, {"c.npy.npy", array(4)}}));
  const auto read = [&](const char* name) {
    return io::read_npz<float>(folder / "x.npz", name).item();
  };
  CHECK(read("a") == 2);
  CHECK(read("a.npy") == 1);
  CHECK(read("b") == 3);
  CHECK(read("c.npy") == 4);
  CHECK(complaint([&] { read("c"); }).ends_with("x.npz: there is no array 'c'"));
  CHECK(complaint([&] { read("b.npy"); }).ends_with("x.npz: there is no array 'b.npy'"));
}

TEST_CASE("an archive with two pickles is refused") {
  const TemporaryDirectory folder;
  const std::string pickle = message("}", pytorch_file::text("w"), "s.");
  write_bytes(folder / "x.pth", archive_of({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}));
  CHECK(complaint([&] { io::PytorchFile(folder / "x.pth"); })
            .ends_with("x.pth: data.pkl is in the archive twice, as 'a/data.pkl' and 'b/data.pkl'; "
                       "save the weights anew"));
}

TEST_CASE("deflated archives of tensors and arrays are read") {
  const TemporaryDirectory folder;
  using namespace pytorch_file;
  write_archive(folder / "x.pth", message("}", text("w"), tensor(8, 3, list({2}), list({1})), "s."),
                ZIP_CM_DEFLATE);
  CHECK(io::PytorchFile(folder / "x.pth").read<float>("w").to_vector() == std::vector<float>{3, 4});
  io::write_npy(folder / "a.npy", Tensor<float>::arange(24));
  write_bytes(folder / "x.npz",
              archive_of({{"a.npy", read_bytes(folder / "a.npy"), ZIP_CM_DEFLATE}}));
  CHECK(io::read_npz<float>(folder / "x.npz", "a").to_vector() ==
        Tensor<float>::arange(24).to_vector());
}

}  // namespace sfumato::io_zip_test
