#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "distillation.hpp"
#include "sfumato/sfumato.hpp"

/// What painting by neighbours asks of a slim network: that places which look alike to the full one
/// look alike to it.
namespace distill {

/// The layers in which neighbours are looked for.
inline std::vector<std::size_t> neighbor_layers(const Network& network) {
  const auto method = sfumato::style::method(sfumato::style::StyleLoss::kNeighbors);
  std::vector<std::size_t> layers;
  for (const std::string& name : method.transfer.objective.style_layers) {
    layers.push_back(network.layer_index(name));
  }
  return layers;
}

/// How many steps of a layer's features one place is from the next: those of the neighbours' grid,
/// or one where the features are no finer.
inline std::int64_t steps_apart(const Network& network, std::size_t layer) {
  return std::max<std::int64_t>(1, sfumato::style::detail::kGrid / network.stride(layer));
}

/// How differently two networks' features (n, c, h, w) tell places apart that are `apart` steps
/// from one another: Σ (cos_full - cos_slim)² / Σ cos_full² over pairs of some of all images'
/// places, drawn at random, as angles are seen from the places' mean. (Tung and Mori,
/// "Similarity-preserving knowledge distillation", 2019, have products in place of cosines.)
inline Variable<float> neighbor_loss(const Variable<float>& full, const Variable<float>& slim,
                                     std::int64_t apart, sfumato::Random random) {
  using namespace sfumato;
  constexpr std::int64_t kPlaces = 256;
  const std::int64_t total = full.size(0) * (full.size(2) / apart) * (full.size(3) / apart);
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(kPlaces));
  for (std::int64_t& place : chosen) place = random.below(total);
  const auto places = Tensor<std::int64_t>::from(chosen, {kPlaces});
  const auto cosines = [&](const Variable<float>& features) {
    const auto maps = apart == 1 ? features : ops::avg_pool2d(features, {.kernel = apart});
    const auto all = ops::reshape(ops::permute(maps, {0, 2, 3, 1}), {-1, maps.size(1)});
    const auto some = ops::index_select(all, 0, places);
    const auto centred = some - ops::mean(some, 0, true);
    return 1.0F - losses::cosine_distances(centred, centred);
  };
  const auto wanted = cosines(full);
  return losses::mse_loss(cosines(slim), wanted) / ops::mean(ops::square(wanted));
}

}  // namespace distill
