#pragma once

// Where the device's memory is: three mappings of the same size, of which few pages are in use.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "emulator.hpp"
#include "memory.hpp"
#include "shadow.hpp"

namespace emulator {

inline constexpr std::size_t kPage = 4096;

using Blocks = std::map<std::uintptr_t, Allocation>;  // by address

struct Arena {
  int file;           ///< what both mappings show
  std::byte* device;  ///< at the addresses that callers see; nobody may touch it
  std::byte* host;    ///< the same memory for the emulator itself
  Shadow shadow;      ///< which of it was written
  Blocks live;
  Blocks freed;  ///< until their addresses are used again
  std::size_t limit = kMemoryLimit;
  std::uint64_t allocations = 0;
  std::uintptr_t cursor;  ///< where the next block is looked for

  Arena();
  std::uintptr_t begin() const { return reinterpret_cast<std::uintptr_t>(device); }
  std::size_t offset(std::uintptr_t address) const { return address - begin(); }
  bool holds(std::uintptr_t address) const;

  /// Addresses that no live block has. They are used again as late as possible, so that whoever
  /// uses freed memory is caught.
  std::uintptr_t find_gap(std::size_t bytes) const;

  /// Gives the pages back to the system, and zeros when they are next used.
  void discard(std::uintptr_t address, std::size_t bytes) const;

  /// What may be done with the pages of these device addresses.
  static void protect(std::uintptr_t begin, std::uintptr_t end, int protection);
};

Arena& arena();

inline std::uintptr_t page_of(std::uintptr_t address) {
  return address / kPage * kPage;
}

/// The block that has the address in it, or end().
Blocks::iterator containing(Blocks& blocks, std::uintptr_t address);

/// "block #3 of 400 bytes"
std::string name_of(const Allocation& block);

}  // namespace emulator
