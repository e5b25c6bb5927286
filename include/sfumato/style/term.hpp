#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/losses/gradient_size.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style {

/// One thing that a picture should be: weight · loss(features, target), of the features of a layer.
/// T is the picture's element type and that of the loss, Features the network's. A term that is to
/// be had of pictures in tiles has `sums` in the place of the loss.
///
///     style::Term<float, Cpu> bright{"relu1_1", {}, 0.1, "bright",
///         [](const auto& features, const auto&) { return ops::mean(-features); }};
template <class T, class Device = Cpu, class Features = T>
struct Term {
  using Loss = std::function<Variable<T, Device>(const Variable<Features, Device>& features,
                                                 const Variable<T, Device>& target)>;
  using Sums =
      std::function<Variable<T, Device>(const Variable<Features, Device>& seen, const Tile& tile)>;
  using LossOfSums = std::function<Variable<T, Device>(const Variable<T, Device>& sums,
                                                       const Variable<T, Device>& target)>;

  std::string layer = {};           ///< a name or number; empty in a term of the picture itself
  Variable<T, Device> target = {};  ///< what the loss compares with; may be undefined
  double weight = 1.0;
  std::string kind = {};  ///< under which name the loss is reported, summed over terms: "style"
  Loss loss = {};
  /// Do not keep what the gradient needs of the layer's features, but compute it again for that.
  bool recompute = false;
  /// Where there is no loss: what a tile adds to numbers that are sums over the positions of the
  /// whole, …
  Sums sums{};
  LossOfSums loss_of_sums{};  ///< … and the loss, of these; empty: they are it

  /// The loss of the features of a whole picture, without its weight.
  Variable<T, Device> loss_of(const Variable<Features, Device>& features) const {
    return loss ? loss(features, target) : of_sums(sums(features, Tile::whole(features.shape())));
  }
  Variable<T, Device> of_sums(const Variable<T, Device>& all) const {
    return loss_of_sums ? loss_of_sums(all, target) : all;
  }
};

namespace detail {

/// Gives a term's gradient with respect to its features the size of its weight. It is then no sum
/// over tiles any more.
template <class T, class Device, class Features>
void pull_equally(Term<T, Device, Features>& term) {
  const auto plain = term;
  term.loss = [plain](const auto& features, const auto&) {
    return plain.loss_of(losses::with_gradient_size(features, plain.weight));
  };
  term.sums = {};
}

}  // namespace detail

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
