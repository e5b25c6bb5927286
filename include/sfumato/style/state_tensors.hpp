#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/optim/number_parts.hpp"
#include "sfumato/style/iteration.hpp"

/// A MinimizerState as tensors by name, as files of weights have them. Numbers are in three parts
/// (optim/number_parts.hpp), a column of the history in a tensor (rows, 3).
namespace sfumato::style {

namespace detail {

inline constexpr std::string_view kOptimizer = "optimizer.";
inline constexpr std::string_view kLosses = "history.losses.";

template <class T>
Tensor<T> to_column(const std::vector<double>& numbers) {
  std::vector<T> parts;
  for (const double number : numbers) {
    for (const T part : optim::detail::to_parts<T, Cpu>(number).to_vector()) parts.push_back(part);
  }
  return Tensor<T>::from(parts, {static_cast<std::int64_t>(numbers.size()), 3});
}

template <class T>
std::vector<double> from_column(const std::string& name, const Tensor<T>& column) {
  std::vector<double> numbers;
  const bool right = column.defined() && column.rank() == 2 && column.shape()[1] == 3;
  const std::vector<T> parts = right ? column.to_vector() : std::vector<T>();
  for (std::size_t i = 0; i < parts.size(); i += 3) {
    double number = 0.0;
    for (std::size_t k = 0; k < 3; ++k) number += static_cast<double>(parts[i + k]);
    if (!std::isfinite(number)) break;
    numbers.push_back(number);
  }
  if (!right || 3 * numbers.size() != parts.size()) {
    throw ValueError(message("state of a run: '", excerpt(name), "' is missing or not right"));
  }
  return numbers;
}

}  // namespace detail

/// All of a run's state as named tensors, such as io::write_safetensors() takes.
template <class T, class Device>
std::map<std::string, Tensor<T>> to_tensors(const MinimizerState<T, Device>& state) {
  std::map<std::string, Tensor<T>> tensors;
  const auto put = [&](const std::string& name, const Tensor<T, Device>& tensor) {
    if (tensor.defined()) tensors.emplace(name, tensor.template to<Cpu>());
  };
  put("pixels", state.pixels);
  put("before", state.before);
  put("best", state.best);
  put("average", state.average.sum);
  for (const auto& [name, tensor] : state.optimizer) {
    put(std::string(detail::kOptimizer) + name, tensor);
  }
  std::vector<double> numbers{static_cast<double>(state.iterations),
                              static_cast<double>(state.average.count), state.reached ? 1.0 : 0.0};
  if (std::isfinite(state.least)) numbers.push_back(state.least);
  tensors.emplace("numbers", detail::to_column<T>(numbers));

  std::map<std::string, std::vector<double>> columns{
      {"history.number", {}}, {"history.total", {}}, {"history.seconds", {}}};
  std::set<std::string> kinds;
  for (const Iteration& row : state.history) {
    for (const auto& [kind, loss] : row.losses) kinds.insert(kind);
  }
  for (const Iteration& row : state.history) {
    columns["history.number"].push_back(static_cast<double>(row.number));
    columns["history.total"].push_back(row.total);
    columns["history.seconds"].push_back(row.seconds);
    for (const std::string& kind : kinds) {  // 0 where a row has none of that kind
      columns[std::string(detail::kLosses) + kind].push_back(row.loss(kind));
    }
  }
  for (const auto& [name, column] : columns) {
    tensors.emplace(name, detail::to_column<T>(column));
  }
  return tensors;
}

/// What to_tensors() was given. Throws ValueError for other tensors; whether pictures and the
/// optimiser's state are those of a run, that run finds out.
template <class T, class Device = Cpu>
MinimizerState<T, Device> state_from(std::map<std::string, Tensor<T>> tensors) {
  MinimizerState<T, Device> state;
  const auto take = [&](const std::string& name) {
    const auto found = tensors.extract(name);
    return found.empty() ? Tensor<T>() : found.mapped();
  };
  const auto whole = [](double number) {
    constexpr double kMost = 0x1p53;
    if (!(number >= 0.0 && number <= kMost && number == std::floor(number))) {
      throw ValueError(message("state of a run: ", number, " is no count"));
    }
    return static_cast<std::int64_t>(number);
  };
  const std::vector<double> numbers = detail::from_column("numbers", take("numbers"));
  if (numbers.size() < 3 || numbers.size() > 4) {
    throw ValueError(message("state of a run: has ", numbers.size(), " numbers, and not 3 or 4"));
  }
  state.iterations = whole(numbers[0]);
  state.average.count = whole(numbers[1]);
  state.reached = numbers[2] != 0.0;
  state.least = numbers.size() == 4 ? numbers[3] : std::numeric_limits<double>::infinity();
  const std::vector<double> number = detail::from_column("history.number", take("history.number"));
  std::map<std::string, std::vector<double>> columns;
  for (const char* const name : {"history.total", "history.seconds"}) {
    columns[name] = detail::from_column(name, take(name));
  }
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(detail::kLosses)) columns[name] = detail::from_column(name, tensor);
  }
  state.history.resize(number.size());
  for (const auto& [name, column] : columns) {
    if (column.size() != number.size()) {
      throw ValueError(message("state of a run: '", excerpt(name), "' has ", column.size(),
                               " rows of ", number.size()));
    }
  }
  for (std::size_t i = 0; i < number.size(); ++i) {
    Iteration& row = state.history[i];
    row.number = whole(number[i]);
    row.total = columns["history.total"][i];
    row.seconds = columns["history.seconds"][i];
    for (const auto& [name, column] : columns) {
      if (name.starts_with(detail::kLosses)) {
        row.losses[name.substr(detail::kLosses.size())] = column[i];
      }
    }
  }
  const auto on_device = [](const Tensor<T>& tensor) {
    return tensor.defined() ? tensor.template to<Device>() : Tensor<T, Device>();
  };
  state.pixels = on_device(take("pixels"));
  state.before = on_device(take("before"));
  state.best = on_device(take("best"));
  state.average.sum = on_device(take("average"));
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(detail::kLosses)) continue;
    if (!name.starts_with(detail::kOptimizer)) {
      throw ValueError(message("state of a run: there is no '", excerpt(name), "'"));
    }
    state.optimizer.emplace(name.substr(detail::kOptimizer.size()), on_device(tensor));
  }
  if (!state.pixels.defined()) throw ValueError("state of a run: has no pixels");
  return state;
}

}  // namespace sfumato::style
