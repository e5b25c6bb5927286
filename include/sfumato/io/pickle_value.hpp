#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato::io::detail {

/// A Python object as far as a pickle describes it.
struct PickleValue {
  enum class Kind {
    kNone,
    kInteger,  ///< also False and True
    kText,
    kOther,       ///< a float, bytes or a set: nothing that a tensor is described by
    kSequence,    ///< `items`
    kDictionary,  ///< `items`: keys and values in turn
    kGlobal,      ///< `items`: the texts of module and name
    kCall,        ///< `called`: function, arguments and state; `items`: as of a dictionary
    kPersistent   ///< `items`: the one value that says which object outside the pickle is meant
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;
  std::string text = {};
  std::vector<PickleValue*> items = {};
  std::vector<PickleValue*> called = {};

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_global(std::string_view module, std::string_view name) const {
    return kind == Kind::kGlobal && items[0]->text == module && items[1]->text == name;
  }
  /// Whether this is what a call of the function gives.
  bool is_call(std::string_view module, std::string_view name) const {
    return kind == Kind::kCall && called[0]->is_global(module, name);
  }
  /// The i-th argument of a call; nullptr where it has fewer.
  const PickleValue* argument(std::size_t i) const {
    const auto& arguments = called[1]->items;
    return i < arguments.size() ? arguments[i] : nullptr;
  }
  /// The value of a key that is a text, in a dictionary or a call's items; nullptr where it has
  /// none.
  const PickleValue* value_of(std::string_view key) const {
    if (kind != Kind::kDictionary && kind != Kind::kCall) return nullptr;
    const PickleValue* found = nullptr;  // the last of several counts, as in Python
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i]->is(Kind::kText) && items[i]->text == key) found = items[i + 1];
    }
    return found;
  }
};

}  // namespace sfumato::io::detail
