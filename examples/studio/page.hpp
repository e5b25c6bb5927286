#pragma once

#include <string_view>

namespace studio {

// The files page.html, page.css and page.js, as the build embeds them (embed.cmake).
extern const std::string_view kPageHtml;
extern const std::string_view kPageCss;
extern const std::string_view kPageJs;

}  // namespace studio
