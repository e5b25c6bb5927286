// Texts in PNG files, and the hashes of files.

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/png_text.hpp"
#include "sfumato/io/sha256.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_png_text_test {

namespace {

std::string hash_of(const std::string& text, std::size_t piece) {
  io::Sha256 hash;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string part = text.substr(at, piece);
    hash.add({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
  }
  return hash.hex();
}

}  // namespace

TEST_CASE("hashes are those of the standard's examples") {
  CHECK(hash_of("abc", 1) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash_of("", 1) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string a_million(1000000, 'a');
  const std::string hash = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  for (const std::size_t piece : {63U, 64U, 65U, 1000000U})
    CHECK(hash_of(a_million, piece) == hash);
  // The length stands in the last block, or in one of its own.
  CHECK(hash_of(std::string(55, 'a'), 64) ==
        "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  CHECK(hash_of(std::string(56, 'a'), 64) ==
        "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  const TemporaryDirectory folder;
  io::write_file_atomically((folder / "abc"), "abc");
  CHECK(io::sha256_of_file((folder / "abc")) == hash_of("abc", 3));
}

TEST_CASE("a PNG keeps texts, which change no pixel") {
  const TemporaryDirectory folder;
  const std::filesystem::path path = (folder / "a.png");
  auto pixels = Tensor<std::uint8_t>::full({2, 3, 3}, 7);
  const std::string text = "{\"name\": \"Ölbild\"}";
  io::write_image(path, pixels, 95, {{"a", text}, {"b", ""}});
  CHECK(io::read_png_text(path, "a") == text);
  CHECK(io::read_png_text(path, "b") == "");
  CHECK_FALSE(io::read_png_text(path, "c"));
  CHECK_FALSE(io::read_png_text(path, ""));
  CHECK(io::read_image(path).to_vector() == pixels.to_vector());
  io::write_image((folder / "a.jpg"), pixels, 95, {{"a", text}});
  CHECK(complaint([&] { io::read_png_text((folder / "a.jpg"), "a"); }).find("this is no PNG") !=
        std::string::npos);
  CHECK(complaint([&] { io::read_png_text(path, "a", 5); }).find("at most 5 are read") !=
        std::string::npos);
  for (const std::string keyword : {"", "two words", "\xC3\x96l"}) {
    CHECK_THROWS_AS(io::write_image(path, pixels, 95, {{keyword, text}}), ValueError);
  }
  CHECK_THROWS_AS(io::write_image(path, pixels, 95, {{std::string(80, 'a'), text}}), ValueError);
  CHECK(io::read_png_text(path, "a") == text);
}

TEST_CASE("damaged PNGs have no text, or an error says so") {
  const TemporaryDirectory folder;
  const std::filesystem::path path = (folder / "a.png");
  io::write_image(path, Tensor<std::uint8_t>::full({2, 3, 3}, 7), 95, {{"a", "text"}});
  const std::vector<std::uint8_t> whole = io::FileReader(path).read_all(1000);
  int refused = 0;
  const auto try_to_read = [&](const std::vector<std::uint8_t>& bytes) {
    io::write_file_atomically(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    try {
      const auto text = io::read_png_text(path, "a");
      CHECK((!text || *text == "text"));
    } catch (const IoError&) {
      ++refused;
    }
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    try_to_read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)});
    auto changed = whole;
    changed[i] ^= 0xFF;
    try_to_read(changed);
  }
  CHECK(refused > 60);
}

}  // namespace sfumato::io_png_text_test
