#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sfumato {

namespace detail {

/// One character of a text in UTF-8.
struct Utf8Character {
  std::uint32_t code;  ///< the code point, or the byte itself where `valid` is false
  std::size_t bytes;
  bool valid;
};

/// The first character of `text`, which must not be empty. A byte that begins no valid character,
/// overlong forms and surrogates included, stands for itself. The Unicode standard, table 3-7.
inline Utf8Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  const Utf8Character invalid{lead, 1, false};
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return invalid;
  std::uint32_t code = lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return invalid;
    code = code << 6 | (byte(i) & 0x3FU);
  }
  const std::uint32_t least = bytes == 2 ? 0x80 : bytes == 3 ? 0x800 : 0x10000;
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < least || code > 0x10FFFF || surrogate ? invalid : Utf8Character{code, bytes, true};
}

/// Whether a character would steer a terminal, end the line, or be seen nowhere or elsewhere than
/// where it stands: controls, separators of lines, marks of direction, what has no width, tags.
constexpr bool is_unprintable(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x61C ||
         code == 0x180E || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
         code == 0xFEFF || (code >= 0xFFF0 && code <= 0xFFFB) || (code & 0xFFFE) == 0xFFFE ||
         (code >= 0xE0000 && code <= 0xE0FFF);
}

inline std::string escaped(const Utf8Character& character) {
  if (character.code == '\n') return "\\n";
  if (character.code == '\t') return "\\t";
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (std::uint32_t rest = character.code; rest > 0 || digits.size() < 2; rest >>= 4) {
    digits.insert(digits.begin(), kDigits[rest & 0xF]);
  }
  return character.code < 0x80 || !character.valid ? "\\x" + digits : "\\u{" + digits + "}";
}

}  // namespace detail

/// Text of unknown origin, such as a name from a file, as one line that any terminal can show:
/// control characters, invisible ones and bytes that are not UTF-8 become `\n`, `\x1b` or
/// `\u{202e}`.
inline std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const detail::Utf8Character character = detail::first_character(text);
    if (character.valid && !detail::is_unprintable(character.code)) {
      result += text.substr(0, character.bytes);
    } else {
      result += detail::escaped(character);
    }
    text.remove_prefix(character.bytes);
  }
  return result;
}

/// The same for an error message, in which a long text would hide what is wrong: of one with more
/// than `most` bytes only the beginning and the end are shown, and how long it is.
inline std::string excerpt(std::string_view text, std::size_t most = 120) {
  if (text.size() <= most) return printable(text);
  const auto inside = [&](std::size_t place) {  // not where a character begins
    return (static_cast<std::uint8_t>(text[place]) & 0xC0) == 0x80;
  };
  std::size_t begin = most * 2 / 3;
  std::size_t end = text.size() - most / 3;
  // No character has more than three bytes after its first.
  for (int i = 0; i < 3 && begin > 0 && inside(begin); ++i) --begin;
  for (int i = 0; i < 3 && end < text.size() && inside(end); ++i) ++end;
  return printable(text.substr(0, begin)) + "…" + printable(text.substr(end)) + " (" +
         std::to_string(text.size()) + " bytes)";
}

}  // namespace sfumato
