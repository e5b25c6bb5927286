// A consumer's first program on a GPU, in plain C++: the kernels come from sfumato::cuda.
#include <sfumato/cuda.hpp>
#include <sfumato/sfumato.hpp>

int main() {
  if (sfumato::cuda::device_count() == 0) return 0;
  using Tensor = sfumato::Tensor<double, sfumato::Cuda>;
  sfumato::Variable<double, sfumato::Cuda> x(Tensor::from({1, 2, 3}, {3}), true);
  sfumato::backward(sfumato::ops::sum(x * x));
  return x.grad().value().at({2}) == 6.0 ? 0 : 1;
}
