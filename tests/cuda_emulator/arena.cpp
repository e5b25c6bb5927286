#include "arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "report.hpp"

namespace emulator {

namespace {

constexpr std::size_t kArenaBytes = std::size_t{1} << 38;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

std::byte* reserve(std::size_t bytes, int file, int protection) {
  const int sharing = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* const memory = ::mmap(nullptr, bytes, protection, sharing | MAP_NORESERVE, file, 0);
  if (memory == MAP_FAILED) give_up("cuda emulator: mmap");
  return static_cast<std::byte*>(memory);
}

int arena_file() {
  const int file = ::memfd_create("cuda emulator", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, kArenaBytes) != 0) give_up("cuda emulator: memfd");
  return file;
}

}  // namespace

Arena::Arena()
    : file(arena_file()),
      device(reserve(kArenaBytes, file, PROT_NONE)),
      host(reserve(kArenaBytes, file, PROT_READ | PROT_WRITE)),
      shadow(
          reinterpret_cast<std::uint64_t*>(reserve(kArenaBytes / 8, -1, PROT_READ | PROT_WRITE))),
      cursor(begin()) {}

Arena& arena() {
  static Arena* const instance = new Arena();  // never destroyed: the program's last calls need it
  return *instance;
}

bool Arena::holds(std::uintptr_t address) const {
  return address - begin() < kArenaBytes;
}

std::uintptr_t Arena::find_gap(std::size_t bytes) const {
  const std::uintptr_t end = begin() + kArenaBytes;
  for (std::uintptr_t at : {cursor, begin()}) {
    auto next = live.lower_bound(at);
    while (at + bytes <= end) {
      if (next == live.end() || page_of(next->first) >= at + bytes) return at;
      at = page_of(next->first) + next->second.reserved;
      ++next;
    }
  }
  give_up("cuda emulator: no addresses left");
}

void Arena::discard(std::uintptr_t address, std::size_t bytes) const {
  const auto begin = static_cast<off_t>(offset(address));
  if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin,
                  static_cast<off_t>(bytes)) != 0) {
    give_up("cuda emulator: fallocate");
  }
}

void Arena::protect(std::uintptr_t begin, std::uintptr_t end, int protection) {
  const std::uintptr_t first = page_of(begin);
  const std::size_t bytes = page_of(end + kPage - 1) - first;
  if (::mprotect(reinterpret_cast<void*>(first), bytes, protection) != 0) {
    give_up("cuda emulator: mprotect");
  }
}

Blocks::iterator containing(Blocks& blocks, std::uintptr_t address) {
  auto block = blocks.upper_bound(address);
  if (block == blocks.begin()) return blocks.end();
  --block;
  const std::size_t size = std::max<std::size_t>(block->second.size, 1);
  return address - block->first < size ? block : blocks.end();
}

std::string name_of(const Allocation& block) {
  return text("block #", block.number, " of ", block.size, " bytes");
}

}  // namespace emulator
