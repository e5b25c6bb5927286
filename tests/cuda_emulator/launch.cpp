// Kernels, launched through the library's one launch function and run on the host.

#include <cstring>
#include <vector>

#include "call.hpp"
#include "memory.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cuda/launch.hpp"
#include "streams.hpp"

namespace sfumato::cuda {

namespace {

emulator::Access converted(const Access& access, bool writes) {
  std::vector<emulator::Access::Dimension> places;
  for (std::size_t level = 0; level < static_cast<std::size_t>(access.levels); ++level) {
    places.push_back({access.extents[level],
                      access.strides[level] * static_cast<std::int64_t>(access.element_bytes)});
  }
  return emulator::Access::make(access.first, access.element_bytes, std::move(places), writes);
}

bool same_places(const Access& a, const Access& b) {
  return a.first == b.first && a.element_bytes == b.element_bytes && a.levels == b.levels &&
         a.extents == b.extents && a.strides == b.strides;
}

/// Indices run in any order, so none may touch what another one writes. An index may read what it
/// writes itself: in the places of the same strides.
void check_independence(const char* name, Accesses reads, Accesses writes) {
  for (const Access& write : writes) {
    const emulator::Access written = converted(write, true);
    for (std::size_t level = 0; level < static_cast<std::size_t>(write.levels); ++level) {
      if (written.run > 0 && write.strides[level] == 0 && write.extents[level] > 1) {
        emulator::violation(name, ": writes the same place for several indices");
      }
    }
    for (const Access& read : reads) {
      if (same_places(read, write) || !converted(read, false).overlaps(written)) continue;
      emulator::violation(name, ": reads what other indices write");
    }
    for (const Access& other : writes) {
      if (&other == &write || !converted(other, true).overlaps(written)) continue;
      emulator::violation(name, ": writes the same place twice");
      break;
    }
  }
}

}  // namespace

cudaError_t emulator_launch(const char* name, cudaStream_t stream, std::int64_t count,
                            void (*body)(const void* functor, std::int64_t begin, std::int64_t end),
                            const void* functor, std::size_t functor_bytes, Accesses reads,
                            Accesses writes) {
  using namespace emulator;
  return runtime_call("cudaLaunchKernel", InCapture::kLegal, [&] {
    if (!stream_alive(name, stream)) return cudaErrorInvalidResourceHandle;
    if (count <= 0) {
      violation(name, ": launched for ", count, " indices");
      return cudaErrorInvalidConfiguration;
    }
    check_independence(name, reads, writes);
    Work work;
    work.name = name;
    work.kind = Work::Kind::kKernel;
    for (const auto& access : reads) work.accesses.push_back(converted(access, false));
    for (const auto& access : writes) work.accesses.push_back(converted(access, true));
    std::vector<std::max_align_t> copy((functor_bytes + sizeof(std::max_align_t) - 1) /
                                       sizeof(std::max_align_t));
    std::memcpy(copy.data(), functor, functor_bytes);
    work.run = [body, count, copy = std::move(copy)] {
      constexpr std::int64_t kGrain = 1 << 14;
      parallel_for(count, kGrain,
                   [&](std::int64_t begin, std::int64_t end) { body(copy.data(), begin, end); });
    };
    return submit(stream, std::move(work));
  });
}

void emulator_recycled(void* memory, std::size_t bytes) {
  using namespace emulator;
  const std::lock_guard lock(big_lock());
  if (find_allocation(memory) == nullptr) {
    violation("recycled: ", memory, " is in no allocation");
    return;
  }
  Capture* const capture = capture_of_this_thread();
  if (capture != nullptr && written_in(*capture, memory, bytes)) {
    // What the graph wrote there is undefined from this step on, at every launch.
    Work work;
    work.name = "recycled";
    work.kind = Work::Kind::kMark;
    work.run = [=] { mark_unwritten(memory, bytes); };
    submit(capture->origin, std::move(work));
    return;
  }
  mark_unwritten(memory, bytes);
}

}  // namespace sfumato::cuda
