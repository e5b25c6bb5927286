#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "sfumato/core/device.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/fork.hpp"
#include "sfumato/core/storage.hpp"

namespace sfumato {

/// What a Pool holds and has done, in bytes and calls.
struct PoolStatistics {
  std::size_t bytes_in_use = 0;        ///< handed out and not yet returned
  std::size_t bytes_held = 0;          ///< taken from the system, in use or waiting
  std::size_t peak_bytes_in_use = 0;   ///< the largest bytes_in_use so far
  std::size_t system_allocations = 0;  ///< how often the system was asked for memory
};

/// Is told of memory that returns to a device's pool. Tools that watch memory specialise it.
template <class Device>
struct PoolListener {
  static void returned(void*, std::size_t) {}
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
  Storage allocate(std::size_t bytes) {
    const std::size_t size = round_up(bytes);
    const std::lock_guard lock(mutex_);
    Place& place = size < kLarge ? take_small(size) : take_large(size);
    place.pool = this->shared_from_this();
    statistics_.bytes_in_use += place.size;
    statistics_.peak_bytes_in_use =
        std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
    return Storage(place);
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

  struct Place;
  /// By size, and then by address.
  struct Order {
    using is_transparent = void;
    bool operator()(const Place* a, const Place* b) const {
      return a->size != b->size ? a->size < b->size : std::less<>()(a->memory, b->memory);
    }
    bool operator()(const Place* a, std::size_t size) const { return a->size < size; }
    bool operator()(std::size_t size, const Place* b) const { return size < b->size; }
  };
  using Waiting = std::set<Place*, Order>;

  /// A block with the pool's account of it, complete when the block is handed out: to take it back,
  /// nothing need be allocated.
  struct Place : detail::Block {
    std::shared_ptr<Pool> pool;            // while it is in use
    typename Waiting::node_type position;  // among the waiting ones; empty while it waits
    Place* before = nullptr;               // what it was cut from, and has to grow together with
    Place* after = nullptr;
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

  Place& take_small(std::size_t size) {
    const auto found = small_.lower_bound(size);
    if (found == small_.end() || (*found)->size - size > (*found)->size / 8) {
      return *take_from_system(size).release();
    }
    return take_out(small_, **found);
  }

  Place& take_large(std::size_t size) {
    auto found = large_.lower_bound(size);
    if (found == large_.end()) {
      auto taken = take_from_system(whole_pages(size));
      found = large_.insert(std::move(taken->position)).position;
      taken.release();
    }
    Place& place = **found;
    if (place.size - size < kLarge) return take_out(large_, place);
    auto rest = account_of(place.memory + size, place.size - size);
    take_out(large_, place);
    place.size = size;
    link(*rest, place.after);
    link(place, rest.get());
    large_.insert(std::move(rest.release()->position));
    return place;
  }

  static Place& take_out(Waiting& waiting, Place& place) {
    place.position = waiting.extract(&place);
    return place;
  }

  static void link(Place& before, Place* after) {
    before.after = after;
    if (after != nullptr) after->before = &before;
  }

  static std::unique_ptr<Place> account_of(std::byte* memory, std::size_t size) {
    auto place = std::make_unique<Place>();
    place->memory = memory;
    place->size = size;
    place->put_back = put_back;
    Waiting alone{place.get()};
    place->position = alone.extract(alone.begin());
    return place;
  }

  /// What is taken from the system for a span of `size` bytes.
  static std::size_t whole_pages(std::size_t size) {
    if constexpr (requires { Device::kHugePage; }) {
      return multiple_of(Device::kHugePage, size);
    }
    return size;
  }

  /// A block of the system's memory, not yet waiting.
  std::unique_ptr<Place> take_from_system(std::size_t size) {
    auto place = account_of(nullptr, size);
    void* memory = Device::allocate(size);
    if (memory == nullptr) {
      // What waits in the wrong sizes may be just what the system lacks.
      release_waiting();
      memory = Device::allocate(size);
    }
    if (memory == nullptr) {
      std::string note;
      if constexpr (requires { Device::memory_note(); }) note = Device::memory_note();
      throw ResourceError(message("pool: the system has no ", size, " bytes left; ",
                                  statistics_.bytes_in_use, " bytes are in use by tensors", note));
    }
    place->memory = static_cast<std::byte*>(memory);
    statistics_.bytes_held += size;
    ++statistics_.system_allocations;
    return place;
  }

  /// Nothing here allocates: it is called by destructors, when there may be no memory left.
  static void put_back(detail::Block& block) noexcept {
    Place& place = static_cast<Place&>(block);
    const std::shared_ptr<Pool> pool = std::move(place.pool);  // may be the last to hold the pool
    const std::lock_guard lock(mutex_);
    pool->keep(place);
  }

  void keep(Place& place) {
    statistics_.bytes_in_use -= place.size;
    PoolListener<Device>::returned(place.memory, place.size);
    if (place.size < kLarge) {
      small_.insert(std::move(place.position));
      return;
    }
    Place* whole = &place;
    if (place.after != nullptr && place.after->waits())
      merge(place, take_out(large_, *place.after));
    if (place.before != nullptr && place.before->waits()) {
      whole = place.before;
      merge(take_out(large_, *whole), place);
    }
    large_.insert(std::move(whole->position));
  }

  /// Makes two neighbours one, neither of which waits.
  static void merge(Place& first, Place& second) {
    first.size += second.size;
    link(first, second.after);
    delete &second;
  }

  void release_waiting() {
    const auto release_from = [this](Waiting& waiting) {
      for (auto place = waiting.begin(); place != waiting.end();) {
        const bool whole = (*place)->before == nullptr && (*place)->after == nullptr;
        if (whole) release(**place);
        place = whole ? waiting.erase(place) : std::next(place);
      }
    };
    release_from(small_);
    release_from(large_);
  }

  void release(Place& place) {
    Device::free(place.memory);
    statistics_.bytes_held -= place.size;
    delete &place;
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
