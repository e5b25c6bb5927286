#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/layout.hpp"
#include "sfumato/style/tile_memory.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style {

/// Calls visit(i, features, tile) with what layers[i] sees of the part of an image that is seen for
/// a tile; inner() is the tile's own of it. Where the layers to come reach less far, what is too
/// far away for them is cut off.
template <class Network, class T, class Device, class Visit>
void visit_tile(Network& network, const Variable<T, Device>& seen,
                const std::vector<std::size_t>& layers, const TileCut& cut, Tile tile,
                const Visit& visit) {
  using Features = Variable<typename Network::value_type, Device>;
  if (layers.empty()) return;
  const std::size_t deepest = *std::max_element(layers.begin(), layers.end());
  std::size_t first = 0;
  Features input;  // of layer `first`, where that is not the image
  const auto visit_to = [&](std::size_t last, const std::optional<TileHalo>& halo) {
    std::vector<std::size_t> asked;
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (layers[i] < first || layers[i] > last) continue;
      asked.push_back(layers[i]);
      positions.push_back(i);
    }
    if (halo) asked.push_back(last);
    Features behind;
    const auto see = [&](std::size_t k, const auto& features) {
      const std::int64_t stride = network.stride(asked[k]);
      if (k < positions.size()) return visit(positions[k], features, tile.over(stride));
      behind = detail::with_halo("visit_tile", features, tile.over(stride), halo->pixels / stride);
    };
    if (first == 0) {
      network.visit_features(seen, asked, see);
    } else {
      network.visit_features(input, asked, see, first);
    }
    input = std::move(behind);
  };
  for (const TileHalo& halo : cut.narrower) {
    if (halo.layer >= deepest) break;
    visit_to(halo.layer, halo);
    tile = tile.within(halo.pixels);
    first = halo.layer + 1;
  }
  visit_to(deepest, std::nullopt);
}

/// Calls visit(i, features, tile) with what layers[i] sees of an image (1, 3, h, w), tile by tile;
/// inner() is the tile's own of it. They are in the memory for tiles: copies that are kept had
/// better be elsewhere.
template <class Network, class T, class Device, class Visit>
void visit_tiles(Network& network, const Variable<T, Device>& image,
                 const std::vector<std::size_t>& layers, const TileCut& cut, const Visit& visit) {
  const std::vector<Tile> tiles = tiles_of(image.shape(), cut);
  if (tiles.size() == 1 && cut.strip.is_whole()) {
    network.visit_features(image, layers, [&](std::size_t i, const auto& features) {
      visit(i, features, Tile::whole(features.shape()));
    });
    return;
  }
  TileMemory<Device> memory;
  for (const Tile& tile : tiles) {
    memory.use([&] {
      const auto seen =
          ops::detail::read_window("seen", image, detail::seen_window(image.shape(), tile));
      visit_tile(network, seen, layers, cut, tile, visit);
    });
  }
}

}  // namespace sfumato::style
