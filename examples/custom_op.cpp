// An operation of one's own: a function of one number, what it means for gradients, and the proof.

#include <cmath>
#include <iostream>
#include <vector>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

/// The value, for each element on any device: log cosh x, without the overflow of cosh.
struct LogCosh {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T x) const {
    const T size = std::abs(x);
    return size + std::log1p(std::exp(-2 * size)) - std::log(T{2});
  }
};

/// log cosh x element by element, a smooth |x|. Its slope is tanh x: the gradient is written with
/// operations, too, so it can be differentiated again.
template <class T, class Device>
Variable<T, Device> log_cosh(const Variable<T, Device>& x) {
  return record("log_cosh", ops::apply("log_cosh", LogCosh{}, x.value()), {x},
                [x](const auto& ctx) { return ctx.gradient() * ops::tanh(x); });
}

/// The same with a slip in the gradient.
template <class T, class Device>
Variable<T, Device> mistaken_log_cosh(const Variable<T, Device>& x) {
  return record("mistaken_log_cosh", ops::apply("log_cosh", LogCosh{}, x.value()), {x},
                [x](const auto& ctx) { return ctx.gradient() * ops::sigmoid(x); });
}

int main() {
  Variable<double> x({-800, -0.5, 0, 2}, true);
  const auto y = log_cosh(x);
  y.sum().backward();
  std::cout << "x                 " << x << '\n'
            << "log_cosh(x)       " << y << '\n'
            << "gradient          " << x.grad() << '\n';

  // Analytic gradients against central differences; then second derivatives likewise.
  const std::vector inputs{Variable<double>({-1.5, -0.5, 0.25, 2}, true)};
  const auto op = [](const auto& in) { return log_cosh(in[0]); };
  std::cout << "gradcheck:        " << gradcheck(op, inputs).report << '\n'
            << "gradgradcheck:    " << gradgradcheck(op, inputs).report << '\n';

  const auto slip = [](const auto& in) { return mistaken_log_cosh(in[0]); };
  std::cout << "with a slip:      " << gradcheck(slip, inputs).report << '\n';
  return 0;
}
