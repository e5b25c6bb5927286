#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <utility>

#include "sfumato/core/device.hpp"
#include "sfumato/core/division.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/fork.hpp"
#include "sfumato/core/poison.hpp"
#include "sfumato/core/storage.hpp"
#include "sfumato/core/system_memory.hpp"

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
/// pages of Device::kHugePage bytes, if the device has them; and if it can move pages, a new span
/// takes those that wait in pieces too small for it. Safe to use from several threads.
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
  Storage allocate(std::size_t bytes) {
    const std::size_t size = round_up(bytes);
    const std::lock_guard lock(mutex_);
    Chunk& chunk = size < kLarge ? take_small(size) : take_large(size);
    chunk.pool = this->shared_from_this();
    detail::unpoison<Device>(chunk.memory, bytes);
    detail::poison<Device>(chunk.memory + bytes, chunk.size - bytes);
    statistics_.bytes_in_use += chunk.size;
    statistics_.peak_bytes_in_use =
        std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
    return Storage(chunk);
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
  using System = detail::SystemMemory<Device>;

  struct Chunk;
  /// By size, and then by address.
  struct Order {
    using is_transparent = void;
    bool operator()(const Chunk* a, const Chunk* b) const {
      return a->size != b->size ? a->size < b->size : std::less<>()(a->memory, b->memory);
    }
    bool operator()(const Chunk* a, std::size_t size) const { return a->size < size; }
    bool operator()(std::size_t size, const Chunk* b) const { return size < b->size; }
  };
  using Waiting = std::set<Chunk*, Order>;

  /// A block with the pool's account of it, complete when the block is handed out: to take it back,
  /// nothing need be allocated.
  struct Chunk : detail::Block {
    std::shared_ptr<Pool> pool;            // while it is in use
    typename Waiting::node_type position;  // among the waiting ones; empty while it waits
    Chunk* before = nullptr;               // what it was cut from, and has to grow together with
    Chunk* after = nullptr;
    bool waits() const { return position.empty(); }
  };

  Pool() {
    static const bool known = [] {
      detail::at_fork([] { mutex_.lock(); }, [] { mutex_.unlock(); }, [] { mutex_.unlock(); });
      return true;
    }();
    (void)known;
  }

  /// This thread's own choice; null for the shared pool.
  static Pool*& chosen() {
    thread_local Pool* pool = nullptr;
    return pool;
  }

  static std::size_t round_up(std::size_t bytes) {
    constexpr std::size_t kSmall = 256;
    constexpr std::size_t kPage = 4096;
    const std::size_t unit = bytes <= kPage ? kSmall : kPage;
    if (bytes > static_cast<std::size_t>(-1) / 2) {
      throw ResourceError(message("pool: ", bytes, " bytes is more than a program can address"));
    }
    return std::max<std::size_t>(unit, sfumato::round_up(bytes, unit));
  }

  Chunk& take_small(std::size_t size) {
    const auto found = small_.lower_bound(size);
    if (found == small_.end() || (*found)->size - size > (*found)->size / 8) {
      return *take_from_system(size).release();
    }
    return take_out(small_, **found);
  }

  Chunk& take_large(std::size_t size) {
    auto found = large_.lower_bound(size);
    if (found == large_.end()) {
      auto taken = take_from_system(System::whole_pages(size));
      gather_pages(*taken);
      detail::poison<Device>(taken->memory, taken->size);
      found = large_.insert(std::move(taken->position)).position;
      taken.release();
    }
    Chunk& chunk = **found;
    if (chunk.size - size < kLarge) return take_out(large_, chunk);
    auto rest = account_of(chunk.memory + size, chunk.size - size);
    take_out(large_, chunk);
    chunk.size = size;
    link(rest.get(), chunk.after);
    link(&chunk, rest.get());
    large_.insert(std::move(rest.release()->position));
    return chunk;
  }

  /// Has a span that nobody has used yet consist of pages that wait, as far as there are any, so
  /// that no more memory is held for it. They leave gaps between addresses, nothing else.
  void gather_pages(Chunk& span) {
    if constexpr (System::kMovesPages) {
      std::size_t moved = 0;
      for (auto next = large_.end(); moved < span.size && next != large_.begin();) {
        Chunk& chunk = **std::prev(next);
        const auto [first, last] = whole_pages_of(chunk, span.size - moved);
        if (first == last) {
          --next;
          continue;
        }
        std::unique_ptr<Chunk> rest;
        try {
          rest = account_of(chunk.memory + last, chunk.size - last);
        } catch (const std::bad_alloc&) {
          break;  // there is memory enough for the span itself
        }
        take_out(large_, chunk);
        // Whoever gets these addresses from the system next knows nothing of poison.
        detail::unpoison<Device>(chunk.memory + first, last - first);
        for (std::size_t page = first; page != last; page += System::kPage) {
          System::move_page(chunk.memory + page, span.memory + moved);
          moved += System::kPage;
        }
        if (rest->size == 0) rest.reset();
        link(rest.get(), chunk.after);
        link(&chunk, nullptr);
        if (rest) large_.insert(std::move(rest.release()->position));
        chunk.size = first;
        if (first > 0) {
          large_.insert(std::move(chunk.position));
        } else {
          link(chunk.before, nullptr);
          delete &chunk;
        }
      }
      statistics_.bytes_held -= moved;
      if (moved == span.size) --statistics_.system_allocations;
    }
  }

  /// Where in a waiting chunk pages begin and end that may be moved, `most` bytes of them. What is
  /// left on either side is large, too, or nothing.
  static std::pair<std::size_t, std::size_t> whole_pages_of(const Chunk& chunk, std::size_t most) {
    const auto address = reinterpret_cast<std::uintptr_t>(chunk.memory);
    std::size_t first = sfumato::round_up(address, System::kPage) - address;
    if (first > 0 && first < kLarge) first += System::kPage;
    if (first >= chunk.size) return {0, 0};
    std::size_t last = first + std::min(most, (chunk.size - first) / System::kPage * System::kPage);
    if (last < chunk.size && chunk.size - last < kLarge && last > first) last -= System::kPage;
    return {first, last};
  }

  static Chunk& take_out(Waiting& waiting, Chunk& chunk) {
    chunk.position = waiting.extract(&chunk);
    return chunk;
  }

  /// Makes them neighbours; null stands for a span's end.
  static void link(Chunk* before, Chunk* after) {
    if (before != nullptr) before->after = after;
    if (after != nullptr) after->before = before;
  }

  static std::unique_ptr<Chunk> account_of(std::byte* memory, std::size_t size) {
    auto chunk = std::make_unique<Chunk>();
    chunk->memory = memory;
    chunk->size = size;
    chunk->put_back = put_back;
    Waiting alone{chunk.get()};
    chunk->position = alone.extract(alone.begin());
    return chunk;
  }

  /// A block of the system's memory, not yet waiting.
  std::unique_ptr<Chunk> take_from_system(std::size_t size) {
    auto chunk = account_of(nullptr, size);
    void* memory = System::allocate(size, size >= kLarge);
    if (memory == nullptr) {
      // What waits in the wrong sizes may be just what the system lacks.
      release_waiting();
      memory = System::allocate(size, size >= kLarge);
    }
    if (memory == nullptr) {
      std::string note;
      if constexpr (requires { Device::memory_note(); }) note = Device::memory_note();
      throw ResourceError(message("pool: the system has no ", size, " bytes left; ",
                                  statistics_.bytes_in_use, " bytes are in use by tensors", note));
    }
    chunk->memory = static_cast<std::byte*>(memory);
    statistics_.bytes_held += size;
    ++statistics_.system_allocations;
    return chunk;
  }

  /// Nothing here allocates: it is called by destructors, when there may be no memory left.
  static void put_back(detail::Block& block) noexcept {
    Chunk& chunk = static_cast<Chunk&>(block);
    const std::shared_ptr<Pool> pool = std::move(chunk.pool);  // may be the last to hold the pool
    const std::lock_guard lock(mutex_);
    pool->keep(chunk);
  }

  void keep(Chunk& chunk) {
    statistics_.bytes_in_use -= chunk.size;
    PoolListener<Device>::returned(chunk.memory, chunk.size);
    detail::poison<Device>(chunk.memory, chunk.size);
    if (chunk.size < kLarge) {
      small_.insert(std::move(chunk.position));
      return;
    }
    Chunk* whole = &chunk;
    if (chunk.after != nullptr && chunk.after->waits())
      merge(chunk, take_out(large_, *chunk.after));
    if (chunk.before != nullptr && chunk.before->waits()) {
      whole = chunk.before;
      merge(take_out(large_, *whole), chunk);
    }
    large_.insert(std::move(whole->position));
  }

  /// Makes two neighbours one, neither of which waits.
  static void merge(Chunk& first, Chunk& second) {
    first.size += second.size;
    link(&first, second.after);
    delete &second;
  }

  void release_waiting() {
    const auto release_from = [this](Waiting& waiting) {
      for (auto chunk = waiting.begin(); chunk != waiting.end();) {
        const bool whole = (*chunk)->before == nullptr && (*chunk)->after == nullptr;
        if (whole) release(**chunk);
        chunk = whole ? waiting.erase(chunk) : std::next(chunk);
      }
    };
    release_from(small_);
    release_from(large_);
  }

  void release(Chunk& chunk) {
    detail::unpoison<Device>(chunk.memory, chunk.size);
    System::free(chunk.memory, chunk.size, chunk.size >= kLarge);
    statistics_.bytes_held -= chunk.size;
    delete &chunk;
  }

  // One for all pools of the device. At a fork it is held, so that the child finds them whole.
  static inline constinit std::mutex mutex_;

  Waiting small_;  // blocks of their own
  Waiting large_;  // blocks and parts of them
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
