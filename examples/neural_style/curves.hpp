#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace neural_style {

/// The order of "content relu4_4", "style relu1_1", "style conv5_1": the kind, then the depth.
struct ByDepth {
  bool operator()(const std::string& a, const std::string& b) const {
    const auto key = [](const std::string& name) {
      const std::size_t kind = std::min(name.find(' '), name.size());
      const std::size_t depth = std::min(name.find_first_of("0123456789", kind), name.size());
      return std::tuple(name.substr(0, kind), name.substr(depth), name);
    };
    return key(a) < key(b);
  }
};

/// Losses by the iterations through all stages. Of a long run only every second row is kept, then
/// every fourth, and so on: as many as a drawing shows.
struct Curves {
  std::vector<std::int64_t> iterations;
  std::map<std::string, std::vector<double>, ByDepth> losses;  ///< by name, one for each iteration
  std::vector<std::int64_t> stages;                            ///< behind which the next one began

  void add(std::int64_t iteration, const std::map<std::string, double>& row) {
    constexpr std::size_t kMost = 1000;
    if (seen_++ % every_ != 0) return;
    iterations.push_back(iteration);
    for (const auto& [name, loss] : row) {
      losses[name].resize(iterations.size() - 1);  // 0, which is not drawn, before its first
      losses[name].push_back(loss);
    }
    for (auto& [name, values] : losses) values.resize(iterations.size());
    if (iterations.size() < kMost) return;
    every_ *= 2;
    thin(iterations);
    for (auto& [name, values] : losses) thin(values);
  }

 private:
  template <class T>
  static void thin(std::vector<T>& values) {
    for (std::size_t i = 0; 2 * i < values.size(); ++i) values[i] = values[2 * i];
    values.resize((values.size() + 1) / 2);
  }

  std::size_t seen_ = 0;
  std::size_t every_ = 1;
};

}  // namespace neural_style
