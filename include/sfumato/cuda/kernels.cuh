#pragma once

// The list of our kernels: every one that sfumato's own ops launch, for each element type. The
// files kernels_*.cu beside this one compile them, for the CMake target sfumato::cuda, so that
// plain .cpp files can use the device and nvcc runs over nothing else. Whoever maps functions of
// their own lets nvcc compile that file.

#include <cstdint>
#include <tuple>

#include "sfumato/core/backend.hpp"
#include "sfumato/cuda/convolution.hpp"
#include "sfumato/cuda/launch.hpp"
#include "sfumato/cuda/lifetime.hpp"
#include "sfumato/cuda/map.hpp"
#include "sfumato/cuda/pooling.hpp"
#include "sfumato/cuda/rectify.hpp"
#include "sfumato/cuda/reduce.hpp"
#include "sfumato/losses/losses.hpp"
#include "sfumato/ops/ops.hpp"
#include "sfumato/optim/optim.hpp"

namespace sfumato::cuda {

template <class Kernel>
using Launch = void (*)(const char*, const Kernel&, std::int64_t);

/// Holding a kernel's address makes the compiler keep it.
template <class... Kernel>
struct Kernels {
  std::tuple<Launch<Kernel>...> addresses{&launch<Kernel>...};
};

/// Functions of one and two operands of type T that give a T.
template <class T, class... Function>
using Maps1 = Kernels<MapKernel<Function, T, T>...>;
template <class T, class... Function>
using Maps2 = Kernels<MapKernel<Function, T, T, T>...>;

/// What optimisers map, for parameters in T and what is remembered of them in Number.
template <class T, class Number>
using OptimizerMaps = std::tuple<
    Kernels<MapKernel<optim::detail::AddScaled<Number>, Number, Number, T>>,
    Maps2<Number, optim::detail::AddScaled<Number>, optim::detail::Average<Number>,
          optim::detail::AverageSquare<Number>, optim::detail::Velocity<Number>>,
    Kernels<MapKernel<optim::detail::Normalized<Number>, Number, Number, Number, Number>>,
    Kernels<MapKernel<optim::detail::Descend<Number>, T, T, Number>,
            MapKernel<optim::detail::AdamStep<Number>, T, T, Number, Number>,
            MapKernel<optim::detail::AdamRates<Number>, Number, double, double>,
            MapKernel<optim::detail::Increment, double, double>>>;

template <class T, class... Reduction>
using Reductions = std::tuple<Kernels<ReduceKernel<Reduction, T, T>...>,
                              Kernels<ReduceKernel<Reduction, T, Wide<T>>...>,
                              Kernels<ReduceKernel<Reduction, Wide<T>, Wide<T>>...>,
                              Kernels<ReduceKernel<Reduction, Wide<T>, T>...>>;

template <class T, class Place>
using MaxPools = Kernels<MaxPoolKernel<T, Place>, MaxPoolScatterKernel<T, Place>,
                         MaxPoolTilesKernel<T, Place>, MaxPoolGatherKernel<T, Place>>;

template <class T>
struct AllKernels {
  Kernels<MapKernel<sfumato::detail::Constant<T>, T>> constant;
  Maps1<T, sfumato::detail::Identity, ops::detail::Affine<T>, ops::detail::DivideBy<T, Compute<T>>,
        ops::detail::ScalarPower<T>, ops::detail::Exp, ops::detail::Log, ops::detail::Sqrt,
        ops::detail::Square, ops::detail::Abs, ops::detail::Sign, ops::detail::Step<T>,
        ops::detail::Sin, ops::detail::Cos, ops::detail::Tan, ops::detail::Erf, ops::detail::Log1p,
        ops::detail::Expm1, ops::detail::Floor, ops::detail::Round, ops::detail::Rsqrt,
        ops::detail::Softplus<Compute<T>>, ops::detail::Tanh, ops::detail::Sigmoid,
        ops::detail::NormalCdf, ops::detail::Clamp<T>, ops::detail::Inside<T>>
      of_one;
  Maps2<T, sfumato::detail::Plus, ops::detail::Subtract, ops::detail::Multiply, ops::detail::Divide,
        ops::detail::PowerDerivative, ops::detail::Maximum, ops::detail::Minimum,
        ops::detail::SharersWithFirst<T>, ops::detail::Share, losses::detail::ProductOver<T>,
        ops::detail::SquaredDeviation, AddBias>
      of_two;
  OptimizerMaps<T, Compute<T>> of_optimizers;
  Kernels<MapKernel<ops::detail::Less, std::uint8_t, T, T>,
          MapKernel<ops::detail::LessEqual, std::uint8_t, T, T>,
          MapKernel<ops::detail::Equal, std::uint8_t, T, T>,
          MapKernel<ops::detail::NotEqual, std::uint8_t, T, T>,
          MapKernel<ops::detail::IsFinite, std::uint8_t, T>>
      masks;
  Kernels<MapKernel<ops::detail::ScaledDeviation, T, T, T, T, T>,
          MapKernel<ops::detail::DeviationProduct, T, T, T, T>,
          MapKernel<losses::detail::DifferenceOfProducts, T, T, T, T, T>,
          MapKernel<ops::detail::BatchNormGradient, T, T, T, T, T, T, T>,
          MapKernel<ops::detail::Where, T, std::uint8_t, T, T>,
          MapKernel<ops::detail::IsExtreme, Compute<T>, T, T>,
          MapKernel<ops::detail::IndexOfExtreme, std::int64_t, T, T, std::int64_t>,
          MapKernel<ops::detail::Share, T, T, Compute<T>>,
          MapKernel<ops::detail::DivideBy<T, Wide<T>>, T, Wide<T>>,
          MapKernel<ops::detail::SparseProduct<T>, T, std::int64_t, std::int64_t, std::int64_t>>
      mixed;
  Reductions<T, SumReduction, MaxReduction, MinReduction> reductions;
  std::tuple<MaxPools<T, std::uint8_t>, MaxPools<T, std::int64_t>> max_pools;
  Kernels<ReluKernel<T>, GateKernel<T>, AvgPoolKernel<T>, AvgPoolGradientKernel<T>> others;
};

/// Casts from each of the types to each other one.
template <class From, class... To>
using CastsFrom = Kernels<MapKernel<sfumato::detail::Identity, To, From>...>;
template <class... T>
using Casts = std::tuple<CastsFrom<T, T...>...>;

struct IntegerKernels {
  Kernels<MapKernel<sfumato::detail::Constant<std::uint8_t>, std::uint8_t>,
          MapKernel<sfumato::detail::Constant<std::int32_t>, std::int32_t>,
          MapKernel<sfumato::detail::Constant<std::int64_t>, std::int64_t>>
      constants;
  Kernels<ReduceKernel<MaxReduction, std::uint8_t, std::uint8_t>,
          ReduceKernel<MinReduction, std::uint8_t, std::uint8_t>,
          ReduceKernel<MinReduction, std::int64_t, std::int64_t>,
          ReduceKernel<SumReduction, std::int64_t, std::int64_t>>
      reductions;
};

}  // namespace sfumato::cuda
