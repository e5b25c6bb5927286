// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_WINOGRAD_TRANSFORMS) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_WINOGRAD_TRANSFORMS
#undef SFUMATO_CPU_KERNELS_WINOGRAD_TRANSFORMS
#else
#define SFUMATO_CPU_KERNELS_WINOGRAD_TRANSFORMS
#endif

#include <array>
#include <cstddef>

#include "sfumato/cpu/kernels/target.hpp"
#include "sfumato/cpu/kernels/winograd_points.hpp"

/// The transforms of Winograd's algorithm in one dimension, where each vector holds one position of
/// kLanes channels: with the points p, Bᵀ d for inputs, G g for filters and Aᵀ m for products; see
/// winograd_points.hpp. For gradients with respect to filters, A y and Gᵀ u.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

/// Σ polynomial[i] x[2 i] for i up to kHighest, whose coefficient is one.
template <std::size_t kHighest, std::size_t kCoefficients>
SFUMATO_INLINE Vector evaluate(const std::array<float, kCoefficients>& polynomial,
                               const Vector* x) {
  Vector sum = x[2 * kHighest];
#pragma GCC unroll 3
  for (std::size_t i = 0; i < kHighest; ++i) {
    sum = multiply_add(broadcast(polynomial[i]), x[2 * i], sum);
  }
  return sum;
}

/// Bᵀ d, in place.
template <int kOutput>
SFUMATO_INLINE void transform_input(Vector (&d)[std::size_t{kOutput + 2}]) {
  constexpr const auto& kPoints = kWinogradPoints<kOutput>;
  constexpr std::size_t kPairs = kOutput / 2;
  Vector values[std::size_t{kOutput + 2}];
  values[0] = evaluate<kPairs>(kPoints.all, d);
  values[kOutput + 1] = evaluate<kPairs>(kPoints.all, d + 1);
#pragma GCC unroll 3
  for (std::size_t pair = 0; pair < kPairs; ++pair) {
    const Vector root = broadcast(kPoints.roots[pair]);
    const Vector even = evaluate<kPairs - 1>(kPoints.others[pair], d + 2);
    const Vector odd = evaluate<kPairs - 1>(kPoints.others[pair], d + 1);
    values[2 * pair + 1] = multiply_add(root, odd, even);
    values[2 * pair + 2] = negated_multiply_add(root, odd, even);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kOutput + 2; ++i) d[i] = values[i];
}

/// G g.
template <int kOutput>
SFUMATO_INLINE void transform_filter(Vector g0, Vector g1, Vector g2,
                                     Vector (&u)[std::size_t{kOutput + 2}]) {
  constexpr const auto& kPoints = kWinogradPoints<kOutput>;
  u[0] = multiply(broadcast(kPoints.scale_at_zero), g0);
  u[kOutput + 1] = g2;
#pragma GCC unroll 3
  for (std::size_t pair = 0; pair < kOutput / 2; ++pair) {
    const Vector even = multiply(broadcast(kPoints.scales[pair]),
                                 multiply_add(broadcast(kPoints.squares[pair]), g2, g0));
    const Vector slope = broadcast(kPoints.slopes[pair]);
    u[2 * pair + 1] = multiply_add(slope, g1, even);
    u[2 * pair + 2] = negated_multiply_add(slope, g1, even);
  }
}

/// Aᵀ m.
template <int kOutput>
SFUMATO_INLINE void transform_output(const Vector (&m)[std::size_t{kOutput + 2}],
                                     Vector (&y)[std::size_t{kOutput}]) {
  constexpr const auto& kPoints = kWinogradPoints<kOutput>;
  constexpr std::size_t kPairs = kOutput / 2;
  Vector sums[kPairs];
  Vector differences[kPairs];
  y[0] = m[0];
#pragma GCC unroll 3
  for (std::size_t pair = 0; pair < kPairs; ++pair) {
    sums[pair] = add(m[2 * pair + 1], m[2 * pair + 2]);
    differences[pair] = subtract(m[2 * pair + 1], m[2 * pair + 2]);
    y[0] = add(y[0], sums[pair]);
  }
#pragma GCC unroll 6
  for (std::size_t i = 1; i < kOutput; ++i) {
    const Vector* terms = i % 2 == 0 ? sums : differences;
    const Vector first = broadcast(kPoints.powers[i][0]);
    y[i] = i + 1 == kOutput ? multiply_add(first, terms[0], m[kOutput + 1])
                            : multiply(first, terms[0]);
#pragma GCC unroll 3
    for (std::size_t pair = 1; pair < kPairs; ++pair) {
      y[i] = multiply_add(broadcast(kPoints.powers[i][pair]), terms[pair], y[i]);
    }
  }
}

/// A y, in place: y is what comes first.
template <int kOutput>
SFUMATO_INLINE void transform_gradient(Vector (&y)[std::size_t{kOutput + 2}]) {
  constexpr const auto& kPoints = kWinogradPoints<kOutput>;
  Vector values[std::size_t{kOutput + 2}];
  values[0] = y[0];
  values[kOutput + 1] = y[kOutput - 1];
#pragma GCC unroll 3
  for (std::size_t pair = 0; pair < kOutput / 2; ++pair) {
    Vector even = y[0];
    Vector odd = multiply(broadcast(kPoints.powers[1][pair]), y[1]);
#pragma GCC unroll 6
    for (std::size_t i = 2; i < kOutput; ++i) {
      Vector& sum = i % 2 == 0 ? even : odd;
      sum = multiply_add(broadcast(kPoints.powers[i][pair]), y[i], sum);
    }
    values[2 * pair + 1] = add(even, odd);
    values[2 * pair + 2] = subtract(even, odd);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kOutput + 2; ++i) y[i] = values[i];
}

/// Gᵀ u.
template <int kOutput>
SFUMATO_INLINE void transform_filter_gradient(const Vector (&u)[std::size_t{kOutput + 2}],
                                              Vector (&g)[3]) {
  constexpr const auto& kPoints = kWinogradPoints<kOutput>;
  g[0] = multiply(broadcast(kPoints.scale_at_zero), u[0]);
  g[1] = zero();
  g[2] = u[kOutput + 1];
#pragma GCC unroll 3
  for (std::size_t pair = 0; pair < kOutput / 2; ++pair) {
    const Vector even =
        multiply(broadcast(kPoints.scales[pair]), add(u[2 * pair + 1], u[2 * pair + 2]));
    const Vector odd = subtract(u[2 * pair + 1], u[2 * pair + 2]);
    g[0] = add(g[0], even);
    g[1] = multiply_add(broadcast(kPoints.slopes[pair]), odd, g[1]);
    g[2] = multiply_add(broadcast(kPoints.squares[pair]), even, g[2]);
  }
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
