#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style {

/// Which tiles are computed here, and how the others' come here; by default all are.
template <class T, class Device = Cpu>
struct TileSplit {
  using Parts = std::vector<Tensor<T, Device>>;  ///< one of each tile
  using Exchange = std::function<void(Parts&)>;

  std::function<bool(std::size_t)> is_mine = {};  ///< by the tile's number
  /// Is given what came of the tiles that are computed here, by number, and fills in the others';
  /// then all are added in the order of the tiles, so that the sum does not depend on the split.
  /// Called once for the sums and once for the parts of their gradient.
  Exchange exchange = {};
};

namespace detail {

/// compute(tile) of each tile and add(tile, result) in their order.
template <class T, class Device, class Compute, class Add>
void for_each_tile(const std::vector<Tile>& tiles, const TileSplit<T, Device>& split,
                   const Compute& compute, const Add& add) {
  if (!split.exchange) {
    for (const Tile& tile : tiles) add(tile, compute(tile));
    return;
  }
  std::vector<Tensor<T, Device>> results(tiles.size());
  for (const Tile& tile : tiles) {
    if (split.is_mine(tile.number)) results[tile.number] = compute(tile);
  }
  split.exchange(results);
  for (const Tile& tile : tiles) add(tile, results[tile.number]);
}

/// The window of `whole` += part.
template <class T, class Device>
void add_to_window(Tensor<T, Device>& whole, const ops::detail::Window& window,
                   const Tensor<T, Device>& part) {
  const Strided<T> sums{whole.data() + window.offset, window.strides};
  Device::map(sfumato::detail::Plus{}, window.shape, sums,
              Strided<const T>{sums.data, sums.strides},
              Strided<const T>{part.data(), row_major_strides(window.shape)});
}

}  // namespace detail

/// Σ function(what is seen for a tile, the tile) over the tiles of a picture (n, c, h, w): a tensor
/// of sums, of which a loss is made.
///
/// Of all that leads to the sums nothing is kept: their gradient is computed tile by tile, too, and
/// calls the function again. So the memory is that of one tile. It must do the same every time, and
/// what it refers to must live until then. Gradients reach the picture only. Throws GraphError
/// where that gradient is to be differentiated again.
///
///     auto sums = style::sum_over_tiles(picture, tiles, [&](const auto& seen, const auto& tile) {
///       return ops::sum(style::inner(seen, tile));
///     });
template <class T, class Device, class Function>
Variable<T, Device> sum_over_tiles(const Variable<T, Device>& picture,
                                   const std::vector<Tile>& tiles, const Function& function,
                                   const TileSplit<T, Device>& split = {}) {
  const auto seen = [](const Variable<T, Device>& whole, const Tile& tile) {
    return no_grad([&] {
      return ops::detail::read_window("sum_over_tiles", whole,
                                      detail::seen_window(whole.shape(), tile));
    });
  };
  // The gradient's memory is taken before the tiles cut up what is free.
  const auto room = std::make_shared<Tensor<T, Device>>();
  if (grad_enabled() && picture.requires_grad()) {
    *room = Tensor<T, Device>::zeros(picture.shape());
  }
  Tensor<T, Device> sums;
  no_grad([&] {
    detail::for_each_tile(
        tiles, split, [&](const Tile& tile) { return function(seen(picture, tile), tile).value(); },
        [&](const Tile&, const Tensor<T, Device>& own) {
          if (sums.defined()) {
            sfumato::detail::add_into(sums, sums, own);
          } else {
            sums = own.clone();
          }
        });
  });
  return record(
      "sum_over_tiles", std::move(sums), {picture},
      [picture, tiles, function, split, seen, room](const Backward<T, Device>& ctx) {
        if (grad_enabled()) {
          throw GraphError(
              "sum_over_tiles: its gradient can't be differentiated again; compute the whole "
              "without tiles for that");
        }
        auto gradient = std::exchange(*room, {});  // undefined in a second pass
        if (!gradient.defined()) gradient = Tensor<T, Device>::zeros(picture.shape());
        detail::for_each_tile(
            tiles, split,
            [&](const Tile& tile) {
              const Variable<T, Device> own(seen(picture, tile).value(), true);
              const GradMode recorded(true);
              backward(function(own, tile), {}, ctx.gradient());
              return own.grad().value();
            },
            [&](const Tile& tile, const Tensor<T, Device>& part) {
              detail::add_to_window(gradient, detail::seen_window(gradient.shape(), tile), part);
            });
        return Variable<T, Device>(std::move(gradient));
      });
}

}  // namespace sfumato::style
