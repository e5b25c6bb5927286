// Second derivatives at work: logistic regression by Newton's method, which divides by the
// curvature where gradient descent feels its way. The right digits double with each step.

#include <cmath>
#include <iomanip>
#include <iostream>
#include <vector>

#include "sfumato/sfumato.hpp"

using namespace sfumato;

int main() {
  // 200 points around (-1, 0) with the label 0 and around (1, 0.5) with the label 1, which overlap;
  // the third column stands for the constant in w_0 x_0 + w_1 x_1 + w_2.
  Random random(7);
  auto points = Tensor<double>::ones({200, 3});
  auto labels = Tensor<double>::zeros({200});
  for (std::int64_t i = 0; i < 200; ++i) {
    const double label = i % 2 == 0 ? 0.0 : 1.0;
    labels(i) = label;
    points(i, 0) = 2 * label - 1 + random.normal();
    points(i, 1) = label / 2 + random.normal();
  }

  const auto loss_of = [&](const Variable<double>& w) {
    return losses::binary_cross_entropy_with_logits(ops::mv(Variable(points), w), Variable(labels));
  };

  Variable<double> w(Tensor<double>::zeros({3}), true);
  for (int step = 0; step <= 5; ++step) {
    const auto loss = loss_of(w);

    // The gradient, with a graph of its own: its entries can be differentiated again. That is the
    // Hessian, row by row.
    const auto gradient = grad({loss}, {w}, {.create_graph = true})[0];
    std::vector<Variable<double>> rows;
    for (std::int64_t i = 0; i < 3; ++i) {
      rows.push_back(grad({gradient[i]}, {w}, {.retain_graph = true})[0]);
    }
    const auto hessian = ops::stack(rows);

    std::cout << "step " << step << "   loss " << std::fixed << std::setprecision(12) << loss.item()
              << "   |gradient| " << std::scientific << std::setprecision(1)
              << gradient.norm().item() << '\n';
    if (step == 5) std::cout << "Hessian:\n" << hessian << "\nw: " << w << '\n';

    const auto move = ops::solve(hessian, gradient.unsqueeze(1)).squeeze(1);
    w = Variable(w.value() - move.value(), true);
  }
  return 0;
}
