#include "memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "report.hpp"
#include "shadow.hpp"

namespace emulator {

namespace {

constexpr std::size_t kArenaBytes = std::size_t{1} << 38;  // addresses, of which few have memory
constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignment = 256;  // what cudaMalloc promises

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

std::byte* reserve(int file, int protection) {
  const int sharing = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  const std::size_t bytes = file < 0 ? kArenaBytes / 8 : kArenaBytes;
  void* const memory = ::mmap(nullptr, bytes, protection, sharing | MAP_NORESERVE, file, 0);
  if (memory == MAP_FAILED) give_up("cuda emulator: mmap");
  return static_cast<std::byte*>(memory);
}

int arena_file() {
  const int file = ::memfd_create("cuda emulator", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, kArenaBytes) != 0) give_up("cuda emulator: memfd");
  return file;
}

struct Memory {
  int file = arena_file();
  std::byte* device = reserve(file, PROT_NONE);
  std::byte* host = reserve(file, PROT_READ | PROT_WRITE);
  Shadow shadow{reinterpret_cast<std::uint64_t*>(reserve(-1, PROT_READ | PROT_WRITE))};
  std::map<std::uintptr_t, Allocation> live;
  std::map<std::uintptr_t, Allocation> freed;  // until their addresses are used again
  std::size_t limit = std::size_t{8} << 30;
  std::uint64_t allocations = 0;
  std::uintptr_t cursor = 0;  // where the next block is looked for

  std::uintptr_t begin() const { return reinterpret_cast<std::uintptr_t>(device); }
  std::size_t offset(std::uintptr_t address) const { return address - begin(); }
};

Memory& memory() {
  static Memory* const instance = new Memory();
  return *instance;
}

std::uintptr_t page_of(std::uintptr_t address) {
  return address / kPage * kPage;
}

auto containing(std::map<std::uintptr_t, Allocation>& blocks, std::uintptr_t address) {
  auto block = blocks.upper_bound(address);
  if (block == blocks.begin()) return blocks.end();
  --block;
  return address - block->first < std::max<std::size_t>(block->second.size, 1) ? block
                                                                               : blocks.end();
}

/// Addresses are used again as late as possible, so that whoever uses freed memory is caught.
std::uintptr_t find_gap(std::size_t reserved) {
  Memory& m = memory();
  const std::uintptr_t end = m.begin() + kArenaBytes;
  std::uintptr_t at = m.cursor == 0 ? m.begin() : m.cursor;
  for (int round = 0; round < 2; ++round, at = m.begin()) {
    auto next = m.live.lower_bound(at);
    while (at + reserved <= end) {
      if (next == m.live.end() || page_of(next->first) >= at + reserved) return at;
      at = page_of(next->first) + next->second.reserved;
      ++next;
    }
  }
  give_up("cuda emulator: no addresses left");
}

void forget_freed(std::uintptr_t begin, std::uintptr_t end) {
  auto& freed = memory().freed;
  auto block = freed.lower_bound(begin);
  while (block != freed.end() && block->first < end) block = freed.erase(block);
}

std::string name_of(std::uintptr_t address) {
  const auto block = containing(memory().live, address);
  return text("block #", block->second.number, " of ", block->second.size, " bytes");
}

void cut(std::map<std::uintptr_t, Usage>& usage, std::uintptr_t at) {
  const auto piece = std::prev(usage.upper_bound(at));
  if (piece->first != at) usage.emplace_hint(std::next(piece), at, piece->second);
}

void check_initialised(const std::string& what, const Access& access) {
  const Memory& m = memory();
  bool reported = false;
  access.for_each_run([&](std::uintptr_t at) {
    if (reported || m.shadow.all(m.offset(at), access.run)) return;
    reported = true;
    const std::size_t first = m.shadow.first_unwritten(m.offset(at), access.run);
    const auto block = containing(memory().live, at);
    violation(what, ": reads byte ", m.begin() + first - block->first, " of ", name_of(at),
              ", which was never written");
  });
}

void check_order(const std::string& what, const Access& access, Timeline& timeline) {
  auto& usage = containing(memory().live, access.address)->second.usage;
  cut(usage, access.address);
  if (access.end < std::prev(usage.end())->first || access.end > access.address) {
    cut(usage, access.end);
  }
  const Moment now = timeline.clock.now(timeline.number);
  bool ordered = true;
  auto piece = usage.find(access.address);
  for (auto at = piece; at != usage.end() && at->first < access.end; ++at) {
    Usage& used = at->second;
    ordered = ordered && timeline.clock.knows(used.written);
    if (access.writes) {
      for (const Moment& read : used.read) ordered = ordered && timeline.clock.knows(read);
    } else {
      std::erase_if(used.read, [&](const Moment& m) { return timeline.clock.knows(m); });
      used.read.push_back(now);
    }
  }
  if (access.writes) {  // one writer for all of it: the pieces become one
    piece->second = {now, {}};
    usage.erase(std::next(piece), usage.lower_bound(access.end));
  }
  if (!ordered) {
    violation(what, ": ", access.writes ? "writes " : "reads ", name_of(access.address),
              " while another stream may still be using it; wait for an event of that stream");
  }
}

}  // namespace

void* allocate_memory(std::size_t bytes, const void* pool) {
  Memory& m = memory();
  if (bytes > free_bytes()) return nullptr;
  // At the end of its last page, so that what runs over the end meets the guard page.
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t pages = (rounded + kPage - 1) / kPage * kPage;
  const std::uintptr_t first = find_gap(pages + kPage);
  m.cursor = first + pages + kPage;
  forget_freed(first, m.cursor);
  const std::uintptr_t address = first + pages - rounded;

  Allocation block;
  block.size = bytes;
  block.reserved = pages + kPage;
  block.pool = pool;
  block.number = ++m.allocations;
  block.usage[address] = {};
  m.live.emplace(address, std::move(block));
  m.shadow.clear(m.offset(first), pages);

  Counters& counters = count();
  ++counters.allocations;
  counters.bytes_in_use += bytes;
  counters.peak_bytes_in_use = std::max(counters.peak_bytes_in_use, counters.bytes_in_use);
  return reinterpret_cast<void*>(address);
}

bool freeable(const char* call, const void* address) {
  Memory& m = memory();
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (m.live.count(at) > 0) return true;
  if (m.freed.count(at) > 0) {
    violation(call, ": ", address, " is freed for the second time");
  } else {
    violation(call, ": ", address, " is not where an allocation begins");
  }
  return false;
}

void free_memory(const void* address) {
  Memory& m = memory();
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  auto block = m.live.extract(at);
  count().bytes_in_use -= block.mapped().size;
  const auto offset = static_cast<off_t>(m.offset(page_of(at)));
  ::fallocate(m.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
              static_cast<off_t>(block.mapped().reserved));
  block.mapped().usage.clear();
  m.freed.insert(std::move(block));
}

const Allocation* find_allocation(const void* address) {
  const auto block = containing(memory().live, reinterpret_cast<std::uintptr_t>(address));
  return block == memory().live.end() ? nullptr : &block->second;
}

bool is_device_address(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  return at - memory().begin() < kArenaBytes;
}

void* alias_of(const void* device_address) {
  Memory& m = memory();
  return m.host + m.offset(reinterpret_cast<std::uintptr_t>(device_address));
}

std::size_t free_bytes() {
  const std::size_t used = count().bytes_in_use;
  return used < memory().limit ? memory().limit - used : 0;
}

std::size_t limit_bytes() {
  return memory().limit;
}

void set_memory_limit(std::size_t bytes) {
  const std::lock_guard lock(big_lock());
  memory().limit = bytes;
}

std::size_t pool_bytes(const void* pool) {
  std::size_t bytes = 0;
  for (const auto& [address, block] : memory().live) bytes += block.pool == pool ? block.size : 0;
  return bytes;
}

bool in_bounds(const std::string& what, const Access& access) {
  if (access.run == 0) return true;
  Memory& m = memory();
  const auto* const address = reinterpret_cast<const void*>(access.address);
  const auto block = containing(m.live, access.address);
  const char* const does = access.writes ? "writes" : "reads";
  if (block != m.live.end()) {
    if (access.end <= block->first + block->second.size) return true;
    violation(what, ": ", does, " ", access.end - block->first - block->second.size,
              " bytes behind the end of ", name_of(access.address));
  } else if (const auto old = containing(m.freed, access.address); old != m.freed.end()) {
    violation(what, ": ", does, " block #", old->second.number, " of ", old->second.size,
              " bytes, which was freed");
  } else if (address == nullptr) {
    violation(what, ": ", does, " ", access.bytes(), " bytes through a null pointer");
  } else {
    violation(what, ": ", does, " ", address, ", which is ",
              is_device_address(address) ? "in no allocation" : "host memory");
  }
  return false;
}

void check_access(const std::string& what, const Access& access, Timeline& timeline) {
  if (access.run == 0) return;
  if (!access.writes) check_initialised(what, access);
  check_order(what, access, timeline);
}

void mark_written(const Access& access) {
  Memory& m = memory();
  access.for_each_run([&](std::uintptr_t at) { m.shadow.mark(m.offset(at), access.run); });
}

void mark_unwritten(const void* address, std::size_t bytes) {
  Memory& m = memory();
  m.shadow.clear(m.offset(reinterpret_cast<std::uintptr_t>(address)), bytes);
}

namespace {

void protect(const Access& access, int protection) {
  if (access.run == 0) return;
  const std::uintptr_t begin = page_of(access.address);
  const std::size_t bytes = page_of(access.end + kPage - 1) - begin;
  if (::mprotect(reinterpret_cast<void*>(begin), bytes, protection) != 0) {
    give_up("cuda emulator: mprotect");
  }
}

}  // namespace

OpenPages::OpenPages(const std::vector<Access>& accesses) : accesses_(accesses) {
  // What is written may share pages with what is read, so it comes last.
  for (const Access& access : accesses_) {
    if (!access.writes) protect(access, PROT_READ);
  }
  for (const Access& access : accesses_) {
    if (access.writes) protect(access, PROT_READ | PROT_WRITE);
  }
}

OpenPages::~OpenPages() {
  for (const Access& access : accesses_) protect(access, PROT_NONE);
}

std::vector<std::string> live_memory() {
  std::vector<std::string> live;
  for (const auto& [address, block] : memory().live) {
    live.push_back(text("device memory ", reinterpret_cast<void*>(address), ", block #",
                        block.number, " of ", block.size, " bytes"));
  }
  return live;
}

void forgive_live_memory() {
  while (!memory().live.empty()) {
    free_memory(reinterpret_cast<const void*>(memory().live.begin()->first));
  }
}

}  // namespace emulator
