#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neural_style/markup.hpp"
#include "page.hpp"
#include "sfumato/io/sha256.hpp"

namespace studio {

/// The page, and the policy that lets it run its own script and use its own styles, by their
/// hashes, and nothing else.
struct Document {
  std::string text;
  std::string policy;
};

namespace detail {

/// "'sha256-…'" (Content Security Policy, level 3).
inline std::string source_of(std::string_view text) {
  sfumato::io::Sha256 hash;
  hash.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  const std::string digits = hash.hex();
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return "'sha256-" + neural_style::base64(bytes) + "'";
}

inline void put(std::string& text, std::string_view mark, std::string_view what) {
  text.replace(text.find(mark), mark.size(), what);
}

}  // namespace detail

inline Document studio_document() {
  Document document{std::string(kPageHtml), ""};
  detail::put(document.text, "/*styles*/", kPageCss);
  detail::put(document.text, "/*script*/", kPageJs);
  document.policy =
      "default-src 'none'; script-src " + detail::source_of(kPageJs) + "; style-src " +
      detail::source_of(kPageCss) +
      "; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
      "frame-ancestors 'none'";
  return document;
}

}  // namespace studio
