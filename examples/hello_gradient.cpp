// The derivative of a formula with respect to everything in it, in one pass.

#include <iostream>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

int main() {
  // Two numbers whose gradients will be asked for.
  const Variable<double> a(Tensor<double>::scalar(2.0), true);
  const Variable<double> b(Tensor<double>::scalar(5.0), true);

  // An ordinary formula. Each operation also writes down where its result came from.
  const auto y = ops::log(a) + a * b - ops::sin(b);

  // Walks back from y and leaves its derivative in every number that it was made of.
  y.backward();

  std::cout << "y     = " << y << '\n'
            << "dy/da = " << a.grad() << "   by hand: 1 / a + b   = 5.5\n"
            << "dy/db = " << b.grad() << "   by hand: a - cos(b)  = 1.71633781\n";

  // The same for arrays of any shape.
  const Variable<double> x(Tensor<double>{{1, 2, 3}, {4, 5, 6}}, true);
  x.square().sum().backward();
  std::cout << "d(sum of x^2)/dx =\n" << x.grad() << '\n';
  return 0;
}
