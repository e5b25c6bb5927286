#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/losses/guided.hpp"
#include "sfumato/losses/mse_loss.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/losses/wasserstein.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/ops/rearrange.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/regions.hpp"
#include "sfumato/style/styles.hpp"
#include "sfumato/style/term.hpp"
#include "sfumato/style/tiles.hpp"
#include "sfumato/style/visit_tiles.hpp"

namespace sfumato::style::detail {

/// How features are compared by numbers that are means over positions, of which those of several
/// pictures, or tiles, together are the mean: Gram matrices or moments. Weights are those of
/// positions, or undefined.
template <class T, class Device>
class FeatureStatistics {
 public:
  using Numbers = Variable<T, Device>;

  explicit FeatureStatistics(const ObjectiveOptions& options)
      : wasserstein_(options.style_loss == StyleLoss::kWasserstein),
        sums_(options.sums),
        roots_(options.root_iterations),
        gradient_(options.root_gradient) {}

  /// Which they are.
  const char* name() const { return wasserstein_ ? "moments" : "Gram matrices"; }

  /// Those of a tile, of what is seen for it.
  template <class Features>
  Numbers operator()(const Variable<Features, Device>& seen, const Numbers& weights_of_all,
                     const Tile& tile) const {
    const auto x = inner(seen, tile);
    const Numbers weights = weights_of_all.defined() ? part_of(weights_of_all, tile) : Numbers();
    if (wasserstein_) return losses::feature_moments<T>(x, weights);
    return weights.defined() ? losses::gram_matrix<T>(losses::guided_features(x, weights))
                             : losses::gram_matrix<T>(x);
  }

  /// What loss() compares with.
  Numbers target(const Numbers& statistics) const {
    return wasserstein_ ? losses::wasserstein_target_of_moments(statistics, roots_) : statistics;
  }

  Numbers loss(const Numbers& statistics, const Numbers& target) const {
    if (wasserstein_) {
      return losses::wasserstein_loss_of_moments(statistics, target, roots_, gradient_);
    }
    const auto mean = losses::mse_loss(statistics, target);
    return sums_ ? mean * static_cast<T>(static_cast<double>(target.numel()) / 4.0) : mean;
  }

 private:
  bool wasserstein_;
  bool sums_;
  int roots_;
  ops::RootGradient gradient_;
};

/// The terms of style layers that are compared by statistics: of all styles together, each with its
/// weight's part, and, with a strength s below 1, with 1 - s of the content's own. Each region has
/// its own, and counts as much as its share of the picture. All pictures are looked at in tiles.
template <class Network, class T, class Device>
void add_statistics_terms(std::vector<typename Objective<Network, T>::FeatureTerm>& terms,
                          Network& network, const Tensor<T, Device>& content,
                          const Styles<T, Device>& styles, const ObjectiveOptions& options,
                          const TileCut& cut) {
  using Numbers = Variable<T, Device>;
  const FeatureStatistics<T, Device> statistics(options);
  const std::vector<std::string>& names = options.style_layers;
  const bool guided = styles.content_regions.defined();
  std::vector<std::size_t> layers;
  for (const std::string& name : names) layers.push_back(network.layer_index(name));
  const auto count = static_cast<std::size_t>(guided ? styles.content_regions.size(1) : 1);
  const NoGrad off;
  const auto lasting = Pool<Device>::current().shared_from_this();
  using Layers = std::vector<std::optional<LayerRegions<T, Device>>>;
  const auto visit = [&](const Tensor<T, Device>& image, const Tensor<T, Device>& regions,
                         const auto& use) {
    Layers where(names.size());
    visit_tiles(network, Numbers(image), layers, cut,
                [&](std::size_t i, const auto& x, const Tile& tile) {
                  const Shape whole{1, x.size(1), tile.rows.of, tile.columns.of};
                  if (!where[i]) where[i] = regions_of_layer(regions, whole);
                  use(i, x, tile, *where[i]);
                });
    return where;
  };
  // Of a picture, those of each layer's regions, undefined for regions that are not there.
  const auto look = [&](const Tensor<T, Device>& image, const Tensor<T, Device>& regions) {
    std::vector<Tensor<T, Device>> all(names.size() * count);
    visit(image, regions, [&](std::size_t i, const auto& x, const Tile& tile, const auto& seen) {
      for (std::size_t r = 0; r < count; ++r) {
        if (seen.shares[r] == 0.0) continue;
        const auto own = statistics(x, seen.weights[r], tile) * static_cast<T>(tile.share());
        const PoolScope<Device> scope(lasting);
        Tensor<T, Device>& sum = all[i * count + r];
        sum = sum.defined() ? (Numbers(sum) + own).value() : own.value().clone();
      }
    });
    return all;
  };
  std::vector<Numbers> sums(names.size() * count);
  std::vector<double> weights(sums.size(), 0.0);
  const auto add = [&](const std::vector<Tensor<T, Device>>& own, double weight) {
    for (std::size_t k = 0; k < own.size(); ++k) {
      if (!own[k].defined()) continue;
      const Numbers part = Numbers(own[k]) * static_cast<T>(weight);
      sums[k] = sums[k].defined() ? sums[k] + part : part;
      weights[k] += weight;
    }
  };
  std::string name = message(statistics.name(), " in tiles of ", cut.side, " and ", cut.halo,
                             " around, pixels of ", cut.pixel, ", layers");
  for (const std::size_t layer : layers) name += message(" ", layer);
  for (const StylePicture<T, Device>& picture : styles.pictures) {
    if (options.strength == 0.0) break;
    const auto seen =
        styles.look(picture, name, [&] { return look(picture.image, picture.regions); });
    add(seen, options.strength * picture.weight / styles.weight());
  }
  if (options.strength < 1.0) {
    add(look(content, styles.content_regions), 1.0 - options.strength);
  }

  const Layers where = guided ? visit(content, styles.content_regions, [](const auto&...) {})
                              : Layers(names.size(), regions_of_layer<T, Device>({}, {}));
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::vector<Numbers> targets;
    LayerRegions<T, Device> compared;
    for (std::size_t r = 0; r < count; ++r) {
      if (where[i]->shares[r] == 0.0) continue;
      const std::size_t k = i * count + r;
      if (!sums[k].defined()) throw no_such_region(r);
      targets.push_back(statistics.target(sums[k] / static_cast<T>(weights[k])));
      compared.weights.push_back(where[i]->weights[r]);
      compared.shares.push_back(where[i]->shares[r]);
    }
    const double size =
        options.style_weight * layer_weight(network, names[i], options.style_layer_weights);
    terms.push_back({names[i], ops::stack(targets), size, "style"});
    terms.back().sums = [statistics, compared](const auto& x, const Tile& tile) {
      std::vector<Numbers> own;
      for (const Numbers& region : compared.weights) own.push_back(statistics(x, region, tile));
      // Of a single region, and of a whole picture, there is nothing to copy.
      const Numbers all = own.size() == 1 ? ops::unsqueeze(own[0], 0) : ops::stack(own);
      return tile.share() == 1.0 ? all : all * static_cast<T>(tile.share());
    };
    terms.back().loss_of_sums = [statistics, shares = compared.shares](const Numbers& all,
                                                                       const Numbers& target) {
      const auto of_region = [&](const Numbers& x, std::size_t r) {
        return shares.size() == 1 ? ops::squeeze(x, 0)
                                  : ops::select(x, 0, static_cast<std::int64_t>(r));
      };
      Numbers sum;
      for (std::size_t r = 0; r < shares.size(); ++r) {
        const auto own =
            statistics.loss(of_region(all, r), of_region(target, r)) * static_cast<T>(shares[r]);
        sum = sum.defined() ? sum + own : own;
      }
      return sum;
    };
    if (options.normalize_gradients) pull_equally(terms.back());
  }
}

}  // namespace sfumato::style::detail
