// Capturing streams into graphs, and launching those.

#include <algorithm>

#include "call.hpp"
#include "streams.hpp"

struct CUgraph_st {
  std::vector<emulator::Step> steps;
  std::size_t branches = 1;
  std::size_t events = 0;
};

struct CUgraphExec_st {
  CUgraph_st graph;
  std::vector<std::size_t> timelines;  // one for each branch but the first
  emulator::Clock last_launch;
};

using namespace emulator;

namespace {

cudaError_t checked_end(cudaStream_t stream, cudaGraph_t* graph) {
  const std::unique_ptr<Capture> capture = end_capture(stream);
  if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
  Clock& origin = capture->branches.front().clock;
  for (Timeline& branch : capture->branches) {
    if (!origin.knows(branch.clock.now(branch.number))) {
      violation("cudaStreamEndCapture: a stream that joined the capture was not waited for");
      return cudaErrorStreamCaptureUnjoined;
    }
  }
  *graph = new CUgraph_st();
  (*graph)->steps = std::move(capture->steps);
  (*graph)->branches = capture->branches.size();
  (*graph)->events = capture->events.size();
  handle_created(*graph, "graph");
  return cudaSuccess;
}

/// Branches run side by side, as far as the captured events allow.
cudaError_t launch(CUgraphExec_st& exec, Timeline& stream) {
  stream.clock.join(exec.last_launch);  // a graph never runs beside itself
  std::vector<Timeline> branches;
  for (const std::size_t number : exec.timelines) branches.push_back({number, stream.clock});
  std::vector<Clock> events(exec.graph.events);
  for (const Step& step : exec.graph.steps) {
    Timeline& branch = step.branch == 0 ? stream : branches[step.branch - 1];
    if (step.kind == Step::Kind::kRecord) {
      events[step.event] = branch.clock;
    } else if (step.kind == Step::Kind::kWait) {
      branch.clock.join(events[step.event]);
    } else if (const cudaError_t error = perform(branch, step.work)) {
      return error;
    }
  }
  for (const Timeline& branch : branches) stream.clock.join(branch.clock);
  exec.last_launch = stream.clock;
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const char* const call = "cudaStreamBeginCapture";
  return runtime_call(call, InCapture::kLegal, [&] {
    if (stream == nullptr || stream == cudaStreamLegacy) {
      violation(call, ": the legacy stream can't be captured");
      return cudaErrorStreamCaptureUnsupported;
    }
    if (!stream_alive(call, stream)) return cudaErrorInvalidResourceHandle;
    if (capture_of(stream) != nullptr) {
      violation(call, ": the stream is being captured already");
      return cudaErrorIllegalState;
    }
    begin_capture(stream, mode);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const char* const call = "cudaStreamEndCapture";
  return runtime_call(
      call, InCapture::kLegal,
      [&] {
        if (graph == nullptr) return cudaErrorInvalidValue;
        *graph = nullptr;
        if (!stream_alive(call, stream)) return cudaErrorInvalidResourceHandle;
        Capture* const capture = capture_of(stream);
        if (capture == nullptr) {
          violation(call, ": the stream is not being captured");
          return cudaErrorIllegalState;
        }
        if (capture->origin != stream) {
          violation(call, ": the capture began on another stream");
          return cudaErrorStreamCaptureUnmatched;
        }
        if (capture->mode != cudaStreamCaptureModeRelaxed &&
            capture->thread != std::this_thread::get_id()) {
          violation(call, ": the capture was begun by another thread");
          return cudaErrorStreamCaptureWrongThread;
        }
        return checked_end(stream, graph);
      },
      [&] {
        // A capture ends, whether it went well or not.
        if (graph != nullptr) *graph = nullptr;
        if (stream_alive(call, stream) && capture_of(stream) != nullptr) end_capture(stream);
      });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return runtime_call("cudaStreamIsCapturing", InCapture::kLegal, [&] {
    if (status == nullptr) return cudaErrorInvalidValue;
    if (!stream_alive("cudaStreamIsCapturing", stream)) return cudaErrorInvalidResourceHandle;
    const Capture* const capture = capture_of(stream);
    *status = capture == nullptr ? cudaStreamCaptureStatusNone
              : capture->invalid ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return runtime_call("cudaGraphGetNodes", InCapture::kLegal, [&] {
    if (!handle_alive("cudaGraphGetNodes", graph, "graph")) return cudaErrorInvalidValue;
    if (nodes != nullptr) return cudaErrorNotSupported;  // only their number is known here
    if (count == nullptr) return cudaErrorInvalidValue;
    *count = static_cast<size_t>(
        std::count_if(graph->steps.begin(), graph->steps.end(), [](const Step& step) {
          return step.kind == Step::Kind::kWork && step.work.kind != Work::Kind::kMark;
        }));
    return cudaSuccess;
  });
}

#if CUDART_VERSION >= 12000
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
#else
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, cudaGraphNode_t*, char*,
                                 size_t) {
#endif
  return runtime_call("cudaGraphInstantiate", InCapture::kLegal, [&] {
    if (exec == nullptr || !handle_alive("cudaGraphInstantiate", graph, "graph")) {
      return cudaErrorInvalidValue;
    }
    *exec = new CUgraphExec_st();
    (*exec)->graph = *graph;
    for (std::size_t i = 1; i < graph->branches; ++i) {
      (*exec)->timelines.push_back(new_timeline());
    }
    handle_created(*exec, "executable graph");
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return runtime_call("cudaGraphLaunch", InCapture::kLegal, [&] {
    if (!handle_alive("cudaGraphLaunch", exec, "executable graph") ||
        !stream_alive("cudaGraphLaunch", stream)) {
      return cudaErrorInvalidResourceHandle;
    }
    if (Capture* const capture = capture_of(stream)) {
      violation("cudaGraphLaunch: graphs inside of graphs are not emulated");
      capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    ++count().graph_launches;
    return launch(*exec, ready_timeline(stream));
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return runtime_call("cudaGraphDestroy", InCapture::kLegal, [&] {
    if (!handle_destroyed("cudaGraphDestroy", graph, "graph")) return cudaErrorInvalidValue;
    graph->steps.clear();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return runtime_call("cudaGraphExecDestroy", InCapture::kLegal, [&] {
    if (!handle_destroyed("cudaGraphExecDestroy", exec, "executable graph")) {
      return cudaErrorInvalidValue;
    }
    exec->graph.steps.clear();
    return cudaSuccess;
  });
}
