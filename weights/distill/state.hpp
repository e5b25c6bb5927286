#pragma once

#include <map>
#include <string>

#include "sfumato/sfumato.hpp"

namespace distill {

using sfumato::Tensor;

/// Tensors by name, as checkpoints have them.
using State = std::map<std::string, Tensor<float>>;

/// Adds `more` under names that begin with `prefix`.
inline void insert_prefixed(State& state, const std::string& prefix, const State& more) {
  for (const auto& [name, value] : more) state[prefix + name] = value;
}
/// What insert_prefixed() added.
inline State select_prefixed(const State& state, const std::string& prefix) {
  State found;
  for (const auto& [name, value] : state) {
    if (name.starts_with(prefix)) found[name.substr(prefix.size())] = value;
  }
  return found;
}

}  // namespace distill
