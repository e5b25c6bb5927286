#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sfumato/core/pool.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::style {

/// Memory for what is made of one tile after the other. It is apart from that of what lasts, which
/// would stand between the pieces that a tile leaves for the next one; and as tiles have no use for
/// what waits in the shared pool, such as the last gradient's memory, that goes back to the system.
///
///     style::TileMemory<Cpu> memory(tiles);
///     for (const style::Tile& tile : tiles) memory.use([&] { … });
template <class Device>
class TileMemory {
 public:
  explicit TileMemory(const std::vector<Tile>& tiles) {
    if (&Pool<Device>::current() != &Pool<Device>::shared()) return;
    constexpr std::int64_t kMost = 2048;  // bytes of a pixel: more than twice what VGG-19 needs
    std::int64_t pixels = 0;
    for (const Tile& tile : tiles) {
      pixels = std::max(pixels, tile.rows.seen() * tile.columns.seen());
    }
    pool_ = Pool<Device>::make(static_cast<std::size_t>(pixels * kMost));
    Pool<Device>::shared().trim();
  }

  /// Calls function() with this memory; without where the thread has chosen a pool of its own, as a
  /// captured step has, whose memory must stay.
  template <class Function>
  void use(const Function& function) {
    if (pool_ == nullptr) return function();
    const PoolScope<Device> scope(pool_);
    function();
  }

 private:
  std::shared_ptr<Pool<Device>> pool_;
};

}  // namespace sfumato::style
