#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define SFUMATO_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SFUMATO_ADDRESS_SANITIZER
#endif
#endif
#ifdef SFUMATO_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

/// Tells the address sanitizer, where a program has one, which of a pool's memory is nobody's: what
/// waits, and what a block has beyond the bytes that were asked for. Otherwise it would see no
/// mistake within what the system gave the pool.
namespace sfumato::detail {

template <class Device>
void poison([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef SFUMATO_ADDRESS_SANITIZER
  if constexpr (Device::kHostAccessible) ASAN_POISON_MEMORY_REGION(memory, bytes);
#endif
}
template <class Device>
void unpoison([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef SFUMATO_ADDRESS_SANITIZER
  if constexpr (Device::kHostAccessible) ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
}

}  // namespace sfumato::detail
