#pragma once

#include <array>
#include <cstddef>
#include <numbers>

/// The numbers of Winograd's minimal filtering F(m × m, 3 × 3): Lavin and Gray, "Fast algorithms
/// for convolutional neural networks" (2015).
///
/// m outputs of a filter of three are the coefficients of a product of polynomials, which is
/// computed from its values at m + 2 points: 0, m / 2 pairs ±root, and infinity. The roots below
/// keep rounding errors several times smaller than whole numbers do: Barabasz et al., "Error
/// analysis and improving the accuracy of Winograd convolution" (2018).
namespace sfumato::cpu {

namespace detail {

template <std::size_t kPairs>
constexpr std::array<double, kPairs> winograd_roots() {
  static_assert(kPairs == 2 || kPairs == 3, "there are 4 × 4 and 6 × 6 outputs");
  if constexpr (kPairs == 2) {
    return {1.0 / std::numbers::sqrt2, std::numbers::sqrt2};
  } else {
    return {0.5, 1.0, 1.8708286933869707};  // the last is √3.5
  }
}

}  // namespace detail

/// All numbers that the transforms need. With M(x) = x ∏ (x² - root²) over all pairs:
template <int kOutput>
struct WinogradPoints {
  static constexpr std::size_t kPairs = kOutput / 2;
  static constexpr int kInput = kOutput + 2;         ///< inputs of a tile, per dimension
  static constexpr int kProducts = kInput * kInput;  ///< multiplications per tile

  using Pairs = std::array<float, kPairs>;
  using Polynomial = std::array<float, kPairs + 1>;  ///< in x², lowest coefficient first

  Pairs roots{};
  Pairs squares{};
  Polynomial all{};                         ///< M(x) / x
  std::array<Polynomial, kPairs> others{};  ///< M(x) / (x (x² - root²))
  Pairs scales{};                           ///< 1 / M'(root), by which a filter's value counts
  Pairs slopes{};                           ///< scale · root
  float scale_at_zero = 0.0F;               ///< 1 / M'(0)
  std::array<Pairs, std::size_t{kOutput}> powers{};  ///< rootⁱ

  constexpr WinogradPoints() {
    constexpr auto kRoots = detail::winograd_roots<kPairs>();
    all = product(kRoots, kPairs);
    scale_at_zero = 1.0F / all[0];
    for (std::size_t pair = 0; pair < kPairs; ++pair) {
      const double root = kRoots[pair];
      double slope = 2.0 * root * root;  // M'(root)
      for (std::size_t other = 0; other < kPairs; ++other) {
        if (other != pair) slope *= root * root - kRoots[other] * kRoots[other];
      }
      roots[pair] = static_cast<float>(root);
      squares[pair] = static_cast<float>(root * root);
      others[pair] = product(kRoots, pair);
      scales[pair] = static_cast<float>(1.0 / slope);
      slopes[pair] = static_cast<float>(root / slope);
      double power = 1.0;
      for (auto& row : powers) {
        row[pair] = static_cast<float>(power);
        power *= root;
      }
    }
  }

 private:
  /// The product of x² - root² over all pairs but `left_out`.
  static constexpr Polynomial product(const std::array<double, kPairs>& roots,
                                      std::size_t left_out) {
    std::array<double, kPairs + 1> exact{1.0};
    for (std::size_t pair = 0; pair < kPairs; ++pair) {
      if (pair == left_out) continue;
      const double square = roots[pair] * roots[pair];
      for (std::size_t power = kPairs; power > 0; --power) {
        exact[power] = exact[power - 1] - square * exact[power];
      }
      exact[0] *= -square;
    }
    Polynomial rounded{};
    for (std::size_t i = 0; i <= kPairs; ++i) rounded[i] = static_cast<float>(exact[i]);
    return rounded;
  }
};

template <int kOutput>
inline constexpr WinogradPoints<kOutput> kWinogradPoints{};

}  // namespace sfumato::cpu
