#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/any_variable.hpp"
#include "sfumato/autodiff/node.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato {

namespace detail {

inline bool& detects_anomaly() {
  thread_local bool detects = false;
  return detects;
}

/// Where the first NaN is, or else the first infinity; empty when all of x is finite.
template <class T, class Device>
std::string find_anomaly(const Tensor<T, Device>& x) {
  std::string infinity;
  if constexpr (Real<T>) {
    const std::vector<T> values = x.to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<Compute<T>>(values[i]);
      if (value != value) return message("NaN at element ", i);
      if (value - value != 0 && infinity.empty()) infinity = message("infinity at element ", i);
    }
  }
  return infinity;
}

/// Throws ValueError for a `found` anomaly that is none of the inputs'. A NaN is always complained
/// of: those made meanwhile have been, so it has come from outside. An infinity may be meant.
inline void throw_anomaly(const std::string& what, const std::string& found,
                          const std::vector<std::pair<std::string, std::string>>& inputs) {
  bool is_born = true;
  std::string from;
  for (const auto& [input, anomaly] : inputs) {
    is_born = is_born && anomaly.empty();
    from += (from.empty() ? ", made from " : " and ") + input +
            (anomaly.empty() ? "" : " with " + anomaly);
  }
  if (is_born || found.starts_with("NaN")) throw ValueError(message(what, " has ", found, from));
}

/// What record() does with a result while anomalies are detected.
template <class T, class Device, class Input>
void check_result(const char* op, const Tensor<T, Device>& value,
                  const std::vector<Input>& inputs) {
  const std::string found = find_anomaly(value);
  if (found.empty()) return;
  std::vector<std::pair<std::string, std::string>> known;
  for (const Input& input : inputs) {
    if (!input.defined()) continue;
    known.emplace_back(
        input.node() == nullptr ? input.shape().to_string() : input.node()->description(),
        find_anomaly(input.value(op)));
  }
  const char* const outer = GradientScope::op();
  const std::string where = outer == nullptr ? "" : message(", in the gradient of ", outer);
  throw_anomaly(message(op, where, ": the result ", value.shape()), found, known);
}

/// What the backward pass does with the gradients of a node's inputs.
inline void check_gradients(const Node& node, const AnyVariable& gradient,
                            const std::vector<AnyVariable>& gradients,
                            const std::vector<bool>& needs) {
  for (std::size_t i = 0; i < needs.size(); ++i) {
    const std::string found = needs[i] ? gradients[i].find_anomaly() : "";
    if (found.empty()) continue;
    throw_anomaly(message(node.name(), ": the gradient of input ", i, ", ",
                          node.inputs()[i]->description(), ","),
                  found,
                  {{message("that of its result ", node.description()), gradient.find_anomaly()}});
  }
}

}  // namespace detail

/// While it lives, the calling thread's operations and backward passes look at all that they make,
/// and throw ValueError, which names the operation and the shapes, where the first NaN or infinity
/// is born: in a result or in a gradient. Slow; for when a loss has become NaN.
///
///     const DetectAnomaly guard;
///     losses::cross_entropy(model(x), labels).backward();
class DetectAnomaly {
 public:
  DetectAnomaly() : before_(std::exchange(detail::detects_anomaly(), true)) {}
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;
  ~DetectAnomaly() { detail::detects_anomaly() = before_; }

 private:
  bool before_;
};

}  // namespace sfumato
