#pragma once

// What the typed tests are written in: tensors, variables and layers on the device that the program
// is compiled for, Cpu, or Cuda where SFUMATO_TEST_CUDA is defined. They are written in the
// namespace sfumato::tested, where these names come before the library's own.

#ifdef SFUMATO_TEST_CUDA
#include "sfumato/cuda.hpp"
#endif
#include "sfumato/sfumato.hpp"

namespace sfumato::tested {

#ifdef SFUMATO_TEST_CUDA
using Device = Cuda;
#else
using Device = Cpu;
#endif

/// How many operations a long graph has. What they are swept by is the same for all devices, and
/// the emulated one, which is slow, takes a millisecond for each.
#ifdef SFUMATO_CUDA_EMULATED
inline constexpr int kLongChain = 10000;
inline constexpr bool kSlowDevice = true;
#else
inline constexpr int kLongChain = 100000;
inline constexpr bool kSlowDevice = false;
#endif

/// While it lives, convolutions are sums of products: no algorithm that rounds in other ways or in
/// another way each time, as cuDNN's fastest do.
class PlainSums {
 public:
  PlainSums() { set(true); }
  PlainSums(const PlainSums&) = delete;
  PlainSums& operator=(const PlainSums&) = delete;
  ~PlainSums() { set(false); }

 private:
  static void set([[maybe_unused]] bool plain) {
#ifdef SFUMATO_TEST_CUDA
    cuda::options().deterministic = plain;
#endif
  }
};

template <class T>
using Tensor = sfumato::Tensor<T, Device>;
template <class T>
using HostTensor = sfumato::Tensor<T, Cpu>;
template <class T>
using Variable = sfumato::Variable<T, Device>;
template <class T>
using Backward = sfumato::Backward<T, Device>;
template <class T>
using Gradients = sfumato::Gradients<T, Device>;

namespace nn {
using namespace sfumato::nn;
template <class T>
using Module = sfumato::nn::Module<T, Device>;
template <class T>
using StateDict = sfumato::nn::StateDict<T, Device>;
template <class T>
using Conv2d = sfumato::nn::Conv2d<T, Device>;
template <class T>
using Linear = sfumato::nn::Linear<T, Device>;
template <class T>
using ReLU = sfumato::nn::ReLU<T, Device>;
template <class T>
using MaxPool2d = sfumato::nn::MaxPool2d<T, Device>;
template <class T>
using AvgPool2d = sfumato::nn::AvgPool2d<T, Device>;
template <class T>
using Flatten = sfumato::nn::Flatten<T, Device>;
template <class T>
using Dropout = sfumato::nn::Dropout<T, Device>;
template <class T>
using Sequential = sfumato::nn::Sequential<T, Device>;
template <class T>
using Vgg = sfumato::nn::Vgg<T, Device>;
template <class T>
Tensor<T> kaiming_normal(const Shape& shape, Random& random) {
  return sfumato::nn::kaiming_normal<T, Device>(shape, random);
}
template <class T>
Tensor<T> kaiming_uniform(const Shape& shape, Random& random) {
  return sfumato::nn::kaiming_uniform<T, Device>(shape, random);
}
template <class T>
Tensor<T> xavier_normal(const Shape& shape, Random& random) {
  return sfumato::nn::xavier_normal<T, Device>(shape, random);
}
template <class T>
Tensor<T> xavier_uniform(const Shape& shape, Random& random) {
  return sfumato::nn::xavier_uniform<T, Device>(shape, random);
}
}  // namespace nn

namespace optim {
using namespace sfumato::optim;
template <class T>
using Optimizer = sfumato::optim::Optimizer<T, Device>;
template <class T>
using Adam = sfumato::optim::Adam<T, Device>;
template <class T>
using RMSprop = sfumato::optim::RMSprop<T, Device>;
template <class T>
using SGD = sfumato::optim::SGD<T, Device>;
}  // namespace optim

namespace style {
using namespace sfumato::style;
template <class T>
using Losses = sfumato::style::Losses<T, Device>;
template <class T>
using TransferResult = sfumato::style::TransferResult<T, Device>;
template <class T>
Tensor<T> normalize(const sfumato::Tensor<std::uint8_t>& pixels) {
  return sfumato::style::normalize<T, Device>(pixels);
}
}  // namespace style

}  // namespace sfumato::tested
