#pragma once

// The device's memory. Device addresses lie in a mapping that nobody may touch, so that host code
// which dereferences one faults; libraries work on a second mapping of the same memory, kernels on
// the first one, opened for what they declared and for as long as they run.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "access.hpp"
#include "clock.hpp"

namespace emulator {

/// Who used a piece of an allocation last.
struct Usage {
  Moment written;
  std::vector<Moment> read;  // since it was written; one for each timeline
};

struct Allocation {
  std::size_t size = 0;
  std::size_t reserved = 0;  ///< from the first page to the guard page behind the last
  const void* pool = nullptr;
  std::uint64_t number = 0;
  std::map<std::uintptr_t, Usage> usage;  ///< by the address at which a piece begins
};

/// A fresh block, or nullptr when the limit is reached. `pool` is what it is accounted to, if any.
void* allocate_memory(std::size_t bytes, const void* pool);

/// Whether `address` is where a live allocation of the pool begins; if not, records a violation.
bool freeable(const char* call, const void* address);
void free_memory(const void* address);
const Allocation* find_allocation(const void* address);

bool is_device_address(const void* address);

/// The same memory where the emulator itself may touch it.
void* alias_of(const void* device_address);

/// Bytes that may still be allocated, and all there are.
std::size_t free_bytes();
std::size_t limit_bytes();

/// How many bytes live allocations of the pool take.
std::size_t pool_bytes(const void* pool);

/// Whether all bytes lie in one live allocation; if not, records a violation.
bool in_bounds(const std::string& what, const Access& access);

/// Records violations where the work reads what was never written, or races with other work; notes
/// that it was here, and what it writes as written. In bounds it must be.
void check_access(const std::string& what, const Access& access, Timeline& timeline);
void mark_written(const Access& access);

/// The contents become undefined again.
void mark_unwritten(const void* address, std::size_t bytes);

/// Opens the pages of the accesses at their device addresses while it lives.
class OpenPages {
 public:
  explicit OpenPages(const std::vector<Access>& accesses);
  OpenPages(const OpenPages&) = delete;
  OpenPages& operator=(const OpenPages&) = delete;
  ~OpenPages();

 private:
  const std::vector<Access>& accesses_;
};

/// How many blocks there have ever been.
std::size_t allocations_so_far();

/// Live allocations, in words.
std::vector<std::string> live_memory();

/// Frees them all.
void forgive_live_memory();

}  // namespace emulator
