// Copies and fills.

#include <cstring>

#include "call.hpp"
#include "memory.hpp"
#include "streams.hpp"

using namespace emulator;

namespace {

Work copy_work(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  Work work;
  work.name = "cudaMemcpyAsync";
  work.kind = Work::Kind::kCopy;
  const bool from_device = kind != cudaMemcpyHostToDevice;
  const bool to_device = kind != cudaMemcpyDeviceToHost;
  if (from_device) work.accesses.push_back(reads(source, bytes));
  if (to_device) work.accesses.push_back(writes(target, bytes));
  work.run = [=] {
    std::memmove(to_device ? alias_of(target) : target, from_device ? alias_of(source) : source,
                 bytes);
    Counters& counters = count();
    (!from_device ? counters.bytes_to_device
     : to_device  ? counters.bytes_on_device
                  : counters.bytes_to_host) += bytes;
  };
  return work;
}

/// Whether the pointers are where the kind of copy says.
bool places_fit(const void* target, const void* source, cudaMemcpyKind kind) {
  const bool from_device = kind == cudaMemcpyDeviceToDevice || kind == cudaMemcpyDeviceToHost;
  const bool to_device = kind == cudaMemcpyDeviceToDevice || kind == cudaMemcpyHostToDevice;
  for (const auto& [pointer, on_device, name] :
       {std::tuple{source, from_device, "source"}, std::tuple{target, to_device, "target"}}) {
    if (is_device_address(pointer) == on_device && pointer != nullptr) continue;
    violation("cudaMemcpyAsync: the ", name, " ", pointer, " is ",
              pointer == nullptr ? "null"
              : on_device        ? "host memory"
                                 : "device memory");
    return false;
  }
  return true;
}

bool overlap(const void* target, const void* source, std::size_t bytes) {
  const auto to = reinterpret_cast<std::uintptr_t>(target);
  const auto from = reinterpret_cast<std::uintptr_t>(source);
  return to < from + bytes && from < to + bytes;
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const char* const call = "cudaMemcpyAsync";
  return runtime_call(call, InCapture::kLegal, [&] {
    if (kind < cudaMemcpyHostToDevice || kind > cudaMemcpyDeviceToDevice) {
      violation(call, ": the kind of copy must be said");
      return cudaErrorInvalidMemcpyDirection;
    }
    if (!stream_alive(call, stream)) return cudaErrorInvalidResourceHandle;
    if (bytes == 0) return cudaSuccess;
    if (!places_fit(target, source, kind)) return cudaErrorInvalidValue;
    const bool on_device = kind == cudaMemcpyDeviceToDevice;
    if (on_device && overlap(target, source, bytes)) {
      violation(call, ": source and target overlap");
      return cudaErrorInvalidValue;
    }
    Capture* const capture = capture_of(stream);
    if (capture != nullptr && !on_device) {
      violation(call, ": pageable host memory can't be copied on a stream in capture");
      capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    const cudaError_t error = submit(stream, copy_work(target, source, bytes, kind));
    // Into pageable memory: when the call returns, the copy is over, and all before it.
    if (error == cudaSuccess && kind == cudaMemcpyDeviceToHost) {
      host_knows_of(ready_timeline(stream).clock);
    }
    return error;
  });
}

cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  return runtime_call("cudaMemsetAsync", InCapture::kLegal, [&] {
    if (!stream_alive("cudaMemsetAsync", stream)) return cudaErrorInvalidResourceHandle;
    if (bytes == 0) return cudaSuccess;
    Work work;
    work.name = "cudaMemsetAsync";
    work.kind = Work::Kind::kCopy;
    work.accesses = {writes(target, bytes)};
    work.run = [=] {
      std::memset(alias_of(target), value, bytes);
      count().bytes_on_device += bytes;
    };
    return submit(stream, std::move(work));
  });
}
