#pragma once

// One convolution in any direction, on its way through checks to the stream.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "cudnn.hpp"
#include "memory.hpp"

namespace emulator {

/// A number given by pointer, of the type that scales tensors of this type.
inline double scale(const void* value, const Described& d) {
  return d.type == Number::kDouble ? *static_cast<const double*>(value)
                                   : *static_cast<const float*>(value);
}

/// Sums in another order each time are off by rounding, each time another.
template <class T>
T disturbed(T value) {
  static std::uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  const auto wide = static_cast<double>(value);
  if (state >> 31 == 0 || !std::isfinite(wide) || wide == 0.0) return value;
  if constexpr (std::floating_point<T>) {
    return std::nextafter(value, T{0});
  } else {
    const auto bits = static_cast<std::uint16_t>(value.bits() - 1);
    return std::bit_cast<T>(bits);
  }
}

/// One convolution in any direction, to be checked and submitted.
struct Request {
  const char* call;
  cudnnHandle_t handle;
  Described d;
  Algorithm algorithm;
  const void* first;  // inputs and result, each with its number of elements
  const void* second;
  void* result;
  std::int64_t first_count, second_count, result_count;
  void* workspace;
  std::size_t workspace_bytes;
  const void* alpha;
  const void* beta;
};

inline cudnnStatus_t check(const Request& r, Work& work) {
  const auto bad = [&](const auto&... why) {
    return refuse(CUDNN_STATUS_BAD_PARAM, text(r.call, ": ", why...));
  };
  if (r.alpha == nullptr || r.beta == nullptr) return bad("alpha or beta is null");
  if (is_device_address(r.alpha) || is_device_address(r.beta)) {
    return bad("alpha and beta must be in host memory");
  }
  if (!r.algorithm.supported) {
    return refuse(CUDNN_STATUS_NOT_SUPPORTED,
                  text(r.call, ": the algorithm does not support this convolution"));
  }
  for (const void* const operand : {r.first, r.second, static_cast<const void*>(r.result)}) {
    if (operand == nullptr) return bad("an operand is null");
    if (reinterpret_cast<std::uintptr_t>(operand) % r.d.element() != 0) {
      return bad("an operand is misaligned");
    }
  }
  if (r.workspace_bytes < r.algorithm.workspace) {
    return bad("the workspace has ", r.workspace_bytes, " bytes, but the algorithm needs ",
               r.algorithm.workspace);
  }
  if (r.algorithm.workspace > 0 && r.workspace == nullptr) return bad("the workspace is null");
  work.name = r.call;
  const auto bytes = [&](std::int64_t count) {
    return static_cast<std::size_t>(count) * r.d.element();
  };
  work.accesses = {reads(r.first, bytes(r.first_count)), reads(r.second, bytes(r.second_count)),
                   writes(r.result, bytes(r.result_count))};
  if (r.algorithm.workspace > 0)
    work.accesses.push_back(scratch(r.workspace, r.algorithm.workspace));
  for (std::size_t i = 0; i < work.accesses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Access& a = work.accesses[i];
      const Access& b = work.accesses[j];
      if ((a.writes || b.writes) && a.address < b.end && b.address < a.end) {
        return bad("operands overlap with the result or the workspace");
      }
    }
  }
  if (scale(r.beta, r.d) != 0.0) work.accesses.push_back(reads(r.result, bytes(r.result_count)));
  return CUDNN_STATUS_SUCCESS;
}

inline cudnnStatus_t submit_to(cudnnHandle_t handle, Work work) {
  return submit(handle->stream, std::move(work)) == cudaSuccess ? CUDNN_STATUS_SUCCESS
                                                                : CUDNN_STATUS_EXECUTION_FAILED;
}

using Compute = void (*)(const Convolution&, const double*, const double*, double*);
/// What is made of the scaled sums before they are rounded and stored.
using Epilogue = std::function<void(double*)>;

/// result = epilogue(alpha · compute(first, second) + beta · result), in its turn.
inline std::function<void()> scaled(const Request& r, Compute compute, const Epilogue& epilogue) {
  return [r, compute, epilogue, alpha = scale(r.alpha, r.d), beta = scale(r.beta, r.d)] {
    const Doubles first(r.d.type, alias_of(r.first), r.first_count, r.d.tf32);
    const Doubles second(r.d.type, alias_of(r.second), r.second_count, r.d.tf32);
    constexpr std::size_t kEnough = 1 << 16;  // for whoever takes it for its own to notice
    if (r.algorithm.workspace > 0) {
      std::memset(alias_of(r.workspace), 0xff, std::min(r.algorithm.workspace, kEnough));
    }
    std::vector<double> values(static_cast<std::size_t>(r.result_count));
    compute(r.d.geometry, first.data(), second.data(), values.data());
    with_type(r.d.type, alias_of(r.result), [&]<class T>(const T* old) {
      auto* const result = const_cast<T*>(old);
      if (alpha != 1.0 || beta != 0.0) {
        for (std::size_t i = 0; i < values.size(); ++i) {
          const double kept = beta == 0.0 ? 0.0 : beta * static_cast<double>(result[i]);
          values[i] = alpha * values[i] + kept;
        }
      }
      if (epilogue) epilogue(values.data());
      std::transform(values.begin(), values.end(), result, rounded<T>);
      if (!r.algorithm.deterministic) {
        std::transform(result, result + values.size(), result, disturbed<T>);
      }
    });
  };
}

inline cudnnStatus_t run(const Request& r, Compute compute) {
  Work work;
  if (const cudnnStatus_t status = check(r, work); status != CUDNN_STATUS_SUCCESS) return status;
  work.run = scaled(r, compute, {});
  return submit_to(r.handle, std::move(work));
}

}  // namespace emulator
