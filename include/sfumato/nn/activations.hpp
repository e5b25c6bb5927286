#pragma once

#include "sfumato/nn/module.hpp"
#include "sfumato/ops/activation.hpp"
#include "sfumato/ops/softmax.hpp"

/// Ops without parameters as layers, for a Sequential.
namespace sfumato::nn {

namespace detail {
/// A function of the input.
template <class T, class Device, Variable<T, Device> (*function)(const Variable<T, Device>&)>
class Function : public Module<T, Device> {
 public:
  Variable<T, Device> forward(const Variable<T, Device>& x) override { return function(x); }
};
/// A function of the input and a number.
template <class T, class Device, class Number,
          Variable<T, Device> (*function)(const Variable<T, Device>&, Number)>
class NumberFunction : public Module<T, Device> {
 public:
  explicit NumberFunction(Number number) : number_(number) {}
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return function(x, number_);
  }

 private:
  Number number_;
};
}  // namespace detail

/// x.
template <class T = float, class Device = Cpu>
class Identity : public Module<T, Device> {
 public:
  Variable<T, Device> forward(const Variable<T, Device>& x) override { return x; }
};

template <class T = float, class Device = Cpu>
class Sigmoid : public detail::Function<T, Device, ops::sigmoid<T, Device>> {};
template <class T = float, class Device = Cpu>
class Tanh : public detail::Function<T, Device, ops::tanh<T, Device>> {};
template <class T = float, class Device = Cpu>
class SiLU : public detail::Function<T, Device, ops::silu<T, Device>> {};

/// ops::gelu.
template <class T = float, class Device = Cpu>
class GELU : public detail::NumberFunction<T, Device, bool, ops::gelu<T, Device>> {
 public:
  explicit GELU(bool approximate = false) : GELU::NumberFunction(approximate) {}
};

/// ops::leaky_relu.
template <class T = float, class Device = Cpu>
class LeakyReLU : public detail::NumberFunction<T, Device, T, ops::leaky_relu<T, Device>> {
 public:
  explicit LeakyReLU(double slope = 0.01) : LeakyReLU::NumberFunction(static_cast<T>(slope)) {}
};

/// ops::elu.
template <class T = float, class Device = Cpu>
class ELU : public detail::NumberFunction<T, Device, double, ops::elu<T, Device>> {
 public:
  explicit ELU(double alpha = 1.0) : ELU::NumberFunction(alpha) {}
};

/// ops::softplus.
template <class T = float, class Device = Cpu>
class Softplus : public detail::NumberFunction<T, Device, double, ops::softplus<T, Device>> {
 public:
  explicit Softplus(double beta = 1.0) : Softplus::NumberFunction(beta) {}
};

/// ops::softmax.
template <class T = float, class Device = Cpu>
class Softmax : public detail::NumberFunction<T, Device, int, ops::softmax<T, Device>> {
 public:
  explicit Softmax(int axis = -1) : Softmax::NumberFunction(axis) {}
};

/// ops::log_softmax.
template <class T = float, class Device = Cpu>
class LogSoftmax : public detail::NumberFunction<T, Device, int, ops::log_softmax<T, Device>> {
 public:
  explicit LogSoftmax(int axis = -1) : LogSoftmax::NumberFunction(axis) {}
};

}  // namespace sfumato::nn
