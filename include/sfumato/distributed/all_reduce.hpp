#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/distributed/communicator.hpp"
#include "sfumato/distributed/same_on_all.hpp"

namespace sfumato::distributed {

namespace detail {

/// Makes each of the numbers, as many on every rank, the mean of those that the ranks have in its
/// place: summed in double from rank 0 up, and rounded once. Each rank adds up one part of the
/// numbers and sends the means to all, so that all have the same bits.
///
/// MPI_Allreduce sends no more, but may add in any order: that changes with the number of ranks,
/// with the size of the message and with the version of MPI, and sums of floats with it; and it
/// knows no numbers of 16 bits.
template <class T>
void average(const Communicator& world, std::string_view op, std::vector<T>& numbers,
             std::size_t most_bytes = kMostBytes) {
  const auto ranks = static_cast<std::size_t>(world.size());
  const std::size_t count = numbers.size();
  const std::size_t most = std::max<std::size_t>(most_bytes / sizeof(T) / ranks, 1);
  numbers.resize((count + ranks - 1) / ranks * ranks);
  std::vector<T> received;
  std::vector<T> means;
  for (std::size_t begin = 0; begin < numbers.size(); begin += ranks * most) {
    const std::size_t part = std::min(most, (numbers.size() - begin) / ranks);
    const auto bytes = static_cast<int>(part * sizeof(T));
    received.resize(ranks * part);
    means.resize(part);
    world.check(MPI_Alltoall(&numbers[begin], bytes, MPI_BYTE, received.data(), bytes, MPI_BYTE,
                             world.handle()),
                op);
    for (std::size_t i = 0; i < part; ++i) {
      double sum = 0.0;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        sum += static_cast<double>(received[rank * part + i]);
      }
      means[i] = static_cast<T>(sum / static_cast<double>(ranks));
    }
    world.check(MPI_Allgather(means.data(), bytes, MPI_BYTE, &numbers[begin], bytes, MPI_BYTE,
                              world.handle()),
                op);
  }
  numbers.resize(count);
}

}  // namespace detail

/// Replaces the gradients of a model's parameters by their means over all ranks, between
/// backward() and the optimiser's step: then ranks that began with the same weights, by
/// broadcast(), stay the same to the bit. Where each rank's loss is the mean over a part of the
/// batch, and the parts are equal, that is the gradient of the whole batch, as with PyTorch's
/// DistributedDataParallel; layers that look at a batch as a whole, as BatchNorm2d, see their
/// rank's part.
///
/// Sums are taken in double, in the order of the ranks, and rounded once, also those of 16 bits: a
/// run is repeated to the bit by as many ranks, wherever they are. A parameter that has a gradient
/// on some ranks counts as 0 on the others; without any, it stays without. Takes memory for three
/// copies of the gradients at most, on the processor, whatever the device. Gradients are new
/// tensors then: a backward pass around it must not be repeated as captured. Every rank has to call
/// it, on a GPU that it has chosen (cuda::select_device). Throws ShapeError where models differ,
/// GraphError without a Communicator, ResourceError for what goes wrong in MPI.
///
///     loss.backward();
///     distributed::all_reduce(model);
///     optimizer.step();
template <class Model>
void all_reduce(Model& model) {
  using T = typename Model::value_type;
  using Device = typename Model::device_type;
  constexpr auto kOp = "all_reduce";
  const Communicator& world = Communicator::current(kOp);
  auto parameters = model.named_parameters();
  detail::check_same_on_all<T>(world, kOp, parameters);
  std::vector<unsigned char> any;  // whether a rank has a gradient, for each parameter
  for (const auto& [name, parameter] : parameters) any.push_back(parameter.grad().defined());
  world.check(MPI_Allreduce(MPI_IN_PLACE, any.data(), static_cast<int>(any.size()),
                            MPI_UNSIGNED_CHAR, MPI_MAX, world.handle()),
              kOp);
  std::vector<T> numbers;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (any[i] == 0) continue;
    const Variable<T, Device> gradient = parameters[i].second.grad();
    const std::vector<T> own =
        gradient.defined() ? gradient.value().to_vector()
                           : std::vector<T>(static_cast<std::size_t>(parameters[i].second.numel()));
    numbers.insert(numbers.end(), own.begin(), own.end());
  }
  detail::average(world, kOp, numbers);
  const T* next = numbers.data();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (any[i] == 0) continue;
    auto& parameter = parameters[i].second;
    const auto count = static_cast<std::size_t>(parameter.numel());
    parameter.set_grad(Variable<T, Device>(
        Tensor<T, Device>::from(std::span<const T>(next, count), parameter.shape())));
    next += count;
  }
}

}  // namespace sfumato::distributed
