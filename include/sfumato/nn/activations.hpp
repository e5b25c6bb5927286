#pragma once

#include "sfumato/nn/function.hpp"
#include "sfumato/nn/module.hpp"
#include "sfumato/ops/activation.hpp"
#include "sfumato/ops/softmax.hpp"

/// Ops without parameters as layers, for a Sequential.
namespace sfumato::nn {

/// x.
template <class T = float, class Device = Cpu>
class Identity : public Module<T, Device> {
 public:
  Variable<T, Device> forward(const Variable<T, Device>& x) override { return x; }
};

/// ops::sigmoid.
template <class T = float, class Device = Cpu>
class Sigmoid : public detail::Function<T, Device, ops::sigmoid<T, Device>> {};
/// ops::tanh.
template <class T = float, class Device = Cpu>
class Tanh : public detail::Function<T, Device, ops::tanh<T, Device>> {};
/// ops::silu.
template <class T = float, class Device = Cpu>
class SiLU : public detail::Function<T, Device, ops::silu<T, Device>> {};

/// ops::gelu.
template <class T = float, class Device = Cpu>
class GELU : public detail::FunctionOf<T, Device, bool, ops::gelu<T, Device>> {
 public:
  explicit GELU(bool approximate = false) : GELU::FunctionOf(approximate) {}
};

/// ops::leaky_relu.
template <class T = float, class Device = Cpu>
class LeakyReLU : public detail::FunctionOf<T, Device, double, ops::leaky_relu<T, Device>> {
 public:
  explicit LeakyReLU(double slope = 0.01) : LeakyReLU::FunctionOf(slope) {}
};

/// ops::elu.
template <class T = float, class Device = Cpu>
class ELU : public detail::FunctionOf<T, Device, double, ops::elu<T, Device>> {
 public:
  explicit ELU(double alpha = 1.0) : ELU::FunctionOf(alpha) {}
};

/// ops::softplus.
template <class T = float, class Device = Cpu>
class Softplus : public detail::FunctionOf<T, Device, double, ops::softplus<T, Device>> {
 public:
  explicit Softplus(double beta = 1.0) : Softplus::FunctionOf(beta) {}
};

/// ops::softmax.
template <class T = float, class Device = Cpu>
class Softmax : public detail::FunctionOf<T, Device, int, ops::softmax<T, Device>> {
 public:
  explicit Softmax(int axis = -1) : Softmax::FunctionOf(axis) {}
};

/// ops::log_softmax.
template <class T = float, class Device = Cpu>
class LogSoftmax : public detail::FunctionOf<T, Device, int, ops::log_softmax<T, Device>> {
 public:
  explicit LogSoftmax(int axis = -1) : LogSoftmax::FunctionOf(axis) {}
};

}  // namespace sfumato::nn
