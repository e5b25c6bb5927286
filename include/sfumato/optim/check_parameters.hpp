#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "sfumato/autodiff/variable.hpp"

/// What an optimiser refuses.
namespace sfumato::optim::detail {

/// Throws ValueError for a number that is negative or not finite.
inline void check_not_negative(const char* optimizer, const char* name, double value) {
  constexpr double kMost = 1e30;
  if (!(value >= 0.0 && value <= kMost)) {
    throw ValueError(
        message(optimizer, ": ", name, " ", value, " must be a number that is not negative"));
  }
}

/// Throws unless every parameter can be trained, and once a step: GraphError for one that is
/// undefined, computed or a constant, ValueError for two that are one.
template <class T, class Device>
void check_parameters(const std::vector<Variable<T, Device>>& parameters) {
  if (parameters.empty()) throw ValueError("optimizer: there are no parameters to change");
  std::map<const void*, std::size_t> positions;
  std::map<const T*, std::size_t> memory;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Variable<T, Device>& parameter = parameters[i];
    if (!parameter.defined())
      throw GraphError(message("optimizer: parameter ", i, " is undefined"));
    if (!parameter.is_leaf()) {
      throw GraphError(message("optimizer: parameter ", i, " ", parameter.shape(),
                               " is the result of ", parameter.node()->name(),
                               "; give the parameters that it was computed from, or detach() it"));
    }
    if (parameter.node() == nullptr) {
      throw GraphError(message("optimizer: parameter ", i, " ", parameter.shape(),
                               " is a constant, which gets no gradient; make it a parameter with "
                               "Variable(value, true)"));
    }
    const auto [first, is_new] = positions.emplace(parameter.node().get(), i);
    if (!is_new) {
      throw ValueError(message("optimizer: parameters ", first->second, " and ", i,
                               " are one, which would be changed twice a step; give it once"));
    }
    if (parameter.numel() == 0) continue;
    // The one that begins behind this one's end is next, and the one before it may share memory.
    const T* const begin = parameter.value().data();
    const auto end_of = [&](std::size_t k) {
      return parameters[k].value().data() + parameters[k].numel();
    };
    auto sharer = memory.lower_bound(begin + parameter.numel());
    const bool is_first = sharer == memory.begin();
    if (!is_first) --sharer;
    if (!is_first && end_of(sharer->second) > begin) {
      throw ValueError(message("optimizer: parameters ", sharer->second, " and ", i,
                               " share their memory, which would be changed twice a step; use one "
                               "Variable in both places, or clone() the value of one"));
    }
    memory.emplace(begin, i);
  }
}

}  // namespace sfumato::optim::detail
