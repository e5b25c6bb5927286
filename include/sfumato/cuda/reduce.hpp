#pragma once

#include <algorithm>
#include <cstdint>

#include "sfumato/core/half.hpp"
#include "sfumato/core/loops.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/cuda/device.hpp"
#include "sfumato/cuda/launch.hpp"

namespace sfumato {

namespace cuda {

/// Every lane combines every `lanes`-th element of what its output is reduced from; so neighbouring
/// threads read neighbouring elements.
template <class Reduction, class In, class Out>
struct ReduceKernel {
  Reduction reduction;
  detail::StridedLoops<1> kept;
  detail::StridedLoops<1> reduced;
  std::int64_t count;  ///< elements that each output is reduced from
  std::int64_t lanes;  ///< for each output
  const In* in;
  Out* out;  ///< (outputs, lanes)

  template <class Memory>
  void touch(Memory& memory, std::int64_t threads) const {
    memory.reads(in, kept, reduced);
    memory.writes(out, threads);
  }

  SFUMATO_HOST_DEVICE void operator()(std::int64_t index) const {
    const In* const base = in + kept.offsets(index / lanes)[0];
    auto total = Reduction::template identity<Wide<In>>();
    for (std::int64_t i = index % lanes; i < count; i += lanes) {
      total = reduction(total, static_cast<Wide<In>>(base[reduced.offsets(i)[0]]));
    }
    out[index] = static_cast<Out>(total);
  }
};

template <class Reduction, class In, class Out>
void launch_reduction(const Reduction& reduction, const Shape& kept, const Shape& reduced,
                      std::int64_t lanes, Out* out, const In* in, const Strides& kept_strides,
                      const Strides& reduced_strides) {
  launch("reduce",
         ReduceKernel<Reduction, In, Out>{reduction,
                                          {kept, {kept_strides}},
                                          {reduced, {reduced_strides}},
                                          reduced.numel(),
                                          lanes,
                                          in,
                                          out},
         kept.numel() * lanes);
}

/// How many threads share an output whose `count` elements one thread would take too long over.
/// Depends on the shapes alone, so that results do not depend on the GPU.
inline std::int64_t reduction_lanes(std::int64_t outputs, std::int64_t count) {
  constexpr std::int64_t kThreads = std::int64_t{1} << 17;  // keep the largest GPUs busy
  constexpr std::int64_t kShort = 32;                       // not worth another launch
  const std::int64_t wanted =
      std::min(kThreads / std::max<std::int64_t>(outputs, 1), count / kShort);
  std::int64_t lanes = 1;
  while (lanes * 2 <= wanted) lanes *= 2;
  return lanes;
}

}  // namespace cuda

template <class Reduction, class T, class Out>
void Cuda::reduce(const Reduction& reduction, const Shape& kept, const Shape& reduced, Out* out,
                  const T* in, const Strides& kept_strides, const Strides& reduced_strides) {
  const std::int64_t outputs = kept.numel();
  if (outputs == 0) return;
  std::int64_t lanes = cuda::reduction_lanes(outputs, reduced.numel());
  if (lanes == 1) {
    return cuda::launch_reduction(reduction, kept, reduced, 1, out, in, kept_strides,
                                  reduced_strides);
  }
  // Partial results, and partial results of those, until one thread can combine what is left.
  auto partial = Tensor<Wide<T>, Cuda>::empty({outputs, lanes});
  cuda::launch_reduction(reduction, kept, reduced, lanes, partial.data(), in, kept_strides,
                         reduced_strides);
  while (true) {
    const std::int64_t count = lanes;
    lanes = cuda::reduction_lanes(outputs, count);
    const Strides rows{count};
    if (lanes == 1) {
      return cuda::launch_reduction(reduction, {outputs}, {count}, 1, out,
                                    static_cast<const Wide<T>*>(partial.data()), rows, {1});
    }
    auto fewer = Tensor<Wide<T>, Cuda>::empty({outputs, lanes});
    cuda::launch_reduction(reduction, {outputs}, {count}, lanes, fewer.data(),
                           static_cast<const Wide<T>*>(partial.data()), rows, {1});
    partial = fewer;
  }
}

}  // namespace sfumato
