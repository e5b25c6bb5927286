// Events: what a stream had done when one was recorded.

#include "call.hpp"
#include "streams.hpp"

using namespace emulator;

namespace {

cudaError_t record_in_capture(cudaEvent_t event, cudaStream_t stream) {
  Capture& capture = *stream->capture;
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  event->capture = &capture;
  event->number = capture.events.size();
  capture.events.push_back(capture.branches[stream->branch].clock);
  Step step;
  step.kind = Step::Kind::kRecord;
  step.branch = stream->branch;
  step.event = event->number;
  capture.steps.push_back(step);
  return cudaSuccess;
}

cudaError_t wait_in_capture(cudaStream_t stream, cudaEvent_t event) {
  const char* const call = "cudaStreamWaitEvent";
  if (event->capture == nullptr) {
    violation(call, ": a stream in capture waits for an event that was recorded outside");
    stream->capture->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  Capture& capture = *event->capture;
  if (stream->capture == nullptr) {  // the stream joins the capture as another branch
    stream->capture = &capture;
    stream->branch = capture.branches.size();
    capture.branches.push_back({stream->branch, {}});
  } else if (stream->capture != &capture) {
    violation(call, ": the event belongs to another capture");
    stream->capture->invalid = capture.invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  capture.branches[stream->branch].clock.join(capture.events[event->number]);
  Step step;
  step.kind = Step::Kind::kWait;
  step.branch = stream->branch;
  step.event = event->number;
  capture.steps.push_back(step);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  return runtime_call("cudaEventCreateWithFlags", InCapture::kLegal, [&] {
    if (event == nullptr) return cudaErrorInvalidValue;
    *event = new CUevent_st();
    handle_created(*event, "event");
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return runtime_call("cudaEventDestroy", InCapture::kLegal, [&] {
    return handle_destroyed("cudaEventDestroy", event, "event") ? cudaSuccess
                                                                : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return runtime_call("cudaEventRecord", InCapture::kLegal, [&] {
    if (!handle_alive("cudaEventRecord", event, "event") ||
        !stream_alive("cudaEventRecord", stream)) {
      return cudaErrorInvalidResourceHandle;
    }
    event->recorded = true;
    if (capture_of(stream) != nullptr) return record_in_capture(event, stream);
    event->capture = nullptr;
    event->clock = ready_timeline(stream).clock;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  return runtime_call("cudaStreamWaitEvent", InCapture::kLegal, [&] {
    if (!handle_alive("cudaStreamWaitEvent", event, "event") ||
        !stream_alive("cudaStreamWaitEvent", stream)) {
      return cudaErrorInvalidResourceHandle;
    }
    if (flags != cudaEventWaitDefault) return cudaErrorInvalidValue;
    if (capture_of(stream) != nullptr || event->capture != nullptr) {
      return wait_in_capture(stream, event);
    }
    if (event->recorded) ready_timeline(stream).clock.join(event->clock);
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return runtime_call("cudaEventSynchronize", InCapture::kIllegal, [&] {
    if (!handle_alive("cudaEventSynchronize", event, "event")) {
      return cudaErrorInvalidResourceHandle;
    }
    if (event->capture != nullptr) {
      violation("cudaEventSynchronize: the event was recorded into a graph");
      return cudaErrorCapturedEvent;
    }
    if (event->recorded) host_waited(event->clock);
    return cudaSuccess;
  });
}
