#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/pickle_value.hpp"
#include "sfumato/io/pytorch_tensor.hpp"

/// Finds the state dictionaries in what torch.save() was given, wherever they are in it.
namespace sfumato::io::detail {

/// A dictionary, or a whole module, that holds tensors by name.
struct StateDictionary {
  std::string path;  ///< the keys that lead there, joined by dots; empty for the root
  std::map<std::string, PytorchTensor> tensors;
};

/// Walks through dictionaries, lists and modules without recursion, each once: a hostile pickle can
/// nest them deeply, in circles too.
class StateDictionaryFinder {
 public:
  explicit StateDictionaryFinder(const PickleValue& root) { visit(root, kRoot, ""); }

  /// All of them, in the order of the file; those called "optimizer…" where there are no others.
  /// Throws IoError for more tensors than any file has.
  std::vector<StateDictionary> find() {
    std::vector<StateDictionary> found;
    for (std::size_t i = 0; i < places_.size() || (found.empty() && take_set_aside()); ++i) {
      StateDictionary dictionary;
      const bool module = collect_module(i, dictionary);
      if (!module) collect_items(i, dictionary);
      if (dictionary.tensors.empty()) continue;
      dictionary.path = path_of(i);
      found.push_back(std::move(dictionary));
    }
    return found;
  }

 private:
  using Kind = PickleValue::Kind;
  static constexpr std::size_t kRoot = ~std::size_t{0};
  static constexpr std::size_t kMostLetters = 512;

  struct Place {
    const PickleValue* value;
    std::size_t parent;
    std::string_view key;  ///< of the pickle's own text
  };

  /// Remembers a value for its turn. An optimiser's state holds no weights, though it may have
  /// their names.
  void visit(const PickleValue& value, std::size_t parent, std::string_view key) {
    const bool container =
        value.is(Kind::kDictionary) || value.is(Kind::kSequence) || value.is(Kind::kCall);
    if (container && key.starts_with("optimizer")) {
      set_aside_.push_back({&value, parent, key});
    } else if (container) {
      add_place({&value, parent, key});
    }
  }
  void add_place(const Place& place) {
    if (!seen_.insert(place.value).second) return;
    const bool optimizer = place.value->value_of("state") != nullptr &&
                           place.value->value_of("param_groups") != nullptr;
    if (!optimizer) places_.push_back(place);
  }
  /// Whether there is anything to look at in what was set aside.
  bool take_set_aside() {
    const std::size_t before = places_.size();
    for (const Place& place : std::exchange(set_aside_, {})) add_place(place);
    return places_.size() > before;
  }

  std::string path_of(std::size_t place) const {
    std::string path;
    constexpr int kMostLevels = 256;
    for (int level = 0; place != kRoot && level < kMostLevels && path.size() < kMostLetters;
         ++level, place = places_[place].parent) {
      const std::string_view key = places_[place].key.substr(0, kMostLetters);
      if (key.empty()) continue;
      path = path.empty() ? std::string(key) : message(key, ".", path);
    }
    return path;
  }

  void add(StateDictionary& dictionary, const std::string& name, PytorchTensor tensor) {
    constexpr std::size_t kMostTensors = 300'000;
    if (++tensors_ > kMostTensors) throw IoError("more tensors than any state dictionary has");
    dictionary.tensors.insert_or_assign(name, std::move(tensor));
  }

  /// The tensors of a dictionary by their names; what else it holds gets its turn.
  void collect_items(std::size_t place, StateDictionary& dictionary) {
    const PickleValue& value = *places_[place].value;
    if (value.is(Kind::kSequence)) {
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        numbers_.push_back(std::to_string(i));
        visit(*value.items[i], place, numbers_.back());
      }
      return;
    }
    // Python 2 writes an OrderedDict as a call with a list of pairs.
    if (value.is_call("collections", "OrderedDict") && value.argument(0) != nullptr &&
        seen_.insert(value.argument(0)).second) {
      for (const PickleValue* pair : value.argument(0)->items) {
        if (pair->is(Kind::kSequence) && pair->items.size() == 2) {
          collect_item(place, *pair->items[0], *pair->items[1], dictionary);
        }
      }
    }
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      collect_item(place, *value.items[i], *value.items[i + 1], dictionary);
    }
    // The attributes of any other object.
    if (value.is(Kind::kCall) && value.called.size() > 2) visit(*value.called[2], place, "");
  }
  void collect_item(std::size_t place, const PickleValue& key, const PickleValue& value,
                    StateDictionary& dictionary) {
    // An optimiser's state has numbers for names.
    if (!key.is(Kind::kText) || key.text.size() > kMostLetters) return;
    if (auto tensor = describe_tensor(value)) {
      add(dictionary, key.text, std::move(*tensor));
    } else {
      visit(value, place, key.text);
    }
  }

  /// The tensors of a module that was saved whole, under the names that its state_dict() would
  /// have. Returns false for what is no module.
  bool collect_module(std::size_t place, StateDictionary& dictionary) {
    const PickleValue& root = *places_[place].value;
    if (!is_module(root)) return false;
    std::vector<std::pair<const PickleValue*, std::string>> modules{{&root, ""}};
    for (std::size_t i = 0; i < modules.size(); ++i) {
      const PickleValue* const module = modules[i].first;
      const std::string prefix = modules[i].second;
      for (const char* const kind : {"_parameters", "_buffers"}) {
        for_each_item(module->called[2]->value_of(kind), [&](const auto& key, const auto& value) {
          if (auto tensor = describe_tensor(value))
            add(dictionary, prefix + key, std::move(*tensor));
        });
      }
      for_each_item(module->called[2]->value_of("_modules"),
                    [&](const auto& key, const auto& value) {
                      const bool fits = prefix.size() + key.size() < kMostLetters;
                      if (is_module(value) && fits && seen_.insert(&value).second) {
                        modules.emplace_back(&value, prefix + key + ".");
                      }
                    });
    }
    return true;
  }
  static bool is_module(const PickleValue& value) {
    constexpr std::size_t kMostAttributes = 500;  // keys and values
    return value.is(Kind::kCall) && value.called.size() > 2 &&
           value.called[2]->items.size() <= kMostAttributes &&
           value.called[2]->value_of("_parameters") != nullptr;
  }
  template <class Use>
  void for_each_item(const PickleValue* dictionary, const Use& use) {
    if (dictionary == nullptr || !seen_.insert(dictionary).second) return;
    if (!dictionary->is(Kind::kDictionary) && !dictionary->is(Kind::kCall)) return;
    for (std::size_t i = 0; i + 1 < dictionary->items.size(); i += 2) {
      const PickleValue& key = *dictionary->items[i];
      if (key.is(Kind::kText) && key.text.size() <= kMostLetters) {
        use(key.text, *dictionary->items[i + 1]);
      }
    }
  }

  std::vector<Place> places_;
  std::vector<Place> set_aside_;
  std::deque<std::string> numbers_;  ///< keys of lists
  std::unordered_set<const PickleValue*> seen_;
  std::size_t tensors_ = 0;
};

/// The tensors of a file by their names, and where there is a choice, what it is.
struct PytorchNames {
  std::map<std::string, PytorchTensor> tensors;
  std::string choice;  ///< lists the dictionaries; empty where one of them is meant
};

/// Chooses the dictionary that is meant: "state_dict" if there is one of that name, the root if it
/// holds tensors itself, the only one there is. Else all tensors have the path to their dictionary
/// before their names, such as "ema.features.0.weight"; so have those below a root with tensors.
inline PytorchNames choose_names(std::vector<StateDictionary> found) {
  const auto at = [&](std::string_view path) {
    return std::find_if(found.begin(), found.end(),
                        [&](const StateDictionary& dictionary) { return dictionary.path == path; });
  };
  PytorchNames names;
  auto meant = at("state_dict");
  const bool has_root = meant == found.end() && at("") != found.end();
  if (meant == found.end() && found.size() == 1) meant = found.begin();
  if (meant != found.end()) {
    names.tensors = std::move(meant->tensors);
    return names;
  }
  constexpr std::size_t kMostListed = 8;
  for (std::size_t i = 0; i < found.size(); ++i) {
    StateDictionary& dictionary = found[i];
    if (!has_root && i < kMostListed) {
      names.choice += message(i == 0 ? "" : ", ", "'", excerpt(dictionary.path), "' with ",
                              dictionary.tensors.size(), " tensors");
    }
    const std::string prefix = dictionary.path.empty() ? "" : dictionary.path + ".";
    for (auto& [name, tensor] : dictionary.tensors) {
      const auto [place, added] = names.tensors.emplace(prefix + name, std::move(tensor));
      if (!added) place->second.unsupported = " is the name of two tensors; save one by itself";
    }
  }
  if (!has_root && found.size() > kMostListed) {
    names.choice += message(" and ", found.size() - kMostListed, " more");
  }
  return names;
}

}  // namespace sfumato::io::detail
