#pragma once

#include <string>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/variable.hpp"

namespace sfumato {

/// The graph behind a result in the language of Graphviz: a node for every recorded operation and
/// every leaf that requires a gradient, with its name, that which it was given and shape, arrows
/// from inputs to results.
///
///     std::fputs(to_graphviz(loss).c_str(), file);   // then: dot -Tsvg graph.dot -o graph.svg
template <class T, class Device>
std::string to_graphviz(const Variable<T, Device>& result) {
  std::string text = "digraph sfumato {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  for (const auto& [number, node] :
       detail::nodes_behind({result.node()}, [](const Node&) { return false; })) {
    std::string quoted;
    for (const char character : node->description()) {
      if (character == '"' || character == '\\') quoted += '\\';
      quoted += character;
    }
    text += message("  n", number, " [label=\"", node->name(), "\\n", quoted,
                    "\", shape=", node->is_leaf() ? "ellipse" : "box", "];\n");
    for (const auto& input : node->inputs()) {
      if (input != nullptr) text += message("  n", input->number(), " -> n", number, ";\n");
    }
  }
  return text + "}\n";
}

}  // namespace sfumato
