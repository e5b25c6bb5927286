#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/tile_memory.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style {

/// How sums over tiles come about of which only those of a strip are here; by default all are.
/// Whoever makes one adds in the order of the tiles: then results do not depend on the strips.
template <class T, class Device = Cpu>
struct TileSplit {
  using Parts = std::vector<Tensor<T, Device>>;  ///< one of each tile here

  TileStrip strip = {};                                     ///< what is here of the picture
  std::function<Tensor<T, Device>(const Parts&)> sum = {};  ///< of all tiles, of what these give
  /// The gradient of the strip, of what tiles here give for what is seen of each.
  std::function<Tensor<T, Device>(const Parts&)> gradient = {};
};

namespace detail {

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
  Tensor<T, Device> sums;
  typename TileSplit<T, Device>::Parts parts;
  no_grad([&] {
    TileMemory<Device> memory;
    for (const Tile& tile : tiles) {
      Tensor<T, Device> own;
      memory.use([&] { own = function(seen(picture, tile), tile).value(); });
      if (split.sum) {
        parts.push_back(own.clone());
      } else if (sums.defined()) {
        sfumato::detail::add_into(sums, sums, own);
      } else {
        sums = own.clone();
      }
    }
    if (split.sum) sums = split.sum(std::exchange(parts, {}));
  });
  return record(
      "sum_over_tiles", std::move(sums), {picture},
      [picture, tiles, function, split, seen](const Backward<T, Device>& ctx) {
        if (grad_enabled()) {
          throw GraphError(
              "sum_over_tiles: its gradient can't be differentiated again; compute the whole "
              "without tiles for that");
        }
        Tensor<T, Device> gradient;
        if (!split.gradient) gradient = Tensor<T, Device>::zeros(picture.shape());
        typename TileSplit<T, Device>::Parts of_tiles;
        TileMemory<Device> memory;
        for (const Tile& tile : tiles) {
          Variable<T, Device> own;
          memory.use([&] {
            own = Variable<T, Device>(seen(picture, tile).value(), true);
            const GradMode recorded(true);
            backward(function(own, tile), {}, ctx.gradient());
          });
          if (split.gradient) {
            of_tiles.push_back(own.grad().value().clone());
          } else {
            detail::add_to_window(gradient, detail::seen_window(gradient.shape(), tile),
                                  own.grad().value());
          }
        }
        if (split.gradient) gradient = split.gradient(of_tiles);
        return Variable<T, Device>(std::move(gradient));
      });
}

}  // namespace sfumato::style
