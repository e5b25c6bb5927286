#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/ops/apply.hpp"
#include "sfumato/ops/arithmetic.hpp"
#include "sfumato/ops/comparison.hpp"
#include "sfumato/ops/in_float.hpp"
#include "sfumato/ops/math.hpp"
#include "sfumato/ops/select.hpp"

namespace sfumato::ops {

namespace detail {
/// 1 above zero, else `below`.
template <class T>
struct Step {
  T below;
  SFUMATO_HOST_DEVICE T operator()(T x) const { return x > T{0} ? T{1} : below; }
};
struct Tanh {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::tanh;
    return tanh(x);
  }
};
/// 1 / (1 + e^-x); the exponent is never positive, so nothing overflows.
struct Sigmoid {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::exp;
    const Compute<T> wide = x;
    const Compute<T> e = exp(wide < 0 ? wide : -wide);
    return (wide < 0 ? e : Compute<T>{1}) / (1 + e);
  }
};
/// log(1 + e^(βx)) / β; the exponent is never positive, so nothing overflows.
template <class Number>
struct Softplus {
  Number beta;
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::exp;
    using std::log1p;
    const Number z = beta * static_cast<Number>(x);
    return static_cast<T>(((z > 0 ? z : Number{0}) + log1p(exp(z > 0 ? -z : z))) / beta);
  }
};
/// Φ(x), the standard normal distribution function.
struct NormalCdf {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    using std::erfc;
    return erfc(-x * static_cast<Compute<T>>(1.0 / std::numbers::sqrt2)) / 2;
  }
};

template <Real T, class Device>
Variable<T, Device> normal_cdf(const Variable<T, Device>& x) {
  return record("normal_cdf", apply("normal_cdf", NormalCdf{}, x.value()), {x},
                [x](const Backward<T, Device>& ctx) {
                  const auto density = exp(scale(square(x), T{-0.5}));
                  const auto height =
                      static_cast<T>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
                  return scale(mul(ctx.gradient(), density), height);
                });
}
}  // namespace detail

/// x above 0, slope · x below, element by element; computed in float where x has 16 bits.
template <Real T, class Device>
Variable<T, Device> leaky_relu(const Variable<T, Device>& x, double slope = 0.01) {
  using Number = Compute<T>;
  return detail::in_float<T, Device>("leaky_relu", {x}, [slope](const auto& in) {
    const detail::Step<Number> step{static_cast<Number>(slope)};
    const Variable<Number, Device> steps(apply("leaky_relu", step, in[0].value()));
    return record(
        "leaky_relu", apply("leaky_relu", detail::Multiply{}, in[0].value(), steps.value()),
        {in[0]},
        [steps](const Backward<Number, Device>& ctx) { return mul(ctx.gradient(), steps); });
  });
}

/// tanh x element by element; d/dx = 1 - tanh² x.
template <Real T, class Device>
Variable<T, Device> tanh(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("tanh", detail::Tanh{}, x.value());
  return record("tanh", y, {x}, [y](const Backward<T, Device>& ctx) {
    return mul(ctx.gradient(), affine(square(ctx.result(y)), T{-1}, T{1}));
  });
}

/// σ(x) = 1 / (1 + e^-x) element by element; d/dx = σ(x) (1 - σ(x)).
template <Real T, class Device>
Variable<T, Device> sigmoid(const Variable<T, Device>& x) {
  Tensor<T, Device> y = apply("sigmoid", detail::Sigmoid{}, x.value());
  return record("sigmoid", y, {x}, [y](const Backward<T, Device>& ctx) {
    const auto s = ctx.result(y);
    return mul(ctx.gradient(), mul(s, affine(s, T{-1}, T{1})));
  });
}

/// x Φ(x), the Gaussian error linear unit of Hendrycks and Gimpel (2016), or their approximation
/// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2. Computed in float where x has 16 bits.
template <Real T, class Device>
Variable<T, Device> gelu(const Variable<T, Device>& x, bool approximate = false) {
  return detail::in_float<T, Device>("gelu", {x}, [approximate](const auto& in) {
    using Number = Compute<T>;
    if (!approximate) return mul(in[0], detail::normal_cdf(in[0]));
    const auto factor = static_cast<Number>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
    const auto cubic = affine(square(in[0]), static_cast<Number>(0.044715), Number{1});
    const auto cdf = tanh(scale(mul(in[0], cubic), factor));
    return mul(in[0], affine(cdf, static_cast<Number>(0.5), static_cast<Number>(0.5)));
  });
}

/// log(1 + e^(βx)) / β element by element, without overflow; d/dx = σ(βx). Computed in float where
/// x has 16 bits. Throws ValueError unless β is positive.
template <Real T, class Device>
Variable<T, Device> softplus(const Variable<T, Device>& x, double beta = 1.0) {
  if (!(beta > 0.0)) throw ValueError(message("softplus: beta ", beta, " must be positive"));
  return detail::in_float<T, Device>("softplus", {x}, [beta](const auto& in) {
    using Number = Compute<T>;
    const detail::Softplus<Number> softplus{static_cast<Number>(beta)};
    return record("softplus", apply("softplus", softplus, in[0].value()), {in[0]},
                  [x = in[0], softplus](const Backward<Number, Device>& ctx) {
                    return mul(ctx.gradient(), sigmoid(scale(x, softplus.beta)));
                  });
  });
}

/// x σ(x), the sigmoid linear unit, element by element; computed in float where x has 16 bits.
template <Real T, class Device>
Variable<T, Device> silu(const Variable<T, Device>& x) {
  return detail::in_float<T, Device>("silu", {x},
                                     [](const auto& in) { return mul(in[0], sigmoid(in[0])); });
}

/// x above 0, α (e^x - 1) else, element by element; Clevert et al. (2015). Computed in float where
/// x has 16 bits.
template <Real T, class Device>
Variable<T, Device> elu(const Variable<T, Device>& x, double alpha = 1.0) {
  return detail::in_float<T, Device>("elu", {x}, [alpha](const auto& in) {
    using Number = Compute<T>;
    const auto below = clamp(in[0], -std::numeric_limits<Number>::infinity(), Number{0});
    return where(in[0] > Number{0}, in[0], scale(expm1(below), static_cast<Number>(alpha)));
  });
}

/// x limited to [low, high], by default [-1, 1]: clamp by another name.
template <Real T, class Device>
Variable<T, Device> hardtanh(const Variable<T, Device>& x, std::type_identity_t<T> low = T{-1},
                             std::type_identity_t<T> high = T{1}) {
  return clamp(x, low, high);
}

}  // namespace sfumato::ops
