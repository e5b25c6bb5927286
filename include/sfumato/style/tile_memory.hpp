#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "sfumato/core/pool.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style {

/// Memory for what is made of one tile after the other. It is apart from that of what lasts, which
/// would stand between the pieces that a tile leaves for the next one.
///
///     style::TileMemory<Cpu> memory;
///     for (const style::Tile& tile : tiles) memory.use(tile, [&] { … });
template <class Device>
class TileMemory {
 public:
  /// Calls function() with this memory; without where the thread has chosen a pool of its own, as a
  /// captured step has, whose memory must stay.
  template <class Function>
  void use(const Tile& tile, const Function& function) {
    if (&Pool<Device>::current() != &Pool<Device>::shared()) return function();
    const std::int64_t pixels = tile.rows.seen() * tile.columns.seen();
    if (pixels > largest_) pool_->trim();  // of pieces that are too small for this one
    largest_ = std::max(largest_, pixels);
    const PoolScope<Device> scope(pool_);
    function();
  }

 private:
  std::shared_ptr<Pool<Device>> pool_ = Pool<Device>::make();
  std::int64_t largest_ = 0;  // pixels seen so far
};

}  // namespace sfumato::style
