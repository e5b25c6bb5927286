#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

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
/// A request below 128 KiB is served by the smallest waiting block that is large enough and wastes
/// at most an eighth of itself. Larger ones are cut from the smallest waiting span of memory that
/// is large enough, and become one with their free neighbours when they return: in the deep layers
/// of a network the memory of one shallow layer holds many. Spans come from the system in whole
/// pages of Device::kHugePage bytes, if the device has them. Safe to use from several threads.
template <class Device>
class Pool : public std::enable_shared_from_this<Pool<Device>> {
 public:
  /// The pool of the device. Never destroyed, so that tensors with static lifetime stay valid.
  static Pool& shared() {
    static const auto* const pool = new std::shared_ptr<Pool>(make());
    return **pool;
  }

  /// A pool beside the shared one; it lives for as long as anybody holds it or a block of it.
  static std::shared_ptr<Pool> make() { return std::shared_ptr<Pool>(new Pool()); }

  /// Where tensors that this thread makes get their memory: see PoolScope.
  static Pool& current() { return chosen() == nullptr ? shared() : *chosen(); }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { release_waiting(); }

  /// A block of at least `bytes`, returned to the pool when its last owner lets go.
  /// Throws ResourceError when the system has no more memory.
  std::shared_ptr<void> allocate(std::size_t bytes) {
    const std::size_t size = round_up(bytes);
    const std::lock_guard lock(mutex_);
    const Block block = size < kLarge ? take_small(size) : take_large(size);
    statistics_.bytes_in_use += block.size;
    statistics_.peak_bytes_in_use =
        std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
    return std::shared_ptr<void>(block.memory, [pool = this->shared_from_this(), size = block.size](
                                                   void* freed) { pool->put_back(freed, size); });
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
  template <class>
  friend class PoolScope;

  static constexpr std::size_t kLarge = std::size_t{1} << 17;  // requests cut from spans

  struct Block {
    void* memory;
    std::size_t size;
  };
  /// A part of a large block of the system.
  struct Span {
    std::size_t size;
    bool free;
    bool begins;  ///< the system's block begins here, so what lies before is none of ours
  };
  using Spans = std::map<std::byte*, Span>;

  Pool() = default;

  /// This thread's own choice; null for the shared pool.
  static Pool*& chosen() {
    thread_local Pool* pool = nullptr;
    return pool;
  }

  static std::size_t multiple_of(std::size_t unit, std::size_t bytes) {
    return (bytes + unit - 1) / unit * unit;
  }

  static std::size_t round_up(std::size_t bytes) {
    constexpr std::size_t kSmall = 256;
    constexpr std::size_t kPage = 4096;
    const std::size_t unit = bytes <= kPage ? kSmall : kPage;
    if (bytes > static_cast<std::size_t>(-1) / 2) {
      throw ResourceError(message("pool: ", bytes, " bytes is more than a program can address"));
    }
    return std::max<std::size_t>(unit, multiple_of(unit, bytes));
  }

  Block take_small(std::size_t size) {
    const auto waiting = waiting_.lower_bound(size);
    if (waiting == waiting_.end() || waiting->first - size > waiting->first / 8) {
      return {allocate_from_system(size), size};
    }
    const Block block{waiting->second, waiting->first};
    waiting_.erase(waiting);
    return block;
  }

  Block take_large(std::size_t size) {
    auto fit = free_spans_.lower_bound({size, nullptr});
    if (fit == free_spans_.end()) {
      const std::size_t taken = whole_pages(size);
      auto* const memory = static_cast<std::byte*>(allocate_from_system(taken));
      spans_.emplace(memory, Span{taken, true, true});
      fit = free_spans_.emplace(taken, memory).first;
    }
    std::byte* const memory = fit->second;
    free_spans_.erase(fit);
    Span& span = spans_.at(memory);
    span.free = false;
    const std::size_t rest = span.size - size;
    if (rest >= kLarge) {
      span.size = size;
      spans_.emplace(memory + size, Span{rest, true, false});
      free_spans_.emplace(rest, memory + size);
    }
    return {memory, span.size};
  }

  /// What is taken from the system for a span of `size` bytes.
  static std::size_t whole_pages(std::size_t size) {
    if constexpr (requires { Device::kHugePage; }) {
      return multiple_of(Device::kHugePage, size);
    }
    return size;
  }

  void* allocate_from_system(std::size_t size) {
    void* block = Device::allocate(size);
    if (block == nullptr) {
      // What waits in the wrong sizes may be just what the system lacks.
      release_waiting();
      block = Device::allocate(size);
    }
    if (block == nullptr) {
      std::string note;
      if constexpr (requires { Device::memory_note(); }) note = Device::memory_note();
      throw ResourceError(message("pool: the system has no ", size, " bytes left; ",
                                  statistics_.bytes_in_use, " bytes are in use by tensors", note));
    }
    statistics_.bytes_held += size;
    ++statistics_.system_allocations;
    return block;
  }

  void put_back(void* block, std::size_t size) {
    const std::lock_guard lock(mutex_);
    statistics_.bytes_in_use -= size;
    if constexpr (requires { Device::recycled(block, size); }) Device::recycled(block, size);
    if (size < kLarge) {
      waiting_.emplace(size, block);
      return;
    }
    auto span = spans_.find(static_cast<std::byte*>(block));
    const auto next = std::next(span);
    if (next != spans_.end() && next->second.free && !next->second.begins) merge(span, next);
    if (!span->second.begins && std::prev(span)->second.free) {
      const auto before = std::prev(span);
      merge(before, span);
      span = before;
    }
    span->second.free = true;
    free_spans_.emplace(span->second.size, span->first);
  }

  /// Makes two neighbours one, which is not yet among the free spans.
  void merge(typename Spans::iterator first, typename Spans::iterator second) {
    free_spans_.erase({first->second.size, first->first});
    free_spans_.erase({second->second.size, second->first});
    first->second.size += second->second.size;
    spans_.erase(second);
  }

  void release_waiting() {
    for (const auto& [size, block] : waiting_) release(block, size);
    waiting_.clear();
    for (auto span = spans_.begin(); span != spans_.end();) {
      const auto next = std::next(span);
      const bool whole = span->second.begins && (next == spans_.end() || next->second.begins);
      if (whole && span->second.free) {
        release(span->first, span->second.size);
        free_spans_.erase({span->second.size, span->first});
        spans_.erase(span);
      }
      span = next;
    }
  }

  void release(void* block, std::size_t size) {
    Device::free(block);
    statistics_.bytes_held -= size;
  }

  mutable std::mutex mutex_;
  std::multimap<std::size_t, void*> waiting_;                // small blocks by size
  Spans spans_;                                              // large ones, in use and free
  std::set<std::pair<std::size_t, std::byte*>> free_spans_;  // by size
  PoolStatistics statistics_;
};

/// While it lives, tensors that this thread makes get their memory from another pool.
template <class Device>
class PoolScope {
 public:
  explicit PoolScope(const std::shared_ptr<Pool<Device>>& pool)
      : pool_(pool), before_(std::exchange(Pool<Device>::chosen(), pool.get())) {}
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;
  ~PoolScope() { Pool<Device>::chosen() = before_; }

 private:
  std::shared_ptr<Pool<Device>> pool_;
  Pool<Device>* before_;
};

}  // namespace sfumato
