#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// What an option takes: how its text becomes a value and back.
struct Value {
  std::string wanted;  ///< "a whole number from 1 to 1024"
  /// Returns false, having set nothing, for a text that is not what is wanted.
  std::function<bool(Arguments&, const std::string&)> read;
  std::function<std::string(const Arguments&)> show;  ///< nothing where nothing is set
  std::vector<std::string> words = {};                ///< where it is one of a few
};

/// Where a value is kept, by a member of Arguments or of the library's options in it.
template <class Field>
auto at(Field Arguments::*member) {
  return [member](auto& a) -> auto& {
    return a.*member;
  };
}
template <class Field>
auto at(Field sfumato::style::TransferOptions::*member) {
  return [member](auto& a) -> auto& {
    return a.transfer.*member;
  };
}
template <class Field>
auto at(Field sfumato::style::PictureOptions::*member) {
  return [member](auto& a) -> auto& {
    return a.pictures.*member;
  };
}
template <class Field>
auto at(Field sfumato::style::ObjectiveOptions::*member) {
  return [member](auto& a) -> auto& {
    return a.transfer.objective.*member;
  };
}

template <class Field>
auto at(Field sfumato::nn::VggOptions::*member) {
  return [member](auto& a) -> auto& {
    return a.network.*member;
  };
}

namespace detail {

/// A number in its shortest form that reads as the same.
template <class T>
std::string show_number(T value) {
  std::array<char, 64> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  std::string number(text.data(), end);
  if (const std::size_t plus = number.find("e+"); plus != std::string::npos)
    number.erase(plus + 1, 1);
  return number;
}

/// All of a text as a finite number, in decimal digits; nothing for a text that is none.
template <class T>
std::optional<T> read_number(const std::string& text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  if constexpr (std::floating_point<T>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

/// "a, b or c".
inline std::string alternatives(const std::vector<std::string>& words) {
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    all += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return all;
}

}  // namespace detail

/// A number that is at least `least` and at most `most`.
template <class Get, class T>
Value number(Get get, T least, T most) {
  return {sfumato::message(std::integral<T> ? "a whole number" : "a number", " from ",
                           detail::show_number(least), " to ", detail::show_number(most)),
          [=](Arguments& a, const std::string& text) {
            const std::optional<T> value = detail::read_number<T>(text);
            const bool fits = value && *value >= least && *value <= most;
            if (fits) get(a) = *value;
            return fits;
          },
          [=](const Arguments& a) -> std::string {
            const std::optional<T> value = get(a);
            return value ? detail::show_number(*value) : "";
          }};
}

/// A number above 0 that is at most `most`.
template <class Get>
Value positive(Get get, double most) {
  Value value = number(get, std::numeric_limits<double>::denorm_min(), most);
  value.wanted = sfumato::message("a number above 0 and at most ", detail::show_number(most));
  return value;
}

/// Any text but an empty one; some of them may have a meaning of their own.
template <class Get>
Value words(Get get, const char* wanted, const std::vector<std::string>& known = {}) {
  return {wanted,
          [=](Arguments& a, const std::string& text) {
            if (!text.empty()) get(a) = text;
            return !text.empty();
          },
          [=](const Arguments& a) { return get(a); }, known};
}

/// One of a few words.
template <class Get>
Value choice(Get get, const std::vector<std::string>& allowed) {
  return {detail::alternatives(allowed),
          [=](Arguments& a, const std::string& text) {
            const bool known = std::find(allowed.begin(), allowed.end(), text) != allowed.end();
            if (known) get(a) = text;
            return known;
          },
          [=](const Arguments& a) { return get(a); }, allowed};
}

/// One of a few words, each of which means a value.
template <class Get, class T>
Value meaning(Get get, const std::vector<std::pair<std::string, T>>& meanings) {
  std::vector<std::string> words;
  for (const auto& [word, value] : meanings) words.push_back(word);
  return {detail::alternatives(words),
          [=](Arguments& a, const std::string& text) {
            for (const auto& [word, value] : meanings) {
              if (word != text) continue;
              get(a) = value;
              return true;
            }
            return false;
          },
          [=](const Arguments& a) -> std::string {
            for (const auto& [word, value] : meanings) {
              if (get(a) == value) return word;
            }
            return "";
          },
          words};
}

namespace detail {
/// What stands between the commas of a text; nothing where one of it is empty or has a space.
inline std::optional<std::vector<std::string>> split_list(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    if (words.back().empty() || words.back().find(' ') != std::string::npos) return std::nullopt;
    begin = end + 1;
  }
  return words;
}
}  // namespace detail

/// Numbers that are at least 0, with commas between them.
template <class Get>
Value numbers(Get get) {
  return {"numbers from 0 with commas between them",
          [=](Arguments& a, const std::string& text) {
            std::vector<double> numbers;
            for (const std::string& word :
                 detail::split_list(text).value_or(std::vector<std::string>{""})) {
              const std::optional<double> number = detail::read_number<double>(word);
              if (!number || *number < 0.0) return false;
              numbers.push_back(*number);
            }
            get(a) = numbers;
            return true;
          },
          [=](const Arguments& a) {
            std::string all;
            for (const double number : get(a)) {
              if (!all.empty()) all += ',';
              all += detail::show_number(number);
            }
            return all;
          }};
}

/// Words with commas between them.
template <class Get>
Value list(Get get) {
  return {"words with commas between them",
          [=](Arguments& a, const std::string& text) {
            const auto words = detail::split_list(text);
            if (words) get(a) = *words;
            return words.has_value();
          },
          [=](const Arguments& a) {
            std::string all;
            for (const std::string& word : get(a)) all += (all.empty() ? "" : ",") + word;
            return all;
          }};
}

/// A file name, one more with each text.
template <class Get>
Value files(Get get) {
  return {"a file name",
          [=](Arguments& a, const std::string& text) {
            if (!text.empty()) get(a).push_back(text);
            return !text.empty();
          },
          [=](const Arguments& a) {
            std::string all;
            for (const std::string& file : get(a)) all += (all.empty() ? "" : ", ") + file;
            return all;
          }};
}

/// A file or a folder, and behind its last = how much it counts; one more with each text.
template <class Get>
Value styles(Get get) {
  return {"a file or a folder, and its weight after = if that is not 1, a number above 0",
          [=](Arguments& a, const std::string& text) {
            NamedStyle style{text};
            const std::size_t equals = text.rfind('=');
            std::error_code ignored;
            if (equals != std::string::npos && !std::filesystem::exists(text, ignored)) {
              if (const auto weight = detail::read_number<double>(text.substr(equals + 1))) {
                style = {text.substr(0, equals), *weight};
              }
            }
            const bool fits = !style.path.empty() && style.weight > 0.0;
            if (fits) get(a).push_back(style);
            return fits;
          },
          [=](const Arguments& a) {
            std::string all;
            for (const NamedStyle& style : get(a)) {
              all += (all.empty() ? "" : ", ") + style.path +
                     (style.weight == 1.0 ? "" : "=" + detail::show_number(style.weight));
            }
            return all;
          }};
}

/// One or two options with lists of values: "content-weight=1,10,style-weight=1e3,1e4".
template <class Get>
Value grid(Get get) {
  return {"one or two options with lists of values, such as content-weight=1,10,style-weight=1e3",
          [=](Arguments& a, const std::string& text) {
            constexpr std::size_t kMost = 2;
            std::vector<GridAxis> axes;
            for (const std::string& word :
                 detail::split_list(text).value_or(std::vector<std::string>{})) {
              const std::size_t equals = word.find('=');
              if (equals != std::string::npos) axes.push_back({word.substr(0, equals), {}});
              const std::string value =
                  equals == std::string::npos ? word : word.substr(equals + 1);
              if (axes.empty() || axes.size() > kMost || value.empty()) return false;
              axes.back().values.push_back(value);
            }
            if (axes.empty()) return false;
            get(a) = axes;
            return true;
          },
          [=](const Arguments& a) {
            std::string all;
            for (const GridAxis& axis : get(a)) {
              all += (all.empty() ? "" : ",") + axis.option + "=";
              for (std::size_t i = 0; i < axis.values.size(); ++i) {
                all += (i == 0 ? "" : ",") + axis.values[i];
              }
            }
            return all;
          }};
}

/// Set or not.
template <class Get>
Value flag(Get get) {
  return {"nothing", [=](Arguments& a, const std::string&) { return get(a) = true; },
          [=](const Arguments& a) { return std::string(get(a) ? "set" : ""); }};
}

/// A part of many, by its number from 1: "2/8".
template <class Get>
Value part(Get get) {
  return {"K/N, such as 2/8, with K from 1 to N",
          [=](Arguments& a, const std::string& text) {
            const std::size_t slash = std::min(text.find('/'), text.size());
            const auto number = detail::read_number<std::int64_t>(text.substr(0, slash));
            const auto of =
                detail::read_number<std::int64_t>(text.substr(std::min(slash + 1, text.size())));
            const bool fits = number && of && *number >= 1 && *number <= *of;
            if (fits) get(a) = {*number, *of};
            return fits;
          },
          [=](const Arguments& a) -> std::string {
            return get(a).of == 1 ? "" : sfumato::message(get(a).number, "/", get(a).of);
          }};
}

/// That something is to be printed instead.
inline Value answer(const char* what) {
  return {"nothing",
          [=](Arguments& a, const std::string&) {
            a.answer = what;
            return true;
          },
          [](const Arguments&) { return std::string(); }};
}

}  // namespace neural_style
