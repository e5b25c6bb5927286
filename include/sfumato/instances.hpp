#pragma once

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/losses/losses.hpp"
#include "sfumato/nn/nn.hpp"
#include "sfumato/ops/ops.hpp"
#include "sfumato/optim/optim.hpp"

// What most programs use of float on the Cpu: declared where Extern is `extern`, so that a program
// with sfumato::kernels need not compile it, and compiled where it is nothing.

#define SFUMATO_INSTANCE(Extern, op, ...) Extern template Variable<float> op(__VA_ARGS__);
#define SFUMATO_UNARY(Extern, op) SFUMATO_INSTANCE(Extern, op, const Variable<float>&)
#define SFUMATO_BINARY(Extern, op) \
  SFUMATO_INSTANCE(Extern, op, const Variable<float>&, const Variable<float>&)
#define SFUMATO_REDUCTION(Extern, op) \
  SFUMATO_INSTANCE(Extern, op, const Variable<float>&, const Axes&, bool)

#define SFUMATO_INSTANCES(Extern)                                                                 \
  SFUMATO_UNARY(Extern, ops::exp)                                                                 \
  SFUMATO_UNARY(Extern, ops::log)                                                                 \
  SFUMATO_UNARY(Extern, ops::sqrt)                                                                \
  SFUMATO_UNARY(Extern, ops::square)                                                              \
  SFUMATO_UNARY(Extern, ops::abs)                                                                 \
  SFUMATO_UNARY(Extern, ops::neg)                                                                 \
  SFUMATO_UNARY(Extern, ops::relu)                                                                \
  SFUMATO_UNARY(Extern, ops::tanh)                                                                \
  SFUMATO_UNARY(Extern, ops::sigmoid)                                                             \
  SFUMATO_BINARY(Extern, ops::add)                                                                \
  SFUMATO_BINARY(Extern, ops::sub)                                                                \
  SFUMATO_BINARY(Extern, ops::mul)                                                                \
  SFUMATO_BINARY(Extern, ops::div)                                                                \
  SFUMATO_REDUCTION(Extern, ops::sum)                                                             \
  SFUMATO_REDUCTION(Extern, ops::mean)                                                            \
  SFUMATO_REDUCTION(Extern, ops::max)                                                             \
  SFUMATO_REDUCTION(Extern, ops::min)                                                             \
  SFUMATO_INSTANCE(Extern, ops::affine, const Variable<float>&, float, float)                     \
  SFUMATO_INSTANCE(Extern, ops::scale, const Variable<float>&, float)                             \
  SFUMATO_INSTANCE(Extern, ops::div, const Variable<float>&, float)                               \
  SFUMATO_INSTANCE(Extern, ops::sum_to, const Variable<float>&, const Shape&)                     \
  SFUMATO_INSTANCE(Extern, ops::broadcast_to, const Variable<float>&, const Shape&)               \
  SFUMATO_INSTANCE(Extern, ops::reshape, const Variable<float>&, const Shape&)                    \
  SFUMATO_INSTANCE(Extern, ops::permute, const Variable<float>&, const Axes&)                     \
  SFUMATO_INSTANCE(Extern, ops::matmul, const Variable<float>&, const Variable<float>&,           \
                   const ops::MatmulOptions&)                                                     \
  SFUMATO_INSTANCE(Extern, ops::conv2d, const Variable<float>&, const Variable<float>&,           \
                   const Variable<float>&, const ops::Conv2dOptions&)                             \
  SFUMATO_INSTANCE(Extern, ops::conv2d_relu, const Variable<float>&, const Variable<float>&,      \
                   const Variable<float>&, const ops::Conv2dOptions&)                             \
  SFUMATO_INSTANCE(Extern, ops::max_pool2d, const Variable<float>&, const ops::MaxPool2dOptions&) \
  SFUMATO_INSTANCE(Extern, ops::avg_pool2d, const Variable<float>&, const ops::AvgPool2dOptions&) \
  SFUMATO_INSTANCE(Extern, ops::softmax, const Variable<float>&, int)                             \
  SFUMATO_INSTANCE(Extern, ops::log_softmax, const Variable<float>&, int)                         \
  SFUMATO_INSTANCE(Extern, ops::where, const Tensor<std::uint8_t>&, const Variable<float>&,       \
                   const Variable<float>&)                                                        \
  SFUMATO_INSTANCE(Extern, losses::cross_entropy, const Variable<float>&,                         \
                   const Tensor<std::int64_t>&, const losses::CrossEntropyOptions&)               \
  SFUMATO_BINARY(Extern, losses::mse_loss)                                                        \
  Extern template void backward(const Variable<float>&, const BackwardOptions&,                   \
                                const Variable<float>&);                                          \
  SFUMATO_UNARY(Extern, detail::own)                                                              \
  SFUMATO_BINARY(Extern, detail::add_gradients)                                                   \
  Extern template std::string detail::find_anomaly(const Tensor<float>&);                         \
  Extern template void detail::check_result(const char*, const Tensor<float>&,                    \
                                            const std::vector<Variable<float>>&);                 \
  Extern template detail::Inputs::Inputs(const char*, const std::vector<Variable<float>>&);       \
  Extern template const VariableType& variable_type<float, Cpu>();                                \
  Extern template class Pool<Cpu>;                                                                \
  Extern template class Tensor<float>;                                                            \
  Extern template class Tensor<std::int64_t>;                                                     \
  Extern template class Tensor<std::uint8_t>;                                                     \
  Extern template class Variable<float>;                                                          \
  Extern template class nn::Module<float>;                                                        \
  Extern template class nn::ModuleList<float>;                                                    \
  Extern template class nn::Sequential<float>;                                                    \
  Extern template class nn::Linear<float>;                                                        \
  Extern template class nn::Conv2d<float>;                                                        \
  Extern template class nn::ReLU<float>;                                                          \
  Extern template class nn::MaxPool2d<float>;                                                     \
  Extern template class nn::Flatten<float>;                                                       \
  Extern template class nn::BatchNorm2d<float>;                                                   \
  Extern template class optim::Optimizer<float>;                                                  \
  Extern template class optim::SGD<float>;                                                        \
  Extern template class optim::Adam<float>;

#ifdef SFUMATO_COMPILED_KERNELS
namespace sfumato {
SFUMATO_INSTANCES(extern)
}
#endif
