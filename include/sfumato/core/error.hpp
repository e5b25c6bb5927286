#pragma once

#include <charconv>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "sfumato/core/device.hpp"  // tells those who compile another language
#include "sfumato/core/printable.hpp"

namespace sfumato {

/// Base of every exception that sfumato throws: one line that names the op, the shapes or the file
/// offset, and the remedy. Whatever text from a file has got into it is made printable.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string_view what) : std::runtime_error(printable(what)) {}
};

/// Shapes that do not fit the op they were given to.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An argument outside the values that the op accepts.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A graph of operations used in a way that it does not allow, such as differentiated twice.
class GraphError : public Error {
 public:
  using Error::Error;
};

/// A file that can't be read or written, or does not hold what it says.
class IoError : public Error {
 public:
  using Error::Error;
};

/// Something that the system can't give: memory, a thread, a device.
class ResourceError : public Error {
 public:
  using Error::Error;
};

namespace detail {

inline std::string to_text(std::string_view text) {
  return std::string(text);
}
inline std::string to_text(const std::string& text) {
  return text;
}
inline std::string to_text(const char* text) {
  return text;
}
inline std::string to_text(char letter) {  // and no number
  return std::string(1, letter);
}

template <class Value>
std::string to_text(const Value& value) {
  if constexpr (requires { value.to_string(); }) {
    return value.to_string();
  } else if constexpr (std::is_floating_point_v<Value>) {
    // As few digits as tell it from its neighbours: 0.1, 1e+20. The sign of NaN means nothing.
    if (value != value) return "nan";
    char text[64];
    const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
    return std::string(text, end);
  } else {
    return std::to_string(value);
  }
}

/// An argument of message(), and what adds its text. Without types, so that what joins them is
/// compiled once, and not for each message.
struct MessagePart {
  const void* value;
  void (*add)(std::string& text, const void* value);
};

inline MessagePart message_part(const char* text) {
  return {text, [](std::string& to, const void* value) { to += static_cast<const char*>(value); }};
}

template <class Value>
MessagePart message_part(const Value& value) {
  return {&value, [](std::string& to, const void* erased) {
            to += to_text(*static_cast<const Value*>(erased));
          }};
}

inline std::string join(std::initializer_list<MessagePart> parts) {
  std::string text;
  for (const MessagePart& part : parts) part.add(text, part.value);
  return text;
}

}  // namespace detail

/// Joins its arguments (strings, letters, numbers, shapes) into one string; what error messages are
/// made of.
template <class... Parts>
std::string message(const Parts&... parts) {
  return detail::join({detail::message_part(parts)...});
}

}  // namespace sfumato
