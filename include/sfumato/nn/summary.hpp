#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/nn/module.hpp"

namespace sfumato::nn {

/// What a module consists of, a line for each parameter and buffer: its name, shape and number of
/// elements, and at last how many there are to train.
///
///     std::puts(nn::summary(model).c_str());
template <class T, class Device>
std::string summary(const Module<T, Device>& module) {
  struct Line {
    std::string name;
    std::string shape;
    std::string note;
  };
  std::vector<Line> lines;
  std::int64_t trained = 0;
  std::int64_t others = 0;
  const auto add = [&](const auto& named, const char* kind) {
    for (const auto& [name, value] : named) {
      const bool trains = value.requires_grad();
      (trains ? trained : others) += value.numel();
      lines.push_back(
          {name, value.shape().to_string(), message(value.numel(), trains ? "" : kind)});
    }
  };
  add(module.named_parameters(), ", frozen");
  add(module.named_buffers(), ", buffer");
  std::size_t name_width = 0;
  std::size_t shape_width = 0;
  for (const Line& line : lines) {
    name_width = std::max(name_width, line.name.size());
    shape_width = std::max(shape_width, line.shape.size());
  }
  std::string text;
  for (const Line& line : lines) {
    text += line.name + std::string(name_width - line.name.size() + 2, ' ') + line.shape +
            std::string(shape_width - line.shape.size() + 2, ' ') + line.note + "\n";
  }
  return text + message(trained, " to train, ", others, " not");
}

}  // namespace sfumato::nn
