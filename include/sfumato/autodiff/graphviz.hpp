#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/variable.hpp"

namespace sfumato {

namespace detail {

/// The first numbers of a tensor, to four digits.
template <class T, class Device>
std::string brief(const Tensor<T, Device>& x) {
  constexpr std::size_t kMost = 4;
  std::string text;
  const std::vector<T> values = x.to_vector();
  for (std::size_t i = 0; i < values.size() && i < kMost; ++i) {
    std::array<char, 32> number{};
    const auto end = std::to_chars(number.data(), number.data() + number.size(),
                                   static_cast<double>(values[i]), std::chars_format::general, 4);
    text += (i == 0 ? "" : ", ") + std::string(number.data(), end.ptr);
  }
  return text + (values.size() > kMost ? ", …" : "");
}

/// For Graphviz, between quotation marks.
inline std::string quoted(const std::string& text) {
  std::string result;
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    result += character;
  }
  return result;
}

/// ∂(Σ result)/∂ each node behind it, by the nodes' numbers; the graph stays.
template <class T, class Device>
std::map<std::uint64_t, AnyVariable> gradients_of_all(const Variable<T, Device>& result) {
  std::map<std::uint64_t, AnyVariable> gradients;
  const Variable<T, Device> ones(Tensor<T, Device>::ones(result.shape("to_graphviz")));
  backward_pass(
      starts_of("to_graphviz", std::vector{result}, {ones}), {.retain_graph = true},
      [](const Node&) { return true; },
      [&](const std::shared_ptr<Node>& node, const AnyVariable& gradient) {
        gradients[node->number()] = gradient;
        return true;
      });
  return gradients;
}

}  // namespace detail

/// The graph behind a result in the language of Graphviz: a node for every recorded operation and
/// every leaf that requires a gradient, with its name, that which it was given and shape, arrows
/// from inputs to results. A graph does not keep values: those to `show` have theirs ("="), and
/// then all nodes have the gradients of the result, or of its sum ("∂"), for which the graph stays.
/// Throws GraphError where there is nothing to differentiate, or the graph has been freed.
///
///     std::fputs(to_graphviz(loss).c_str(), file);   // then: dot -Tsvg graph.dot -o graph.svg
///     to_graphviz(loss, {x, hidden, loss});
template <class T, class Device>
std::string to_graphviz(const Variable<T, Device>& result,
                        const std::vector<Variable<T, Device>>& show = {}) {
  std::map<std::uint64_t, std::string> values;
  std::map<std::uint64_t, std::string> gradients;
  for (const Variable<T, Device>& each : show) {
    if (each.node() != nullptr) values[each.node()->number()] = detail::brief(each.value());
  }
  if (!show.empty()) {
    for (const auto& [number, gradient] : detail::gradients_of_all(result)) {
      const auto* const known = gradient.template get<T, Device>();
      if (known != nullptr) gradients[number] = detail::brief(known->value());
    }
  }
  const auto line = [](const auto& texts, std::uint64_t number, const char* sign) {
    const auto found = texts.find(number);
    return found == texts.end() ? std::string() : message("\\n", sign, " ", found->second);
  };
  std::string text = "digraph sfumato {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  for (const auto& [number, node] :
       detail::nodes_behind({result.node()}, [](const Node&) { return false; })) {
    text += message("  n", number, " [label=\"", node->name(), "\\n",
                    detail::quoted(node->description()), line(values, number, "="),
                    line(gradients, number, "∂"), "\", shape=", node->is_leaf() ? "ellipse" : "box",
                    "];\n");
    for (const auto& input : node->inputs()) {
      if (input != nullptr) text += message("  n", input->number(), " -> n", number, ";\n");
    }
  }
  return text + "}\n";
}

}  // namespace sfumato
