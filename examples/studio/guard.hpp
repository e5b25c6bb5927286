#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace studio {

/// Who may come in.
struct Door {
  std::string host;   ///< where it is served
  std::string token;  ///< what has to be shown; nothing on this machine's own address
};

/// What a request shows of itself.
struct Visitor {
  std::string method;
  std::string path;
  std::vector<std::string> hosts;    ///< every Host header
  std::vector<std::string> origins;  ///< every Origin header
  std::string site;                  ///< Sec-Fetch-Site
  std::string token;
};

/// Whether two texts are equal, in a time that does not tell how far they are.
inline bool same_secret(std::string_view given, std::string_view wanted) {
  unsigned difference = given.size() == wanted.size() ? 0 : 1;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const char letter = given.empty() ? '\0' : given[i % given.size()];
    difference |=
        unsigned{static_cast<unsigned char>(letter)} ^ static_cast<unsigned char>(wanted[i]);
  }
  return difference == 0;
}

namespace detail {

/// "localhost" of "LocalHost:8320", "[::1]" of "[::1]:8320".
inline std::string name_of_host(const std::string& host) {
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string::npos ? 0 : bracket);
  std::string name = host.substr(0, colon);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return name;
}

inline bool is_own(const std::string& name) {
  return name == "127.0.0.1" || name == "localhost" || name == "[::1]";
}

/// Whether a name is an address in numbers, which no name server has a say in.
inline bool is_number(const std::string& name) {
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    return name.find_first_not_of("0123456789abcdef:.", 1) == name.size() - 1;
  }
  return !name.empty() && name.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace detail

/// Whether an address can be reached from this machine alone.
inline bool is_loopback(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1";
}

/// Why a visitor may not come in; nothing if he may. A page of another origin can have a browser
/// send requests here, also under a name of its own that it has resolved anew meanwhile: so the
/// name in Host, the Origin and what the browser says of the site have to be ours.
inline std::string refusal(const Door& door, const Visitor& visitor) {
  if (visitor.hosts.size() != 1) return "a request needs one Host";
  const std::string& host = visitor.hosts.front();
  const std::string name = detail::name_of_host(host);
  const bool known = door.token.empty() ? detail::is_own(name)
                                        : detail::is_own(name) || detail::is_number(name) ||
                                              name == detail::name_of_host(door.host);
  if (!known) return "the studio is not served under this name";
  const bool changes = visitor.method != "GET" && visitor.method != "HEAD";
  if (visitor.origins.size() > 1 || (changes && visitor.origins.empty())) {
    return "a request that changes something needs an Origin";
  }
  for (const std::string& origin : visitor.origins) {
    if (origin != "http://" + host && origin != "https://" + host) return "another page's request";
  }
  // A link in another page may lead here, and to nothing else.
  if (visitor.path != "/" && !visitor.site.empty() && visitor.site != "same-origin" &&
      visitor.site != "none") {
    return "another page's request";
  }
  if (!door.token.empty() && !same_secret(visitor.token, door.token)) {
    return "the address lacks the token that the program printed at its start";
  }
  return "";
}

}  // namespace studio
