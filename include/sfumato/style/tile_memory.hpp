#pragma once

#include <memory>

#include "sfumato/core/pool.hpp"

namespace sfumato::style {

/// Memory for what is made of one tile after the other. It is apart from that of what lasts, which
/// would stand between the pieces that a tile leaves for the next one; and as tiles have no use for
/// what waits in the shared pool, such as the last gradient's memory, that goes back to the system.
///
///     style::TileMemory<Cpu> memory;
///     for (const style::Tile& tile : tiles) memory.use([&] { … });
template <class Device>
class TileMemory {
 public:
  TileMemory() {
    if (&Pool<Device>::current() != &Pool<Device>::shared()) return;
    pool_ = Pool<Device>::make();
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
