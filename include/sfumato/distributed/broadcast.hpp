#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/distributed/communicator.hpp"
#include "sfumato/distributed/same_on_all.hpp"

namespace sfumato::distributed {

/// Gives all ranks the parameters and buffers that a model has on rank 0, so that they begin with
/// the same. Every rank has to call it. Throws as all_reduce() does.
///
///     distributed::broadcast(model);
template <class Model>
void broadcast(Model& model) {
  using T = typename Model::value_type;
  using Device = typename Model::device_type;
  constexpr auto kOp = "broadcast";
  const Communicator& world = Communicator::current(kOp);
  auto values = model.named_parameters();
  for (auto& buffer : model.named_buffers()) values.push_back(std::move(buffer));
  detail::check_same_on_all<T>(world, kOp, values);
  for (auto& [name, value] : values) {
    std::vector<T> numbers = value.value().to_vector();
    const std::size_t most = detail::kMostBytes / sizeof(T);
    for (std::size_t begin = 0; begin < numbers.size(); begin += most) {
      const std::size_t part = std::min(most, numbers.size() - begin);
      world.check(MPI_Bcast(&numbers[begin], static_cast<int>(part * sizeof(T)), MPI_BYTE, 0,
                            world.handle()),
                  kOp);
    }
    if (world.rank() > 0) value.mutable_value() = Tensor<T, Device>::from(numbers, value.shape());
  }
}

}  // namespace sfumato::distributed
