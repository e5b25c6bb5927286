// Text of unknown origin in messages: one line, nothing that steers a terminal.

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "sfumato/core/error.hpp"
#include "sfumato/core/random.hpp"

namespace sfumato::core_printable_test {

TEST_CASE("what can be shown is shown as it is") {
  for (const char* const text :
       {"", "features.0.weight", "Grüße, мир, 世界, 🎨", "a\\b 'c' \"d\""}) {
    CHECK(printable(text) == text);
  }
}

TEST_CASE("control characters, invisible ones and bytes that are no UTF-8 are escaped") {
  CHECK(printable("a\nb\tc\rd") == R"(a\nb\tc\x0dd)");
  CHECK(printable("\x1b[2J\x7f\x07") == R"(\x1b[2J\x7f\x07)");
  CHECK(printable(std::string_view("\0x", 2)) == R"(\x00x)");
  CHECK(printable("\xc2\x9b"
                  "31m") == R"(\u{9b}31m)");  // C1, which is ESC [ in one
  CHECK(printable("\x9b"
                  "31m") == R"(\x9b31m)");
  CHECK(printable("\u202e\u2066\u200b\u2028\ufeff") ==
        R"(\u{202e}\u{2066}\u{200b}\u{2028}\u{feff})");
  CHECK(printable("\xff\xfe\xc0\x80") == R"(\xff\xfe\xc0\x80)");  // overlong
  CHECK(printable("\xed\xa0\x80") == R"(\xed\xa0\x80)");          // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == R"(\xf4\x90\x80\x80)");  // beyond Unicode
  CHECK(printable("\xe4\xb8") == R"(\xe4\xb8)");                  // cut off
  CHECK(printable("\xf3\xa0\x81\x81") == R"(\u{e0041})");         // a tag
  CHECK(printable("\xf0\x9f\xbf\xbe") == R"(\u{1fffe})");         // none at all
}

TEST_CASE("no bytes whatever get through to a terminal") {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (int j = 0; j < 40; ++j) text += static_cast<char>(random.below(256));
    const std::string shown = printable(text);
    for (std::size_t j = 0; j < shown.size(); ++j) {
      const auto byte = static_cast<unsigned char>(shown[j]);
      REQUIRE(byte >= 0x20);
      REQUIRE(byte != 0x7f);
      if (byte == 0xc2) REQUIRE(static_cast<unsigned char>(shown[j + 1]) >= 0xa0);
    }
    REQUIRE(printable(shown) == shown);
  }
}

TEST_CASE("of a long text the beginning, the end and the length are shown") {
  CHECK(excerpt("short") == "short");
  CHECK(excerpt(std::string(100, 'a') + "end", 30) ==
        std::string(20, 'a') + "…aaaaaaaend (103 bytes)");
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "ü";
  CHECK(excerpt(umlauts, 9) == "üüü…ü (200 bytes)");
  CHECK(excerpt(std::string(100'000, '\n')).size() < 300);
  CHECK(excerpt(std::string(1000, '\x80'), 6) == R"(\x80… (1000 bytes))");
}

TEST_CASE("every error is one line") {
  CHECK(std::string(IoError("tensor 'a\nb\x1b[0m'").what()) == R"(tensor 'a\nb\x1b[0m')");
  CHECK(std::string(ValueError(message("x", "\r")).what()) == R"(x\x0d)");
}

TEST_CASE("numbers in a message have the digits that they need") {
  CHECK(message(0.1, " and ", 0.1F, " and ", 1e20, " and ", 2.5e-7) ==
        "0.1 and 0.1 and 1e+20 and 2.5e-07");
  CHECK(message(-3, " and ", std::size_t{7}, " and ", 100.0, " and ", std::nan("")) ==
        "-3 and 7 and 100 and nan");
  CHECK(message(std::int8_t{65}, " and ", std::uint8_t{66}) == "65 and 66");
}

TEST_CASE("a letter in a message is that letter, and no number") {
  const char letter = 'x';
  CHECK(message("expected '", letter, "', not ", '7') == "expected 'x', not 7");
  CHECK(std::string(ValueError(message('a', '\n')).what()) == R"(a\n)");
}

}  // namespace sfumato::core_printable_test
