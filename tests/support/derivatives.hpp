#pragma once

// Derivatives of both orders against central differences.

#include <doctest/doctest.h>

#include <vector>

#include "device.hpp"

namespace sfumato::tested {

template <class Function>
void check_derivatives(const Function& function, const std::vector<Variable<double>>& inputs) {
  const auto first = gradcheck(function, inputs);
  CHECK_MESSAGE(first.passed, "first derivative: ", first.report);
  const auto second = gradgradcheck(function, inputs);
  CHECK_MESSAGE(second.passed, "second derivative: ", second.report);
}

}  // namespace sfumato::tested
