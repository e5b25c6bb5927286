// What is checked whenever work touches memory.

#include <sys/mman.h>

#include <iterator>

#include "arena.hpp"
#include "report.hpp"

namespace emulator {

namespace {

void check_initialised(const std::string& what, const Access& access) {
  const Arena& a = arena();
  bool reported = false;
  access.for_each_run([&](std::uintptr_t at) {
    if (reported || a.shadow.all(a.offset(at), access.run)) return;
    reported = true;
    const std::size_t first = a.shadow.first_unwritten(a.offset(at), access.run);
    const auto block = containing(arena().live, at);
    violation(what, ": reads byte ", a.begin() + first - block->first, " of ",
              name_of(block->second), ", which was never written");
  });
}

/// Makes a piece begin at the address.
void cut(std::map<std::uintptr_t, Usage>& usage, std::uintptr_t at) {
  const auto piece = std::prev(usage.upper_bound(at));
  if (piece->first != at) usage.emplace_hint(std::next(piece), at, piece->second);
}

void check_order(const std::string& what, const Access& access, Timeline& timeline) {
  Allocation& block = containing(arena().live, access.address)->second;
  auto& usage = block.usage;
  cut(usage, access.address);
  cut(usage, access.end);
  const Moment now = timeline.clock.now(timeline.number);
  const auto first = usage.find(access.address);
  bool ordered = true;
  for (auto piece = first; piece != usage.end() && piece->first < access.end; ++piece) {
    Usage& used = piece->second;
    ordered = ordered && timeline.clock.knows(used.written);
    if (access.writes) {
      for (const Moment& read : used.read) ordered = ordered && timeline.clock.knows(read);
    } else {
      std::erase_if(used.read, [&](const Moment& m) { return timeline.clock.knows(m); });
      used.read.push_back(now);
    }
  }
  if (access.writes) {  // one writer for all of it: the pieces become one
    first->second = {now, {}};
    usage.erase(std::next(first), usage.lower_bound(access.end));
  }
  if (!ordered) {
    violation(what, ": ", access.writes ? "writes " : "reads ", name_of(block),
              " while another stream may still be using it; wait for an event of that stream");
  }
}

}  // namespace

bool in_bounds(const std::string& what, const Access& access) {
  if (access.run == 0) return true;
  Arena& a = arena();
  const auto* const address = reinterpret_cast<const void*>(access.address);
  const char* const does = access.writes ? "writes " : "reads ";
  if (const auto block = containing(a.live, access.address); block != a.live.end()) {
    const std::uintptr_t end = block->first + block->second.size;
    if (access.end <= end) return true;
    violation(what, ": ", does, access.end - end, " bytes behind the end of ",
              name_of(block->second));
  } else if (const auto old = containing(a.freed, access.address); old != a.freed.end()) {
    violation(what, ": ", does, name_of(old->second), ", which was freed");
  } else if (address == nullptr) {
    violation(what, ": ", does, access.bytes(), " bytes through a null pointer");
  } else {
    violation(what, ": ", does, address, ", which is ",
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
  Arena& a = arena();
  access.for_each_run([&](std::uintptr_t at) { a.shadow.mark(a.offset(at), access.run); });
}

void mark_unwritten(const void* address, std::size_t bytes) {
  Arena& a = arena();
  a.shadow.clear(a.offset(reinterpret_cast<std::uintptr_t>(address)), bytes);
}

OpenPages::OpenPages(const std::vector<Access>& accesses) : accesses_(accesses) {
  // What is written may share pages with what is read, so it comes last.
  for (const bool writes : {false, true}) {
    for (const Access& access : accesses_) {
      if (access.run == 0 || access.writes != writes) continue;
      Arena::protect(access.address, access.end, writes ? PROT_READ | PROT_WRITE : PROT_READ);
    }
  }
}

OpenPages::~OpenPages() {
  for (const Access& access : accesses_) {
    if (access.run > 0) Arena::protect(access.address, access.end, PROT_NONE);
  }
}

}  // namespace emulator
