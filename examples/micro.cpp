// The whole of reverse-mode differentiation, for single numbers and without the library: the idea
// before the real thing in include/sfumato/autodiff/, which has arrays and the same words. At the
// end a network of nine weights learns exclusive or.

#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <vector>

/// One operation that was carried out, or a number to begin with (a leaf).
struct Node {
  using Inputs = std::vector<std::shared_ptr<Node>>;
  /// Given the derivative of the end result with respect to this node's result, gives those with
  /// respect to its inputs: the chain rule, one link of it.
  using Gradient = std::function<std::vector<double>(double)>;

  double value;
  Inputs inputs = {};
  Gradient gradient = {};
  double grad = 0;        // of a leaf: what backward() has found
  long number = count++;  // inputs are older than results, so they have smaller numbers

  inline static long count = 0;
};

/// A number that remembers where it came from.
struct Variable {
  std::shared_ptr<Node> node;

  Variable(double value) : node(new Node{value}) {}  // a leaf; not explicit, so that 2 * x is one
  double value() const { return node->value; }
  double& grad() const { return node->grad; }
};

/// Puts a result on record: what every operation ends with.
Variable record(double value, Node::Inputs inputs, Node::Gradient gradient) {
  Variable result(value);
  result.node->inputs = std::move(inputs);
  result.node->gradient = std::move(gradient);
  return result;
}

// Operations: a value, and what the gradient g of the result means for the inputs.

Variable operator+(Variable a, Variable b) {
  return record(a.value() + b.value(), {a.node, b.node}, [](double g) {
    return std::vector{g, g};
  });
}
Variable operator*(Variable a, Variable b) {
  return record(a.value() * b.value(), {a.node, b.node}, [x = a.value(), y = b.value()](double g) {
    return std::vector{g * y, g * x};
  });
}
Variable tanh(Variable x) {
  const double y = std::tanh(x.value());
  return record(y, {x.node}, [y](double g) { return std::vector{g * (1 - y * y)}; });
}
/// Adds to the grad() of every leaf the derivative of `result` with respect to it. Takes the newest
/// node each time: all that was made from it has been there, so what it has got is complete.
void backward(const Variable& result) {
  std::map<long, std::pair<Node*, double>, std::greater<>> pending;
  pending[result.node->number] = {result.node.get(), 1.0};
  while (!pending.empty()) {
    const auto [node, g] = pending.begin()->second;
    pending.erase(pending.begin());
    if (!node->gradient) node->grad += g;
    const std::vector<double> gradients =
        node->gradient ? node->gradient(g) : std::vector<double>();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      auto& entry = pending[node->inputs[i]->number];  // a value that is used twice gets a sum
      entry = {node->inputs[i].get(), entry.second + gradients[i]};
    }
  }
}

int main() {
  const double cases[][3] = {{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}};
  std::vector<Variable> w{0.5, -0.9, 0.1, 0.8, -0.4, -0.2, 0.7, 0.6, 0.1};
  const auto network = [&](double a, double b) {
    return w[6] * tanh(w[0] * a + w[1] * b + w[2]) + w[7] * tanh(w[3] * a + w[4] * b + w[5]) + w[8];
  };
  for (int step = 0; step <= 160; ++step) {
    Variable loss = 0;
    for (const auto& [a, b, wanted] : cases) {
      const Variable error = network(a, b) + -wanted;
      loss = loss + error * error;
    }
    backward(loss);
    if (step % 40 == 0) std::printf("step %3d   loss %.4f\n", step, loss.value());
    for (Variable& weight : w) weight = weight.value() - 0.1 * weight.grad();
  }
  for (const auto& [a, b, wanted] : cases) {
    std::printf("%g xor %g = %g   network: %5.2f\n", a, b, wanted, network(a, b).value());
  }
  return 0;
}
