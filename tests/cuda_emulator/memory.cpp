#include "memory.hpp"

#include <algorithm>

#include "arena.hpp"
#include "report.hpp"

namespace emulator {

void* allocate_memory(std::size_t bytes, const void* pool) {
  constexpr std::size_t kAlignment = 256;  // what CUDA promises
  Arena& a = arena();
  if (bytes > free_bytes()) return nullptr;
  // At the end of its last page, so that what runs over the end meets the guard page behind it.
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t pages = (rounded + kPage - 1) / kPage * kPage;
  const std::uintptr_t first = a.find_gap(pages + kPage);
  a.cursor = first + pages + kPage;
  a.freed.erase(a.freed.lower_bound(first), a.freed.lower_bound(a.cursor));
  const std::uintptr_t address = first + pages - rounded;

  Allocation block;
  block.size = bytes;
  block.reserved = pages + kPage;
  block.pool = pool;
  block.number = ++a.allocations;
  block.usage[address] = {};
  a.live.emplace(address, std::move(block));
  a.shadow.clear(a.offset(first), pages);

  Counters& counters = count();
  ++counters.allocations;
  counters.bytes_in_use += bytes;
  counters.peak_bytes_in_use = std::max(counters.peak_bytes_in_use, counters.bytes_in_use);
  return reinterpret_cast<void*>(address);
}

bool freeable(const char* call, const void* address) {
  Arena& a = arena();
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (a.live.count(at) > 0) return true;
  if (a.freed.count(at) > 0) {
    violation(call, ": ", address, " is freed for the second time");
  } else {
    violation(call, ": ", address, " is not where an allocation begins");
  }
  return false;
}

void free_memory(const void* address) {
  Arena& a = arena();
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  auto block = a.live.extract(at);
  count().bytes_in_use -= block.mapped().size;
  a.discard(page_of(at), block.mapped().reserved);
  block.mapped().usage.clear();
  a.freed.insert(std::move(block));
}

const Allocation* find_allocation(const void* address) {
  const auto block = containing(arena().live, reinterpret_cast<std::uintptr_t>(address));
  return block == arena().live.end() ? nullptr : &block->second;
}

bool is_device_address(const void* address) {
  return arena().holds(reinterpret_cast<std::uintptr_t>(address));
}

void* alias_of(const void* device_address) {
  return arena().host + arena().offset(reinterpret_cast<std::uintptr_t>(device_address));
}

std::size_t free_bytes() {
  const std::size_t used = count().bytes_in_use;
  return used < arena().limit ? arena().limit - used : 0;
}

std::size_t limit_bytes() {
  return arena().limit;
}

void set_memory_limit(std::size_t bytes) {
  const std::lock_guard lock(big_lock());
  arena().limit = bytes;
}

std::size_t pool_bytes(const void* pool) {
  std::size_t bytes = 0;
  for (const auto& [address, block] : arena().live) bytes += block.pool == pool ? block.size : 0;
  return bytes;
}

std::size_t allocations_so_far() {
  return arena().allocations;
}

std::vector<std::string> live_memory() {
  std::vector<std::string> live;
  for (const auto& [address, block] : arena().live) {
    live.push_back(
        text("device memory ", reinterpret_cast<const void*>(address), ", ", name_of(block)));
  }
  return live;
}

void forgive_live_memory() {
  while (!arena().live.empty()) {
    free_memory(reinterpret_cast<const void*>(arena().live.begin()->first));
  }
}

}  // namespace emulator
