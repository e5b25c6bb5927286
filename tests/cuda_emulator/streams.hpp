#pragma once

// Streams and the work that is submitted to them. Work runs at once, but whether it may rely on
// other work is decided by what streams, events and waits order, as on a real device.

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "access.hpp"
#include "clock.hpp"

namespace emulator {

/// A kernel, a library's work, a copy: what it touches, and how it is done.
struct Work {
  enum class Kind { kKernel, kLibrary, kCopy, kMark };
  std::string name;
  Kind kind = Kind::kLibrary;
  std::vector<Access> accesses{};
  std::function<void()> run{};
};

/// One step of a captured graph: work on a branch, or a branch that leaves or waits for an event.
struct Step {
  enum class Kind { kWork, kRecord, kWait };
  Kind kind = Kind::kWork;
  std::size_t branch = 0;
  std::size_t event = 0;
  Work work{};
};

struct Capture {
  cudaStream_t origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  bool invalid = false;
  std::vector<Step> steps;
  std::vector<Timeline> branches;  ///< their order while capturing; the origin's is the first
  std::vector<Clock> events;
};

/// The capture that the stream takes part in, or nullptr.
Capture* capture_of(cudaStream_t stream);

/// A capture that makes unsafe calls of this thread illegal, or nullptr.
Capture* capture_in_the_way();

/// The capture that this thread began, or nullptr.
Capture* capture_of_this_thread();

/// Whether work that was captured writes to any of these bytes.
bool written_in(const Capture& capture, const void* address, std::size_t bytes);

/// Whether the stream is the legacy stream, or one that lives; if not, records a violation.
bool stream_alive(const char* call, cudaStream_t stream);

/// Runs the work on the stream, or adds it to the graph that the stream is being captured into.
cudaError_t submit(cudaStream_t stream, Work work);

/// Runs the work as one moment of the timeline.
cudaError_t perform(Timeline& timeline, const Work& work);

/// The stream's timeline, with everything in it that happened before what the stream does next.
Timeline& ready_timeline(cudaStream_t stream);

/// All that the clock knows is over, and the host knows it.
void host_knows_of(const Clock& clock);

/// As host_knows_of; counts as a wait of the host.
void host_waited(const Clock& clock);
void host_waited_for_all();

/// A fresh number for a timeline.
std::size_t new_timeline();

/// Takes the capture apart, and hands over what was captured. Called by cudaStreamEndCapture.
std::unique_ptr<Capture> end_capture(cudaStream_t origin);
void begin_capture(cudaStream_t origin, cudaStreamCaptureMode mode);

}  // namespace emulator

struct CUstream_st {
  emulator::Timeline timeline;
  bool blocking = true;
  emulator::Capture* capture = nullptr;
  std::size_t branch = 0;  // in the capture
};

struct CUevent_st {
  bool recorded = false;
  emulator::Clock clock;
  emulator::Capture* capture = nullptr;  // recorded into this capture, as its event `number`
  std::size_t number = 0;
};
