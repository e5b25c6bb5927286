// cuBLAS: matrix products.

#include <cublas_v2.h>

#include <algorithm>
#include <optional>

#include "call.hpp"
#include "memory.hpp"
#include "numbers.hpp"
#include "sfumato/core/threads.hpp"
#include "streams.hpp"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};

using namespace emulator;

namespace {

constexpr const char* kHandle = "cuBLAS handle";

template <class Body>
cublasStatus_t cublas_call(const char* call, cublasHandle_t handle, const Body& body) {
  return library_call(call, CUBLAS_STATUS_EXECUTION_FAILED, [&] {
    if (!handle_alive(call, handle, kHandle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    return body();
  });
}

std::optional<Number> number_of(cudaDataType type) {
  switch (type) {
    case CUDA_R_32F:
      return Number::kFloat;
    case CUDA_R_64F:
      return Number::kDouble;
    case CUDA_R_16F:
      return Number::kHalf;
    case CUDA_R_16BF:
      return Number::kBFloat16;
    default:
      return std::nullopt;
  }
}

/// One of the three operands: column-major, `leading` elements from column to column.
struct Matrices {
  const char* name;
  const void* data;
  cudaDataType type;
  std::int64_t rows, columns, leading, stride;

  Number number() const { return *number_of(type); }
  std::size_t element() const { return bytes_of(number()); }

  /// What is wrong with it, or null.
  const char* fault() const {
    if (data == nullptr) return "is null";
    if (!number_of(type)) return "has a type that is not emulated";
    if (leading < std::max<std::int64_t>(rows, 1)) return "has a leading dimension below its rows";
    if (stride < 0) return "has a negative stride";
    if (reinterpret_cast<std::uintptr_t>(data) % element() != 0) return "is misaligned";
    return nullptr;
  }

  Access access(std::int64_t batch, bool writes) const {
    const auto size = static_cast<std::int64_t>(element());
    return Access::make(data, element(),
                        {{batch, stride * size}, {columns, leading * size}, {rows, size}}, writes);
  }

  std::int64_t span() const { return (columns - 1) * leading + rows; }

  /// Number `i` of the batch, where the emulator may touch it.
  void* part(std::int64_t i) const {
    return static_cast<std::byte*>(alias_of(data)) +
           i * stride * static_cast<std::int64_t>(element());
  }
};

struct Product {
  Matrices a, b, c;
  bool transpose_a, transpose_b, tf32;
  std::int64_t batch;

  void run(double alpha, double beta) const {
    sfumato::parallel_for(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) one(i, alpha, beta);
    });
  }

 private:
  void one(std::int64_t i, double alpha, double beta) const {
    using Strided = Eigen::OuterStride<>;
    using Input = Eigen::Map<const ColumnMajor, 0, Strided>;
    const Doubles left(a.number(), a.part(i), a.span(), tf32);
    const Doubles right(b.number(), b.part(i), b.span(), tf32);
    const Input l(left.data(), a.rows, a.columns, Strided(a.leading));
    const Input r(right.data(), b.rows, b.columns, Strided(b.leading));
    ColumnMajor product(c.rows, c.columns);
    if (transpose_a && transpose_b) {
      product.noalias() = l.transpose() * r.transpose();
    } else if (transpose_a) {
      product.noalias() = l.transpose() * r;
    } else if (transpose_b) {
      product.noalias() = l * r.transpose();
    } else {
      product.noalias() = l * r;
    }
    with_type(c.number(), c.part(i), [&]<class T>(const T* old) {
      auto* const result = const_cast<T*>(old);
      for (std::int64_t column = 0; column < c.columns; ++column) {
        for (std::int64_t row = 0; row < c.rows; ++row) {
          T& place = result[column * c.leading + row];
          const double kept = beta == 0.0 ? 0.0 : beta * static_cast<double>(place);
          place = rounded<T>(alpha * product(row, column) + kept);
        }
      }
    });
  }
};

bool is_transposed(cublasOperation_t operation) {
  return operation != CUBLAS_OP_N;
}

cublasStatus_t checked_product(cublasHandle_t handle, const char* call, const Product& product,
                               const void* alpha, const void* beta, cublasComputeType_t compute) {
  const auto refuse = [&](const auto&... why) {
    violation(call, ": ", why...);
    return CUBLAS_STATUS_INVALID_VALUE;
  };
  const Product& p = product;
  if (alpha == nullptr || beta == nullptr) return refuse("alpha or beta is null");
  if (is_device_address(alpha) || is_device_address(beta)) {
    return refuse("alpha or beta is device memory, but the handle expects host memory");
  }
  if (p.c.rows < 0 || p.c.columns < 0 || p.batch < 0) return refuse("a size is negative");
  for (const Matrices* m : {&p.a, &p.b, &p.c}) {
    if (const char* const fault = m->fault()) return refuse(m->name, " ", fault);
  }
  if (p.a.type != p.b.type || p.a.type != p.c.type) return refuse("types differ");
  const bool doubles = p.c.type == CUDA_R_64F;
  if (doubles != (compute == CUBLAS_COMPUTE_64F)) {
    violation(call, ": compute type ", compute, " does not go with the matrices' type");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (!doubles && compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_FAST_TF32) {
    violation(call, ": compute type ", compute, " is not emulated");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (p.batch > 1 && p.c.stride < p.c.leading * (p.c.columns - 1) + p.c.rows) {
    return refuse("the products of the batch overlap in C");
  }
  const double scale =
      doubles ? *static_cast<const double*>(alpha) : *static_cast<const float*>(alpha);
  const double keep =
      doubles ? *static_cast<const double*>(beta) : *static_cast<const float*>(beta);

  Work work;
  work.name = call;
  work.accesses = {p.a.access(p.batch, false), p.b.access(p.batch, false),
                   p.c.access(p.batch, true)};
  for (const Access& in : {work.accesses[0], work.accesses[1]}) {
    if (in.address < work.accesses[2].end && work.accesses[2].address < in.end) {
      return refuse("C overlaps with an input");
    }
  }
  if (keep != 0.0) work.accesses.push_back(p.c.access(p.batch, false));
  if (handle->workspace != nullptr) {
    work.accesses.push_back(scratch(handle->workspace, handle->workspace_bytes));
  } else if (capture_of(handle->stream) != nullptr) {
    return refuse("in capture the handle must have a workspace that outlives the graph");
  }
  work.run = [p, scale, keep] { p.run(scale, keep); };
  return submit(handle->stream, std::move(work)) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                                : CUBLAS_STATUS_EXECUTION_FAILED;
}

struct StatusName {
  cublasStatus_t status;
  const char* name;
  const char* text;
};
constexpr StatusName kStatuses[] = {
    {CUBLAS_STATUS_SUCCESS, "CUBLAS_STATUS_SUCCESS", "success"},
    {CUBLAS_STATUS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED",
     "the library was not initialized"},
    {CUBLAS_STATUS_ALLOC_FAILED, "CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {CUBLAS_STATUS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE",
     "an unsupported value or parameter was passed to the function"},
    {CUBLAS_STATUS_ARCH_MISMATCH, "CUBLAS_STATUS_ARCH_MISMATCH",
     "the function requires an architectural feature absent from the architecture of the device"},
    {CUBLAS_STATUS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED",
     "the function failed to launch on the GPU"},
    {CUBLAS_STATUS_INTERNAL_ERROR, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"},
    {CUBLAS_STATUS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED",
     "the functionality requested is not supported"},
};

const StatusName& name_of(cublasStatus_t status) {
  const auto* const found =
      std::find_if(std::begin(kStatuses), std::end(kStatuses),
                   [&](const StatusName& entry) { return entry.status == status; });
  static constexpr StatusName kUnknown{CUBLAS_STATUS_SUCCESS, "unknown cuBLAS status", "unknown"};
  return found == std::end(kStatuses) ? kUnknown : *found;
}

}  // namespace

const char* cublasGetStatusName(cublasStatus_t status) {
  return name_of(status).name;
}

const char* cublasGetStatusString(cublasStatus_t status) {
  return name_of(status).text;
}

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  return library_call("cublasCreate", CUBLAS_STATUS_ALLOC_FAILED, [&] {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    if (device_count() == 0 || spoils("cublasCreate", capture_of_this_thread())) {
      return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    *handle = new cublasContext();
    handle_created(*handle, kHandle);
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  return cublas_call("cublasDestroy", handle, [&] {
    handle_destroyed("cublasDestroy", handle, kHandle);
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  return cublas_call("cublasSetStream", handle, [&] {
    if (!stream_alive("cublasSetStream", stream)) return CUBLAS_STATUS_INVALID_VALUE;
    handle->stream = stream;
    handle->workspace = nullptr;  // as documented: the library's own workspace is used again
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes) {
  return cublas_call("cublasSetWorkspace", handle, [&] {
    const Access all = writes(workspace, bytes);
    if (bytes > 0 && !in_bounds("cublasSetWorkspace", all)) return CUBLAS_STATUS_INVALID_VALUE;
    if (all.address % 256 != 0) {
      violation("cublasSetWorkspace: the workspace is not aligned to 256 bytes");
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    handle->workspace = workspace;
    handle->workspace_bytes = bytes;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return cublas_call("cublasSetMathMode", handle, [&] {
    // Sums are wide here, whatever is allowed.
    const auto kind =
        static_cast<cublasMath_t>(mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
    if (kind != CUBLAS_DEFAULT_MATH && kind != CUBLAS_PEDANTIC_MATH &&
        kind != CUBLAS_TF32_TENSOR_OP_MATH) {
      violation("cublasSetMathMode: mode ", mode, " is not emulated");
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    handle->math = kind;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasGemmStridedBatchedEx(
    cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m,
    int n, int k, const void* alpha, const void* a, cudaDataType type_a, int leading_a,
    long long stride_a, const void* b, cudaDataType type_b, int leading_b, long long stride_b,
    const void* beta, void* c, cudaDataType type_c, int leading_c, long long stride_c, int batch,
    cublasComputeType_t compute, cublasGemmAlgo_t /*algorithm*/) {
  const char* const call = "cublasGemmStridedBatchedEx";
  return cublas_call(call, handle, [&] {
    const bool a_turned = is_transposed(transpose_a);
    const bool b_turned = is_transposed(transpose_b);
    const bool tf32 = type_c == CUDA_R_32F && (compute == CUBLAS_COMPUTE_32F_FAST_TF32 ||
                                               handle->math == CUBLAS_TF32_TENSOR_OP_MATH);
    const Product product{{"A", a, type_a, a_turned ? k : m, a_turned ? m : k, leading_a, stride_a},
                          {"B", b, type_b, b_turned ? n : k, b_turned ? k : n, leading_b, stride_b},
                          {"C", c, type_c, m, n, leading_c, stride_c},
                          a_turned,
                          b_turned,
                          tf32,
                          batch};
    if (k < 0) {
      violation(call, ": k is negative");
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    return checked_product(handle, call, product, alpha, beta, compute);
  });
}
