#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/variable.hpp"

namespace sfumato {

/// How closely gradcheck compares.
struct GradcheckOptions {
  double step = 1e-6;       ///< distance of the central differences
  double tolerance = 1e-6;  ///< largest |analytic - numeric| / max(1, |numeric|)
  std::uint64_t seed = 1;   ///< of the direction in which results are combined
};

/// What gradcheck found; converts to true when all gradients agree.
struct GradcheckResult {
  bool passed = true;
  double largest_error = 0.0;
  std::string report = "gradients agree";
  explicit operator bool() const { return passed; }
};

namespace detail {

template <class T, class Device>
double dot(const std::vector<Variable<T, Device>>& a, const std::vector<Variable<T, Device>>& b) {
  double total = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::vector<T> left = a[i].value().to_vector();
    const std::vector<T> right = b[i].value().to_vector();
    for (std::size_t j = 0; j < left.size(); ++j) {
      total += static_cast<double>(left[j]) * static_cast<double>(right[j]);
    }
  }
  return total;
}

template <class T, class Device>
std::vector<Variable<T, Device>> random_like(const std::vector<Variable<T, Device>>& results,
                                             std::uint64_t seed) {
  Random random(seed);
  std::vector<Variable<T, Device>> directions;
  for (const auto& result : results) {
    directions.emplace_back(Tensor<T, Device>::randn(result.shape(), random));
  }
  return directions;
}

template <class T, class Device>
std::vector<Variable<T, Device>> as_vector(Variable<T, Device> result) {
  return {std::move(result)};
}
template <class T, class Device>
std::vector<Variable<T, Device>> as_vector(std::vector<Variable<T, Device>> results) {
  return results;
}

}  // namespace detail

/// Compares the gradients that `function` gives with central differences, for every element of
/// every input that requires a gradient. `function` takes a vector of Variables and returns one
/// Variable or a vector of them; several or large results are combined along a random direction.
/// Use double.
///
///     CHECK(gradcheck([](const auto& in) { return in[0] * in[1]; }, std::vector{a, b}));
template <class Function, class T, class Device>
GradcheckResult gradcheck(const Function& function, std::vector<Variable<T, Device>> inputs,
                          const GradcheckOptions& options = {}) {
  std::vector<Variable<T, Device>> differentiated;
  for (auto& input : inputs) {
    input = Variable(input.value().clone(), input.requires_grad());
    if (input.requires_grad()) differentiated.push_back(input);
  }
  const auto results = detail::as_vector(function(inputs));
  const auto direction = detail::random_like(results, options.seed);
  const auto analytic = grad(results, differentiated, {}, direction);
  const auto evaluate = [&] {
    return no_grad([&] { return detail::dot(detail::as_vector(function(inputs)), direction); });
  };

  GradcheckResult check;
  for (std::size_t i = 0; i < differentiated.size(); ++i) {
    const std::vector<T> slopes = analytic[i].value().to_vector();
    const Shape& shape = differentiated[i].shape();
    std::vector<T> values = differentiated[i].value().to_vector();
    Tensor<T, Device> place = differentiated[i].mutable_value();
    for (std::size_t j = 0; j < values.size(); ++j) {
      const T value = values[j];
      const auto shifted = [&](double by) {
        values[j] = value + static_cast<T>(by);
        place.copy_from(Tensor<T, Device>::from(values, shape));
        return evaluate();
      };
      const double numeric =
          (shifted(options.step) - shifted(-options.step)) / (2.0 * options.step);
      shifted(0.0);
      const double slope = static_cast<double>(slopes[j]);
      const double error = std::abs(slope - numeric) / std::max(1.0, std::abs(numeric));
      if (!(error <= check.largest_error)) check.largest_error = error;
      if (!(error <= options.tolerance) && check.passed) {
        check.passed = false;
        check.report = message("input ", i, " ", shape, ", element ", j, ": analytic ", slope,
                               ", numeric ", numeric);
      }
    }
  }
  return check;
}

/// Compares second derivatives with central differences of the first ones.
template <class Function, class T, class Device>
GradcheckResult gradgradcheck(const Function& function,
                              const std::vector<Variable<T, Device>>& inputs,
                              const GradcheckOptions& options = {}) {
  const std::size_t count = inputs.size();
  std::vector<Variable<T, Device>> all = inputs;
  const auto results = no_grad([&] { return detail::as_vector(function(inputs)); });
  for (const auto& output : detail::random_like(results, options.seed + 1)) {
    all.emplace_back(output.value(), true);
  }
  const auto gradients = [&](const std::vector<Variable<T, Device>>& arguments) {
    const GradMode on(true);
    const auto split = arguments.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<Variable<T, Device>> first(arguments.begin(), split);
    const std::vector<Variable<T, Device>> grad_outputs(split, arguments.end());
    std::vector<Variable<T, Device>> differentiated;
    for (const auto& input : first) {
      if (input.requires_grad()) differentiated.push_back(input);
    }
    return grad(detail::as_vector(function(first)), differentiated, {.create_graph = true},
                grad_outputs);
  };
  // A function that is linear in its inputs has gradients that do not depend on them at all; the
  // grad_outputs keep the graph connected then.
  return gradcheck(gradients, all, options);
}

}  // namespace sfumato
