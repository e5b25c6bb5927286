#include "streams.hpp"

#include <algorithm>

#include "call.hpp"
#include "memory.hpp"

namespace emulator {

namespace {

struct Streams {
  CUstream_st legacy;
  std::vector<cudaStream_t> live;
  std::vector<std::unique_ptr<Capture>> captures;
  Clock host;  // what the host has waited for
  Clock gone;  // what ran on streams that were destroyed
  std::size_t timelines = 0;

  Streams() { legacy.timeline.number = timelines++; }
};

Streams& streams() {
  static Streams* const instance = new Streams();
  return *instance;
}

CUstream_st& stream_of(cudaStream_t stream) {
  const bool legacy = stream == nullptr || stream == cudaStreamLegacy;
  return legacy ? streams().legacy : *stream;
}

bool is_legacy(cudaStream_t stream) {
  return &stream_of(stream) == &streams().legacy;
}

void count_work(const Work& work) {
  Counters& counters = count();
  if (work.kind == Work::Kind::kMark || work.kind == Work::Kind::kCopy) return;
  if (work.kind == Work::Kind::kKernel) {
    ++counters.kernel_launches;
    ++counters.launches[work.name];
  } else {
    ++counters.library_calls[work.name];
  }
  Traffic& traffic = counters.traffic[work.name];
  for (const Access& access : work.accesses) {
    if (access.scratch) continue;
    (access.writes ? counters.bytes_written : counters.bytes_read) += access.bytes();
    (access.writes ? traffic.written : traffic.read) += access.bytes();
  }
}

}  // namespace

std::size_t new_timeline() {
  return streams().timelines++;
}

Capture* capture_of(cudaStream_t stream) {
  return stream_of(stream).capture;
}

Capture* capture_of_this_thread() {
  for (const auto& capture : streams().captures) {
    if (capture->thread == std::this_thread::get_id()) return capture.get();
  }
  return nullptr;
}

Capture* capture_in_the_way() {
  Capture* const own = capture_of_this_thread();
  if (own != nullptr && own->mode != cudaStreamCaptureModeRelaxed) return own;
  for (const auto& capture : streams().captures) {
    if (capture->mode == cudaStreamCaptureModeGlobal) return capture.get();
  }
  return nullptr;
}

bool written_in(const Capture& capture, const void* address, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  for (const Step& step : capture.steps) {
    for (const Access& access : step.work.accesses) {
      if (access.writes && access.address < begin + bytes && begin < access.end) return true;
    }
  }
  return false;
}

bool stream_alive(const char* call, cudaStream_t stream) {
  return is_legacy(stream) || handle_alive(call, stream, "stream");
}

Timeline& ready_timeline(cudaStream_t stream) {
  Streams& s = streams();
  CUstream_st& on = stream_of(stream);
  Clock& clock = on.timeline.clock;
  clock.join(s.host);
  if (is_legacy(stream)) {
    for (const cudaStream_t other : s.live) {
      if (other->blocking) clock.join(other->timeline.clock);
    }
  } else if (on.blocking) {
    clock.join(s.legacy.timeline.clock);
  }
  return on.timeline;
}

cudaError_t perform(Timeline& timeline, const Work& work) {
  timeline.clock.advance(timeline.number);
  for (const Access& access : work.accesses) {
    if (!in_bounds(work.name, access)) return cudaErrorIllegalAddress;
  }
  for (const bool writes : {false, true}) {
    for (const Access& access : work.accesses) {
      if (access.writes == writes) check_access(work.name, access, timeline);
    }
  }
  if (work.run && work.kind == Work::Kind::kKernel) {
    const OpenPages open(work.accesses);
    work.run();
  } else if (work.run) {
    work.run();
  }
  if (work.kind == Work::Kind::kMark) return cudaSuccess;
  for (const Access& access : work.accesses) {
    if (access.writes) mark_written(access);
  }
  count_work(work);
  return cudaSuccess;
}

cudaError_t submit(cudaStream_t stream, Work work) {
  CUstream_st& on = stream_of(stream);
  if (on.capture != nullptr) {
    Capture& capture = *on.capture;
    if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
    // A graph may be launched when the memory is there again, but whoever captures has it.
    for (const Access& access : work.accesses) {
      if (!in_bounds(work.name, access)) {
        capture.invalid = true;
        return cudaErrorIllegalAddress;
      }
    }
    Timeline& branch = capture.branches[on.branch];
    branch.clock.advance(branch.number);
    Step step;
    step.branch = on.branch;
    step.work = std::move(work);
    capture.steps.push_back(std::move(step));
    return cudaSuccess;
  }
  if (is_legacy(stream)) {
    for (const cudaStream_t other : streams().live) {
      if (other->capture == nullptr || !other->blocking) continue;
      other->capture->invalid = true;
      violation(work.name, ": uses the legacy stream, for which a stream in capture would wait");
      return cudaErrorStreamCaptureImplicit;
    }
  }
  return perform(ready_timeline(stream), work);
}

void host_knows_of(const Clock& clock) {
  streams().host.join(clock);
}

void host_waited(const Clock& clock) {
  ++count().synchronizations;
  host_knows_of(clock);
}

void host_waited_for_all() {
  Clock all = streams().gone;
  all.join(streams().legacy.timeline.clock);
  for (const cudaStream_t stream : streams().live) all.join(stream->timeline.clock);
  host_waited(all);
}

void begin_capture(cudaStream_t origin, cudaStreamCaptureMode mode) {
  auto capture = std::make_unique<Capture>();
  capture->origin = origin;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->branches.push_back({0, {}});
  origin->capture = capture.get();
  origin->branch = 0;
  streams().captures.push_back(std::move(capture));
}

std::unique_ptr<Capture> end_capture(cudaStream_t origin) {
  Streams& s = streams();
  const auto found = std::find_if(s.captures.begin(), s.captures.end(), [&](const auto& capture) {
    return capture.get() == origin->capture;
  });
  std::unique_ptr<Capture> capture = std::move(*found);
  s.captures.erase(found);
  for (const cudaStream_t stream : s.live) {
    if (stream->capture == capture.get()) stream->capture = nullptr;
  }
  return capture;
}

}  // namespace emulator

using namespace emulator;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return runtime_call("cudaStreamCreateWithFlags", InCapture::kLegal, [&] {
    if (stream == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = new CUstream_st();
    (*stream)->timeline.number = new_timeline();
    (*stream)->blocking = flags == cudaStreamDefault;
    streams().live.push_back(*stream);
    handle_created(*stream, "stream");
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return runtime_call("cudaStreamDestroy", InCapture::kLegal, [&] {
    if (!handle_destroyed("cudaStreamDestroy", stream, "stream")) {
      return cudaErrorInvalidResourceHandle;
    }
    if (stream->capture != nullptr) {
      violation("cudaStreamDestroy: the stream is being captured");
      stream->capture->invalid = true;
    }
    // Its work goes on: whoever waits for the device waits for it too.
    streams().gone.join(stream->timeline.clock);
    std::erase(streams().live, stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return runtime_call("cudaStreamSynchronize", InCapture::kIllegal, [&] {
    if (!stream_alive("cudaStreamSynchronize", stream)) return cudaErrorInvalidResourceHandle;
    if (spoils("cudaStreamSynchronize", capture_of(stream))) {
      return cudaErrorStreamCaptureUnsupported;
    }
    host_waited(ready_timeline(stream).clock);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return runtime_call("cudaDeviceSynchronize", InCapture::kIllegal, [] {
    if (!streams().captures.empty()) {
      spoils("cudaDeviceSynchronize", streams().captures.front().get());
      return cudaErrorStreamCaptureUnsupported;
    }
    host_waited_for_all();
    return cudaSuccess;
  });
}
