#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "sfumato/core/device.hpp"
#include "sfumato/core/error.hpp"

namespace sfumato {

/// What a Pool holds and has done, in bytes and calls.
struct PoolStatistics {
  std::size_t bytes_in_use = 0;        ///< handed out and not yet returned
  std::size_t bytes_held = 0;          ///< taken from the system, in use or waiting
  std::size_t peak_bytes_in_use = 0;   ///< the largest bytes_in_use so far
  std::size_t system_allocations = 0;  ///< how often the system was asked for memory
};

/// Keeps the memory of freed tensors for the next ones, so that a training step, which asks for the
/// same sizes again and again, asks the system for nothing after its first run.
///
/// A request is served by the smallest waiting block that is large enough and wastes at most an
/// eighth of itself. Safe to use from several threads.
template <class Device>
class Pool {
 public:
  /// The pool of the device. Never destroyed, so that tensors with static lifetime stay valid.
  static Pool& shared() {
    static Pool* const pool = new Pool();
    return *pool;
  }

  /// A block of at least `bytes`, returned to the pool when its last owner lets go.
  /// Throws ResourceError when the system has no more memory.
  std::shared_ptr<void> allocate(std::size_t bytes) {
    const std::size_t size = round_up(bytes);
    void* block = nullptr;
    std::size_t held = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto waiting = waiting_.lower_bound(size);
      if (waiting != waiting_.end() && waiting->first - size <= waiting->first / 8) {
        held = waiting->first;
        block = waiting->second;
        waiting_.erase(waiting);
      } else {
        held = size;
        block = allocate_from_system(size);
      }
      statistics_.bytes_in_use += held;
      statistics_.peak_bytes_in_use =
          std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
    }
    return std::shared_ptr<void>(block, [this, held](void* freed) { put_back(freed, held); });
  }

  PoolStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  /// Starts a new peak at the present use.
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak_bytes_in_use = statistics_.bytes_in_use;
  }

  /// Gives every waiting block back to the system.
  void trim() {
    const std::lock_guard lock(mutex_);
    release_waiting();
  }

 private:
  Pool() = default;

  static std::size_t round_up(std::size_t bytes) {
    constexpr std::size_t kSmall = 256;
    constexpr std::size_t kPage = 4096;
    const std::size_t unit = bytes <= kPage ? kSmall : kPage;
    if (bytes > static_cast<std::size_t>(-1) / 2) {
      throw ResourceError(message("pool: ", bytes, " bytes is more than a program can address"));
    }
    return std::max<std::size_t>(unit, (bytes + unit - 1) / unit * unit);
  }

  void* allocate_from_system(std::size_t size) {
    void* block = Device::allocate(size);
    if (block == nullptr) {
      // What waits in the wrong sizes may be just what the system lacks.
      release_waiting();
      block = Device::allocate(size);
    }
    if (block == nullptr) {
      throw ResourceError(message("pool: the system has no ", size, " bytes left; ",
                                  statistics_.bytes_in_use, " bytes are in use by tensors"));
    }
    statistics_.bytes_held += size;
    ++statistics_.system_allocations;
    return block;
  }

  void put_back(void* block, std::size_t size) {
    const std::lock_guard lock(mutex_);
    statistics_.bytes_in_use -= size;
    waiting_.emplace(size, block);
  }

  void release_waiting() {
    for (const auto& [size, block] : waiting_) {
      Device::free(block);
      statistics_.bytes_held -= size;
    }
    waiting_.clear();
  }

  mutable std::mutex mutex_;
  std::multimap<std::size_t, void*> waiting_;
  PoolStatistics statistics_;
};

}  // namespace sfumato
