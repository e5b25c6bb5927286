#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/cuda/error.hpp"
#include "sfumato/cuda/handles.hpp"

namespace sfumato::cuda {

class ConvolutionPlans;

/// How the Cuda device computes. Takes effect with the next convolution or product.
struct Options {
  /// Lets products and convolutions of floats round their inputs to 10 bits (TF32), which tensor
  /// cores multiply several times faster.
  bool allow_tf32 = false;
  /// Only convolution algorithms that give the same bits every time, chosen without timing them.
  bool deterministic = false;
  /// The most bytes that a convolution may use beside its operands.
  std::size_t workspace_limit = std::size_t{4} << 30;
};

/// How many GPUs there are that CUDA can use; 0 without a driver.
inline int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();
  return 0;
}

/// One GPU with all that the Cuda device needs of it: the stream that everything runs in, the
/// memory pool, and the libraries' handles. A program uses one GPU; its context is made when it is
/// first needed and stays until the program ends or shutdown() is called.
class Context {
 public:
  /// The context of the GPU that select_device() chose, number 0 by default.
  /// Throws CudaError where there is no such GPU.
  static Context& current() {
    const std::lock_guard lock(registry_mutex());
    std::unique_ptr<Context>& context = slot();
    if (context == nullptr) context.reset(new Context(selected()));
    context->use_in_this_thread();
    return *context;
  }

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  int device() const { return device_; }
  int multiprocessors() const { return multiprocessors_; }
  cudaStream_t stream() const { return stream_.get(); }
  cublasHandle_t cublas() const { return cublas_.get(); }
  cudnnHandle_t cudnn() const { return cudnn_.get(); }
  Options& options() { return options_; }
  ConvolutionPlans& plans() { return *plans_; }
  /// Held while one of the libraries' handles is used: they are not made for several threads.
  std::mutex& library_mutex() { return library_mutex_; }

  /// Memory in stream order; null when there is none left.
  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(blocks_mutex_);
    freed_in_capture_.reserve(blocks_ + 1);  // as free() must not fail
    void* memory = nullptr;
    const cudaStream_t stream = capturing_ ? side_stream_.get() : stream_.get();
    const cudaError_t status = cudaMallocFromPoolAsync(&memory, bytes, memory_pool_.get(), stream);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      if (!capturing_) return nullptr;
      // Nothing that waits in the pool may be freed to make room: the captured step uses it.
      throw ResourceError(message("cudaMallocFromPoolAsync: no ", bytes,
                                  " bytes left to record with", memory_note()));
    }
    if (status != cudaSuccess) {
      check(status, "cudaMallocFromPoolAsync", " for ", bytes, " bytes", memory_note());
    }
    if (capturing_) {
      // What is being captured must find the memory there whenever it is replayed.
      const cudaError_t waited = cudaStreamSynchronize(stream);
      if (waited != cudaSuccess) (void)cudaFreeAsync(memory, stream);
      check(waited, "cudaStreamSynchronize");
    }
    ++blocks_;
    return memory;
  }

  /// Frees once all that has been launched so far is done with it. During a capture that is its
  /// end: what has been captured may use the memory.
  void free(void* memory) noexcept {
    const std::lock_guard lock(blocks_mutex_);
    if (capturing_) {
      freed_in_capture_.push_back(memory);
      return;
    }
    release(memory);
  }

  void synchronize() { check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize"); }

  bool capturing() const { return capturing_; }

  /// From here on the stream's work is captured and not run; see CapturedStep.
  void begin_capture() {
    check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeRelaxed),
          "cudaStreamBeginCapture");
    capturing_ = true;
  }

  /// What was recorded.
  Graph end_capture() {
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream_.get(), &graph);
    Graph owned(graph);
    {
      const std::lock_guard lock(blocks_mutex_);
      capturing_ = false;
      for (void* memory : freed_in_capture_) release(memory);
      freed_in_capture_.clear();
    }
    check(status, "cudaStreamEndCapture");
    return owned;
  }

  /// Ends a capture that can't be finished.
  void abandon_capture() noexcept {
    try {
      end_capture();
    } catch (const CudaError&) {
      // CUDA calls the capture invalid, which is why it is abandoned.
    }
  }

  /// Throws CudaError, naming `what`, for what can't be part of a captured step.
  void forbid_in_capture(const char* what) const {
    if (capturing_) {
      throw CudaError(message(what,
                              " while a CUDA graph is being recorded, which it can't be part "
                              "of; do it outside the repeated work, or turn capture off"));
    }
  }

  /// " (cuda:0: 1048576 bytes held, 123 of 456 bytes free)", for messages about memory.
  std::string memory_note() const {
    std::size_t held = 0;
    std::size_t free = 0;
    std::size_t total = 0;
    if (cudaMemPoolGetAttribute(memory_pool_.get(), cudaMemPoolAttrReservedMemCurrent, &held) !=
            cudaSuccess ||
        cudaMemGetInfo(&free, &total) != cudaSuccess) {
      cudaGetLastError();
      return {};
    }
    return message(" (cuda:", device_, ": ", held, " bytes held, ", free, " of ", total,
                   " bytes free)");
  }

  /// The GPU that current() will use. Throws CudaError when another one is in use already, or when
  /// there is no GPU of that number.
  static void select(int device) {
    const std::lock_guard lock(registry_mutex());
    if (slot() != nullptr && slot()->device_ != device) {
      throw CudaError(message("select_device: this program already uses cuda:", slot()->device_,
                              "; choose cuda:", device, " before the first tensor is made"));
    }
    check_device(device);
    selected() = device;
  }

  /// See cuda::shutdown.
  static void destroy() {
    const std::lock_guard lock(registry_mutex());
    slot().reset();
  }
  static bool exists() {
    const std::lock_guard lock(registry_mutex());
    return slot() != nullptr;
  }

 private:
  explicit Context(int device);

  void release(void* memory) noexcept {
    --blocks_;
    if (cudaFreeAsync(memory, stream_.get()) != cudaSuccess) {
      cudaGetLastError();  // repeats an earlier error, which whoever caused it has been told of
    }
  }

  static void check_device(int device) {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorInsufficientDriver || status == cudaErrorNoDevice || count == 0) {
      cudaGetLastError();
      throw CudaError(message("cuda:", device, ": there is no NVIDIA GPU with a driver for CUDA ",
                              CUDART_VERSION / 1000, ".", CUDART_VERSION % 1000 / 10, " here (",
                              cudaGetErrorString(status), "); use the CPU"));
    }
    check(status, "cudaGetDeviceCount");
    if (device < 0 || device >= count) {
      throw CudaError(
          message("cuda:", device, ": there are ", count, " GPUs here, numbered from 0"));
    }
  }

  // Not destroyed at the program's end, when CUDA may be gone before us.
  static std::unique_ptr<Context>& slot() {
    static auto* const context = new std::unique_ptr<Context>();
    return *context;
  }
  static std::mutex& registry_mutex() {
    static auto* const mutex = new std::mutex();
    return *mutex;
  }
  static int& selected() {
    static int device = 0;
    return device;
  }

  /// Each thread of the processor has a GPU of its own choice.
  void use_in_this_thread() const {
    thread_local int chosen = -1;
    if (chosen == device_) return;
    check(cudaSetDevice(device_), "cudaSetDevice", " for cuda:", device_);
    chosen = device_;
  }

  int device_;
  int multiprocessors_ = 1;
  Options options_;
  MemoryPool memory_pool_;
  Stream stream_;
  Stream side_stream_;  // allocates while the other one is being captured
  Cublas cublas_;
  void* cublas_workspace_ = nullptr;
  Cudnn cudnn_;
  std::unique_ptr<ConvolutionPlans> plans_;
  std::mutex library_mutex_;
  bool capturing_ = false;
  std::mutex blocks_mutex_;  // of what follows
  std::size_t blocks_ = 0;   // allocated, and not freed or only in the capture
  std::vector<void*> freed_in_capture_;
};

/// How the Cuda device computes from now on.
inline Options& options() {
  return Context::current().options();
}

/// Zeros, in stream order.
inline void fill_zeros(void* target, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(target, 0, bytes, Context::current().stream()), "cudaMemsetAsync", " of ",
        bytes, " bytes");
}

/// Chooses the GPU that the program uses, before anything has been done on one.
/// Throws CudaError when there is no GPU of that number, or another one is in use.
inline void select_device(int device) {
  Context::select(device);
}

}  // namespace sfumato::cuda
