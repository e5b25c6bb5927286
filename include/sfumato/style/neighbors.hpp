#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/random.hpp"
#include "sfumato/losses/cosine_similarity.hpp"
#include "sfumato/losses/matching.hpp"
#include "sfumato/ops/interpolate.hpp"
#include "sfumato/style/feature_extractor.hpp"
#include "sfumato/style/objective.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/styles.hpp"

/// Kolkin, Kucera, Paris, Sýkora, Shechtman and Shakhnarovich, "Neural neighbor style transfer"
/// (2022): wherever the picture shows something, the features that it is to have there are those of
/// the place of the style that is most like it.
namespace sfumato::style {

namespace detail {

/// The sides in pixels of a position of the grid on which layers are looked at together.
inline constexpr std::int64_t kGrid = 4;

/// How many positions an image's axis has.
inline std::int64_t grid_side(const Shape& image, int axis, std::int64_t grid) {
  return std::max<std::int64_t>(1, image[axis] / grid);
}

/// The features of a layer (1, c, h, w), a position for each `grid` × `grid` pixels of the image,
/// so that those of several layers lie on one another.
template <class T, class Features, class Device>
Variable<T, Device> maps_on_grid(const Variable<Features, Device>& features, const Shape& image,
                                 std::int64_t grid) {
  const auto side = [&](int axis) { return grid_side(image, axis, grid); };
  auto x = ops::cast<T>(features);
  if (x.size(2) != side(2) || x.size(3) != side(3)) {
    x = ops::interpolate(
        x, {.size = {side(2), side(3)}, .mode = ops::Interpolation::kBilinear, .antialias = true});
  }
  return x;
}

/// The same as vectors (positions, c).
template <class T, class Features, class Device>
Variable<T, Device> on_grid(const Variable<Features, Device>& features, const Shape& image,
                            std::int64_t grid) {
  return losses::feature_vectors(maps_on_grid<T>(features, image, grid));
}

/// What some layers see in an image, on one grid: vectors for each.
template <class Network, class T, class Device>
std::vector<Tensor<T, Device>> look_on_grid(Network& network, const Tensor<T, Device>& image,
                                            const std::vector<std::string>& names,
                                            std::int64_t grid = kGrid) {
  std::vector<std::size_t> layers;
  for (const std::string& name : names) layers.push_back(network.layer_index(name));
  std::vector<Tensor<T, Device>> vectors(layers.size());
  const NoGrad off;
  network.visit_features(Variable<T, Device>(image), layers,
                         [&](std::size_t i, const auto& features) {
                           vectors[i] = on_grid<T>(features, image.shape(), grid).value();
                         });
  return vectors;
}

/// The same with the mean of each layer's vectors.
template <class T, class Device>
struct GridFeatures {
  using Numbers = Variable<T, Device>;
  std::vector<Numbers> vectors;
  std::vector<Numbers> means;

  /// Some positions, with their own mean.
  explicit GridFeatures(std::vector<Numbers> some) : vectors(std::move(some)) {
    const NoGrad off;
    for (const auto& x : vectors) means.push_back(ops::mean(x, 0, true));
  }
  explicit GridFeatures(const std::vector<Tensor<T, Device>>& some)
      : GridFeatures(std::vector<Numbers>(some.begin(), some.end())) {}

  GridFeatures at(const std::vector<std::int64_t>& positions) const {
    const NoGrad off;
    const auto rows = Tensor<std::int64_t, Device>::from(
        positions, {static_cast<std::int64_t>(positions.size())});
    std::vector<Numbers> some;
    for (const auto& x : vectors) some.push_back(ops::index_select(x, 0, rows));
    return GridFeatures(std::move(some));
  }

  std::int64_t positions() const { return vectors.front().size(0); }

  /// Every so manieth position, so that there are not more than `most`.
  GridFeatures at_most(std::int64_t most) const {
    if (positions() <= most) return *this;
    std::vector<std::int64_t> some;
    for (std::int64_t i = 0; i < most; ++i) some.push_back(i * positions() / most);
    return at(some);
  }

  /// All layers of a position in one vector, in which each counts the same.
  Numbers together() const {
    const NoGrad off;
    std::vector<Numbers> parts;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      parts.push_back(losses::detail::unit_vectors(vectors[i] - means[i]));
    }
    return ops::cat(parts, 1);
  }
};

/// Regions on the grid of an image, each of which has a number for every position, from 0 to 1.
using GridRegions = std::vector<std::vector<double>>;

/// Those of an image; one of all positions where none are given.
template <class T, class Device>
GridRegions regions_on_grid(const Tensor<T, Device>& regions, std::int64_t positions,
                            const Shape& image, std::int64_t grid = kGrid) {
  const auto n = static_cast<std::size_t>(positions);
  if (!regions.defined()) return {std::vector<double>(n, 1.0)};
  const NoGrad off;
  const auto maps =
      ops::transpose(on_grid<T>(Variable<T, Device>(regions), image, grid)).value().to_vector();
  GridRegions all;
  for (std::size_t begin = 0; begin < maps.size(); begin += n) {
    const auto first = maps.begin() + static_cast<std::ptrdiff_t>(begin);
    all.emplace_back(first, first + positions);
  }
  return all;
}

/// The positions that a region has more of than any other; of a region that has none such, the one
/// of which it has most; none where it is not at all.
inline std::vector<std::int64_t> positions_of(const GridRegions& regions, std::size_t region) {
  const std::vector<double>& own = regions[region];
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const bool most = std::all_of(regions.begin(), regions.end(),
                                  [&](const auto& other) { return other[i] <= own[i]; });
    if (most && own[i] > 0.0) positions.push_back(static_cast<std::int64_t>(i));
  }
  const auto most = std::max_element(own.begin(), own.end());
  if (positions.empty() && *most > 0.0) positions.push_back(most - own.begin());
  return positions;
}

/// Of sets of so many, how many of each make the largest set in which they stand in the ratio of
/// their weights; at least one of each that is not empty.
inline std::vector<std::int64_t> in_ratio(const std::vector<std::int64_t>& counts,
                                          const std::vector<double>& weights) {
  double whole = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] > 0) whole = std::min(whole, static_cast<double>(counts[k]) / weights[k]);
  }
  std::vector<std::int64_t> some;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const double part = std::max(1.0, std::round(whole * weights[k]));
    some.push_back(static_cast<std::int64_t>(std::min(part, static_cast<double>(counts[k]))));
  }
  return some;
}

/// The positions of all styles that a region of the content may look like: of one style those of
/// its region, of several as many of each as their weights say, by chance, but always the same.
template <class T, class Device>
GridFeatures<T, Device> pool_of(const std::vector<GridFeatures<T, Device>>& seen,
                                const std::vector<GridRegions>& regions,
                                const Styles<T, Device>& styles, std::size_t region) {
  if (seen.size() == 1 && !styles.content_regions.defined()) return seen.front();
  std::vector<std::vector<std::int64_t>> positions;
  std::vector<std::int64_t> counts;
  std::vector<double> weights;
  for (std::size_t k = 0; k < seen.size(); ++k) {
    positions.push_back(positions_of(regions[k], region));
    counts.push_back(static_cast<std::int64_t>(positions.back().size()));
    weights.push_back(styles.pictures[k].weight);
  }
  const std::vector<std::int64_t> some = in_ratio(counts, weights);
  if (std::count(some.begin(), some.end(), 0) == std::ssize(some)) throw no_such_region(region);
  std::vector<std::vector<Variable<T, Device>>> parts(seen.front().vectors.size());
  Random random(1);
  const NoGrad off;
  for (std::size_t k = 0; k < seen.size(); ++k) {
    if (some[k] == 0) continue;
    std::vector<std::int64_t> chosen = positions[k];
    if (some[k] < counts[k]) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(some[k]); ++i) {
        const auto left = static_cast<std::int64_t>(chosen.size() - i);
        std::swap(chosen[i], chosen[i + static_cast<std::size_t>(random.below(left))]);
      }
      chosen.resize(static_cast<std::size_t>(some[k]));
      std::sort(chosen.begin(), chosen.end());
    }
    const GridFeatures<T, Device> of_style = seen[k].at(chosen);
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].push_back(of_style.vectors[i]);
  }
  std::vector<Variable<T, Device>> pool;
  for (const auto& part : parts) pool.push_back(part.size() == 1 ? part[0] : ops::cat(part, 0));
  return GridFeatures<T, Device>(std::move(pool));
}

/// What a picture is to look like in some layers, on a grid: of each position of the content, or of
/// the picture painted so far, the one of the styles is found whose features in all of these layers
/// are most like it, their means taken away. The loss of a layer
/// is the mean of 1 - cos(x - m, t - m) over positions, where x are the picture's features, t those
/// chosen of the styles, and m the mean of what they were chosen of; with a strength s below 1, t
/// and m are s of that and 1 - s of the content's own. Where there are regions, positions are
/// chosen within each, and t and m are, at soft edges, parts of several. As in the paper, but that
/// all layers have the same weight, unless the options say otherwise, and a term each.
template <class Network, class T, class Device>
void add_neighbor_terms(std::vector<typename Objective<Network, T>::FeatureTerm>& terms,
                        Network& network, const Tensor<T, Device>& content,
                        const Styles<T, Device>& styles, const ObjectiveOptions& options,
                        const std::vector<std::string>& names, std::int64_t grid) {
  using Numbers = Variable<T, Device>;
  using Indices = Tensor<std::int64_t, Device>;
  constexpr std::int64_t kMostChoices = 4096;  // of a layer with more positions than the grid
  const NoGrad off;
  const auto mixed = [&](const Numbers& of_style, const Numbers& of_content) {
    return of_style * static_cast<T>(options.strength) +
           of_content * static_cast<T>(1.0 - options.strength);
  };
  std::string name = message("vectors on a grid of ", grid, ", layers");
  for (const std::string& layer : names) name += message(" ", network.layer_index(layer));
  const auto look = [&](const Tensor<T, Device>& image) {
    return GridFeatures<T, Device>(look_on_grid(network, image, names, grid));
  };
  const bool goes_on = styles.painted.defined();
  const GridFeatures<T, Device> asking = look(goes_on ? styles.painted : content);
  // Of the content, nothing is in the goals of full strength.
  const GridFeatures<T, Device> seen = goes_on && options.strength < 1.0 ? look(content) : asking;
  std::vector<GridFeatures<T, Device>> of_styles;
  std::vector<GridRegions> style_regions;
  for (const StylePicture<T, Device>& style : styles.pictures) {
    of_styles.emplace_back(
        styles.look(style, name, [&] { return look_on_grid(network, style.image, names, grid); }));
    style_regions.push_back(
        regions_on_grid(style.regions, of_styles.back().positions(), style.image.shape(), grid));
  }
  const std::int64_t n = seen.positions();
  const bool guided = styles.content_regions.defined();
  const auto regions = regions_on_grid(styles.content_regions, n, content.shape(), grid);
  std::vector<Numbers> goals(names.size());
  std::vector<Numbers> means(names.size());
  for (std::size_t r = 0; r < regions.size(); ++r) {
    std::vector<std::int64_t> own;  // the positions that have something of the region
    for (std::int64_t i = 0; i < n; ++i) {
      if (regions[r][static_cast<std::size_t>(i)] > 0.0) own.push_back(i);
    }
    if (own.empty()) continue;
    const GridFeatures<T, Device> whole = pool_of(of_styles, style_regions, styles, r);
    const GridFeatures<T, Device> pool = grid < kGrid ? whole.at_most(kMostChoices) : whole;
    const GridFeatures<T, Device> here = guided ? seen.at(own) : seen;
    const GridFeatures<T, Device> looking = guided ? asking.at(own) : asking;
    Indices nearest = losses::nearest_neighbors(looking.together(), pool.together());
    Numbers part;
    if (guided) {
      const std::vector<std::int64_t> found = nearest.to_vector();
      std::vector<std::int64_t> all(static_cast<std::size_t>(n), 0);
      for (std::size_t i = 0; i < own.size(); ++i) all[static_cast<std::size_t>(own[i])] = found[i];
      nearest = Indices::from(all, {n});
      part = Numbers(
          Tensor<T, Device>::from(std::vector<T>(regions[r].begin(), regions[r].end()), {n, 1}));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      Numbers mean = mixed(pool.means[i], here.means[i]);
      Numbers goal = mixed(ops::index_select(pool.vectors[i], 0, nearest), seen.vectors[i]) - mean;
      if (guided) {
        mean = mean * part;
        goal = goal * part;
      }
      means[i] = means[i].defined() ? means[i] + mean : mean;
      goals[i] = goals[i].defined() ? goals[i] + goal : goal;
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double factor = layer_weight(network, names[i], options.style_layer_weights);
    const auto as_maps = [&](const Numbers& vectors, std::int64_t h, std::int64_t w) {
      return ops::reshape(ops::transpose(vectors), {1, vectors.size(1), h, w});
    };
    const auto lengths = ops::norm(goals[i], 2.0, 1, true);
    const auto units =
        goals[i] / ops::clamp(lengths, static_cast<T>(1e-8), std::numeric_limits<T>::infinity());
    const auto side = [&](int axis) { return grid_side(content.shape(), axis, grid); };
    terms.push_back({names[i], as_maps(units, side(2), side(3)), options.style_weight * factor,
                     "style",
                     [mean = means[i].size(0) == 1 ? as_maps(means[i], 1, 1)
                                                   : as_maps(means[i], side(2), side(3)),
                      shape = content.shape(), grid](const auto& x, const Numbers& target) {
                       const auto own = maps_on_grid<T>(x, shape, grid) - mean;
                       return ops::mean(T{1} - losses::detail::cosines_to_units(own, target));
                     }});
  }
}

/// The terms of all style layers, whose neighbours are found together, on one grid; or, where there
/// is a picture painted so far, of each layer by itself.
template <class Network, class T, class Device>
void add_neighbor_terms(std::vector<typename Objective<Network, T>::FeatureTerm>& terms,
                        Network& network, const Tensor<T, Device>& content,
                        const Styles<T, Device>& styles, const ObjectiveOptions& options) {
  const std::vector<std::string>& names = options.style_layers;
  const auto add = [&](const std::vector<std::string>& some, std::int64_t grid) {
    add_neighbor_terms<Network, T>(terms, network, content, styles, options, some, grid);
  };
  if (!styles.painted.defined()) {
    if (!names.empty()) add(names, kGrid);
    return;
  }
  for (const std::string& name : names) add({name}, network.stride(network.layer_index(name)));
}

}  // namespace detail

}  // namespace sfumato::style
