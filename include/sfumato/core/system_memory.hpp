#pragma once

#include <cstddef>

#include "sfumato/core/division.hpp"

namespace sfumato {

/// Is told of memory that returns to a device's pool. Tools that watch memory specialise it.
template <class Device>
struct PoolListener {
  static void returned(void*, std::size_t) {}
};

namespace detail {

/// The memory that a device's pool takes from the system. Large blocks are whole pages of
/// Device::kHugePage bytes, if the device has them. Where it has allocate_pages(), free_pages() and
/// move_page(), as the Cpu, any part of a large block may be given back alone, and its pages moved.
template <class Device>
struct SystemMemory {
  static constexpr bool kMovesPages = requires(void* page) { Device::move_page(page, page); };
  static constexpr std::size_t kPage = [] {
    if constexpr (requires { Device::kHugePage; }) return std::size_t{Device::kHugePage};
    return std::size_t{1};
  }();

  /// What is taken for a large block of `size` bytes.
  static std::size_t whole_pages(std::size_t size) { return round_up(size, kPage); }

  /// Null where there is no more.
  static void* allocate(std::size_t size, [[maybe_unused]] bool large) {
    if constexpr (kMovesPages) {
      if (large) return Device::allocate_pages(size);
    }
    return Device::allocate(size);
  }
  static void free(void* memory, [[maybe_unused]] std::size_t size, [[maybe_unused]] bool large) {
    if constexpr (kMovesPages) {
      if (large) return Device::free_pages(memory, size);
    }
    Device::free(memory);
  }
  /// Puts a page in the place of another, which nobody uses, and leaves nothing where it was.
  static void move_page(void* from, void* to) { Device::move_page(from, to); }
};

}  // namespace detail

}  // namespace sfumato
