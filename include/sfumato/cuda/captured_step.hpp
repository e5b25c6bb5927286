#pragma once

#include <functional>
#include <memory>

#include "sfumato/core/pool.hpp"
#include "sfumato/cuda/context.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/handles.hpp"

namespace sfumato::cuda {

/// Work as a CUDA graph: one call starts all of its kernels; see core/repeat.hpp.
///
/// The kernels of a graph read and write the addresses that they were captured with. Therefore the
/// work's tensors come from a pool of the captured step's own, whose memory nobody else is given
/// while the graph lives; the first run, which is not captured, leaves in it what the second one
/// needs.
class CapturedStep {
 public:
  CapturedStep() = default;
  CapturedStep(const CapturedStep&) = delete;
  CapturedStep& operator=(const CapturedStep&) = delete;
  ~CapturedStep() {
    // The graph may still be running. A failure was or will be reported by other calls.
    if (graph_.get() != nullptr) (void)cudaStreamSynchronize(Context::current().stream());
  }

  /// Does the work the first time, captures and runs it the second time, then runs what was
  /// captured. When the capture fails, the exception goes on and the next run captures anew.
  void run(const std::function<void()>& work) {
    if (graph_.get() == nullptr) {
      const PoolScope<Cuda> scope(pool_);
      if (!prepared_) {
        work();
        prepared_ = true;
        return;
      }
      capture(work);
    }
    check(cudaGraphLaunch(graph_.get(), Context::current().stream()), "cudaGraphLaunch");
  }

 private:
  void capture(const std::function<void()>& work) {
    Context& context = Context::current();
    context.begin_capture();
    try {
      work();
    } catch (...) {
      context.abandon_capture();
      throw;
    }
    const Graph graph = context.end_capture();
    // Not the function itself, of which there are several where nvcc compiles.
    const auto instantiate = [](cudaGraphExec_t* executable, cudaGraph_t captured) {
      return cudaGraphInstantiate(executable, captured, 0);
    };
    graph_ = make<GraphExecutable>("cudaGraphInstantiate", instantiate, graph.get());
  }

  std::shared_ptr<Pool<Cuda>> pool_ = Pool<Cuda>::make();
  GraphExecutable graph_;
  bool prepared_ = false;
};

}  // namespace sfumato::cuda
