#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sfumato/autodiff/variable.hpp"

namespace sfumato::style {

/// One thing that a picture should be: weight · loss(features, target), of the features of a layer.
/// T is the picture's element type and that of the loss, Features the network's.
///
///     style::Term<float, Cpu> bright{"relu1_1", {}, 0.1, "bright",
///         [](const auto& features, const auto&) { return ops::mean(-features); }};
template <class T, class Device = Cpu, class Features = T>
struct Term {
  using Loss = std::function<Variable<T, Device>(const Variable<Features, Device>& features,
                                                 const Variable<T, Device>& target)>;

  std::string layer = {};           ///< a name or number; empty in a term of the picture itself
  Variable<T, Device> target = {};  ///< what the loss compares with; may be undefined
  double weight = 1.0;
  std::string kind = {};  ///< under which name the loss is reported, summed over terms: "style"
  Loss loss = {};
  /// Do not keep what the gradient needs of the layer's features, but compute it again for that.
  bool recompute = false;
};

/// The losses of one picture, each multiplied by its weight, in the order of the objective's terms.
template <class T, class Device = Cpu>
struct Losses {
  std::vector<Variable<T, Device>> terms;
  std::vector<std::string> kinds;  ///< of each term
  Variable<T, Device> total;

  /// Those of one kind.
  std::vector<Variable<T, Device>> of(const std::string& kind) const {
    std::vector<Variable<T, Device>> found;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (kinds[i] == kind) found.push_back(terms[i]);
    }
    return found;
  }
};

}  // namespace sfumato::style
