#pragma once

// The frame around every entry point: the lock, the count, failing on demand, what is illegal while
// a stream is captured.

#include <cuda_runtime_api.h>

#include <mutex>

#include "report.hpp"
#include "streams.hpp"

namespace emulator {

/// Whether a call is unsafe while any stream is captured in a mode that forbids unsafe calls.
enum class InCapture { kLegal, kIllegal };

/// What cudaGetLastError returns.
cudaError_t remember(cudaError_t error);

/// Records a violation and spoils the capture, if there is one, that makes the call illegal.
inline bool spoils(const char* call, Capture* capture) {
  if (capture == nullptr) return false;
  capture->invalid = true;
  violation(call, ": illegal while a stream is being captured");
  return true;
}

/// An entry point of the CUDA runtime. `failed` is called when it fails on demand.
template <class Body, class Failed = void (*)()>
cudaError_t runtime_call(
    const char* call, InCapture in_capture, const Body& body, const Failed& failed = [] {}) {
  const std::lock_guard lock(big_lock());
  bool by_any = false;
  if (const int status = called(call, by_any)) {
    failed();
    return remember(static_cast<cudaError_t>(status));
  }
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  if (in_capture == InCapture::kIllegal && spoils(call, capture_in_the_way())) {
    return remember(cudaErrorStreamCaptureUnsupported);
  }
  return remember(body());
}

/// An entry point of a library; `broken` is its status for what fails underneath.
template <class Status, class Body>
Status library_call(const char* call, Status broken, const Body& body) {
  const std::lock_guard lock(big_lock());
  bool by_any = false;
  if (const int status = called(call, by_any)) {
    return by_any ? broken : static_cast<Status>(status);
  }
  return body();
}

}  // namespace emulator
