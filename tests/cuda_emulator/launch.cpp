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

/// Indices run in any order, so none may touch what another one writes. An index may read what it
/// writes itself.
void check_independence(const char* name, const std::vector<emulator::Access>& accesses) {
  for (const emulator::Access& written : accesses) {
    if (!written.writes) continue;
    for (const auto& [extent, stride] : written.given) {
      if (written.run > 0 && stride == 0 && extent > 1) {
        emulator::violation(name, ": writes the same place for several indices");
      }
    }
    for (const emulator::Access& other : accesses) {
      if (&other == &written || !other.overlaps(written)) continue;
      if (other.writes) {
        emulator::violation(name, ": writes the same place twice");
      } else if (!other.is_in_place_of(written)) {
        emulator::violation(name, ": reads what other indices write");
      }
    }
  }
}

}  // namespace

cudaError_t emulator_launch(const char* name, cudaStream_t stream, std::int64_t count,
                            void (*body)(const void* functor, std::int64_t begin, std::int64_t end),
                            const void* functor, std::size_t functor_bytes,
                            const std::vector<emulator::Access>& accesses) {
  using namespace emulator;
  return runtime_call("cudaLaunchKernel", InCapture::kLegal, [&] {
    if (!stream_alive(name, stream)) return cudaErrorInvalidResourceHandle;
    if (count <= 0) {
      violation(name, ": launched for ", count, " indices");
      return cudaErrorInvalidConfiguration;
    }
    check_independence(name, accesses);
    Work work;
    work.name = name;
    work.kind = Work::Kind::kKernel;
    work.accesses = accesses;
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
