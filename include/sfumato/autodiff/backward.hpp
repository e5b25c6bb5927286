#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sfumato/autodiff/anomaly.hpp"
#include "sfumato/autodiff/any_variable.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/node.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"

/// Reverse-mode differentiation: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 3.
namespace sfumato {

/// How a backward pass treats the graph.
struct BackwardOptions {
  /// Record the pass itself, so that the gradients can be differentiated again.
  bool create_graph = false;
  /// Keep what the graph saved, so that another pass can go through it; create_graph does so too.
  bool retain_graph = false;
};

namespace detail {

/// All nodes behind `ends`, by creation number: inputs come before what was made from them. Those
/// for which `is_end(node)` is true are found, but nothing behind them.
template <class IsEnd>
std::map<std::uint64_t, std::shared_ptr<Node>> nodes_behind(
    std::vector<std::shared_ptr<Node>> waiting, const IsEnd& is_end) {
  std::map<std::uint64_t, std::shared_ptr<Node>> found;
  while (!waiting.empty()) {
    const auto node = std::move(waiting.back());
    waiting.pop_back();
    if (node == nullptr || !found.emplace(node->number(), node).second || is_end(*node)) continue;
    waiting.insert(waiting.end(), node->inputs().begin(), node->inputs().end());
  }
  return found;
}

template <class T, class Device>
std::vector<std::shared_ptr<Node>> nodes_of(const std::vector<Variable<T, Device>>& variables) {
  std::vector<std::shared_ptr<Node>> nodes;
  for (const auto& variable : variables) nodes.push_back(variable.node());
  return nodes;
}

/// Calls the gradient function of a node and checks what it returns.
inline std::vector<AnyVariable> input_gradients(const std::shared_ptr<Node>& node,
                                                const AnyVariable& gradient,
                                                const std::vector<bool>& needs) {
  const auto gradients = [&] {
    const GradientScope scope(node->name(), node->versions());
    return node->gradient()(node, gradient, needs);
  }();
  if (gradients.size() != needs.size()) {
    throw GraphError(message(node->name(), ": its gradient function gave ", gradients.size(),
                             " gradients for ", needs.size(), " inputs"));
  }
  for (std::size_t i = 0; i < needs.size(); ++i) {
    if (!needs[i]) continue;
    const Node& input = *node->inputs()[i];
    if (!gradients[i].defined() || gradients[i].shape() != input.shape()) {
      throw GraphError(
          message(node->name(), ": its gradient function gave ",
                  gradients[i].defined() ? gradients[i].shape().to_string() : "nothing",
                  " for input ", i, ", which has the shape ", input.shape()));
    }
    if (!(gradients[i].type() == input.type())) {
      throw GraphError(message(node->name(),
                               ": its gradient function gave another element type "
                               "or device for input ",
                               i, "; see ops::cast and ops::to"));
    }
  }
  if (detects_anomaly()) check_gradients(*node, gradient, gradients, needs);
  return gradients;
}

/// A result to start from and the gradient that its pass begins with.
struct Start {
  std::shared_ptr<Node> node;  ///< null for a constant
  AnyVariable gradient;
};

/// The backward pass. Walks from the results to the leaves, each node once, after all that was made
/// from it, and calls `visit(node, gradient)` with each node's complete gradient, which it may
/// replace; where that returns false, it does not go on. `is_wanted` says which nodes are worth
/// going to.
template <class IsWanted, class Visit>
void backward_pass(const std::vector<Start>& starts, const BackwardOptions& options,
                   const IsWanted& is_wanted, const Visit& visit) {
  const GradMode mode(options.create_graph);
  std::map<std::uint64_t, Start, std::greater<>> pending;
  const auto contribute = [&](const std::shared_ptr<Node>& node, const AnyVariable& gradient) {
    const auto [entry, is_first] = pending.try_emplace(node->number(), Start{node, gradient});
    if (!is_first) entry->second.gradient.add(gradient);
  };
  for (const auto& [node, gradient] : starts) {
    if (node != nullptr) contribute(node, gradient);
  }

  while (!pending.empty()) {
    Start current = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    Node& node = *current.node;
    if (!visit(current.node, current.gradient) || node.is_leaf()) continue;
    if (node.gradient() == nullptr) {
      throw GraphError(message("backward: the graph behind ", node.name(), " ", node.description(),
                               " was freed by an earlier pass; give that retain_graph"));
    }
    std::vector<bool> needs;
    for (const auto& input : node.inputs()) needs.push_back(input != nullptr && is_wanted(*input));
    // Nothing is wanted from behind this node, so what it saved stays for another pass.
    if (std::find(needs.begin(), needs.end(), true) == needs.end()) continue;
    const auto gradients = input_gradients(current.node, current.gradient, needs);
    for (std::size_t i = 0; i < needs.size(); ++i) {
      if (needs[i]) contribute(node.inputs()[i], gradients[i]);
    }
    if (!options.retain_graph && !options.create_graph) node.release();
  }
}

/// The gradients of the results with respect to `nodes`, undefined where none arrives. When `cut`,
/// each of them is taken for a leaf: what goes through it to another one does not count.
inline std::vector<AnyVariable> gradients_at(const std::vector<std::shared_ptr<Node>>& nodes,
                                             const std::vector<Start>& starts,
                                             const BackwardOptions& options, bool cut) {
  std::map<const Node*, std::vector<std::size_t>> positions;
  std::unordered_set<const Node*> wanted;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] != nullptr) positions[nodes[i].get()].push_back(i);
    if (nodes[i] != nullptr) wanted.insert(nodes[i].get());
  }
  std::vector<std::shared_ptr<Node>> ends;
  for (const Start& start : starts) ends.push_back(start.node);
  const auto is_end = [&](const Node& node) { return cut && positions.contains(&node); };
  for (const auto& [number, node] : nodes_behind(std::move(ends), is_end)) {
    // What a freed node was made from is forgotten. It may have been an input, so the pass must go
    // there and complain instead of giving zeros.
    if (!node->is_leaf() && node->gradient() == nullptr) wanted.insert(node.get());
    for (const auto& input : node->inputs()) {
      if (wanted.contains(input.get())) wanted.insert(node.get());
    }
  }
  std::vector<AnyVariable> found(nodes.size());
  backward_pass(
      starts, options, [&](const Node& node) { return wanted.contains(&node); },
      [&](const std::shared_ptr<Node>& node, AnyVariable& gradient) {
        const auto position = positions.find(node.get());
        // Where it is cut, the pass that it is a part of goes on.
        if (!cut || position == positions.end()) node->call_hooks(gradient);
        if (position == positions.end()) return true;
        for (const std::size_t i : position->second) found[i] = gradient;
        return !cut;
      });
  return found;
}

/// Checks the gradients that a pass is to begin with, or makes the one that a scalar result does
/// not need.
template <class T, class Device>
std::vector<Start> starts_of(const char* op, const std::vector<Variable<T, Device>>& results,
                             const std::vector<Variable<T, Device>>& grad_outputs) {
  if (!grad_outputs.empty() && grad_outputs.size() != results.size()) {
    throw GraphError(
        message(op, ": ", grad_outputs.size(), " grad_outputs for ", results.size(), " results"));
  }
  std::vector<Start> starts;
  bool depends = false;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].defined()) throw GraphError(message(op, ": result ", i, " is undefined"));
    depends = depends || results[i].requires_grad();
    Variable<T, Device> gradient;
    if (grad_outputs.empty()) {
      if (results[i].numel() != 1) {
        throw GraphError(message(op, ": the result ", results[i].shape(),
                                 " is not a scalar; reduce it, for example with ops::sum, or pass "
                                 "grad_outputs of its shape"));
      }
      gradient = Variable<T, Device>(Tensor<T, Device>::ones(results[i].shape()));
    } else if (!grad_outputs[i].defined()) {
      throw GraphError(message(op, ": grad_outputs ", i, " is undefined"));
    } else if (grad_outputs[i].shape() != results[i].shape()) {
      throw GraphError(message(op, ": grad_outputs ", grad_outputs[i].shape(),
                               " does not fit the result ", results[i].shape()));
    } else {
      gradient = grad_outputs[i];
    }
    starts.push_back({results[i].requires_grad() ? results[i].node() : nullptr, gradient});
  }
  if (!depends) {
    throw GraphError(
        message(op, ": the result does not depend on anything that requires a gradient"));
  }
  return starts;
}

}  // namespace detail

/// Adds ∂result/∂leaf to the grad() of every leaf that requires a gradient, of whatever element
/// type and device. The result is a scalar, unless `grad_output` (of its shape) says with what its
/// gradient begins.
///
/// Frees the graph as it passes unless `options` keep it. With create_graph, a leaf's grad() refers
/// to the graph that refers to the leaf: zero_grad() breaks that cycle, or use grad() instead.
/// Throws GraphError when there is nothing to differentiate, when the graph has been freed, or when
/// a value that it needs has been changed in place. If the pass fails, every grad() is as it was
/// before. Several threads may do this at a time, each with a graph of its own, for
/// leaves that they share; see docs/autodiff.md.
template <class T, class Device>
void backward(const Variable<T, Device>& result, const BackwardOptions& options = {},
              const std::type_identity_t<Variable<T, Device>>& grad_output = {}) {
  std::vector<detail::Start> reached;
  std::vector<Variable<T, Device>> grad_outputs;
  if (grad_output.defined()) grad_outputs.push_back(grad_output);
  detail::backward_pass(
      detail::starts_of("backward", std::vector{result}, grad_outputs), options,
      [](const Node&) { return true; },
      [&](const std::shared_ptr<Node>& node, AnyVariable& gradient) {
        node->call_hooks(gradient);
        if (node->is_leaf() && node->requires_grad()) reached.push_back({node, gradient});
        return true;
      });
  const GradMode mode(options.create_graph);
  for (auto& [leaf, gradient] : reached) gradient = gradient.own();
  if (detail::detects_anomaly()) {  // in the sums, too, before any of them is kept
    for (const auto& [leaf, gradient] : reached) {
      AnyVariable sum = leaf->grad();
      if (sum.defined()) sum.add(gradient);
    }
  }
  for (auto& [leaf, gradient] : reached) leaf->add_to_grad(std::move(gradient));
}

template <class T, class Device>
void Variable<T, Device>::backward() const {
  sfumato::backward(*this);
}
template <class T, class Device>
void Variable<T, Device>::backward(const BackwardOptions& options) const {
  sfumato::backward(*this, options);
}

/// The gradients of the results (summed when there are several) with respect to each of `inputs`,
/// which may be leaves or computed, of another element type or device; zeros where a result does
/// not depend on an input. Each is in memory of its own. Leaves keep their grad(). Parts of the
/// graph that lead to none of the inputs are not computed. Throws GraphError as backward() does.
///
///     auto slope = grad({y}, {x}, {.create_graph = true})[0];
///     auto curvature = grad({ops::sum(slope)}, {x})[0];
template <class R, class ResultDevice, class T = R, class Device = ResultDevice>
std::vector<Variable<T, Device>> grad(
    const std::vector<Variable<R, ResultDevice>>& results,
    const std::vector<Variable<T, Device>>& inputs, const BackwardOptions& options = {},
    const std::vector<Variable<R, ResultDevice>>& grad_outputs = {}) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].requires_grad()) continue;
    throw GraphError(
        message("grad: input ", i, " ",
                inputs[i].defined() ? inputs[i].shape().to_string() : "is undefined and",
                " does not require a gradient"));
  }
  const auto found = detail::gradients_at(
      detail::nodes_of(inputs), detail::starts_of("grad", results, grad_outputs), options, false);
  const GradMode mode(options.create_graph);
  std::vector<Variable<T, Device>> gradients;
  for (std::size_t i = 0; i < found.size(); ++i) {
    gradients.push_back(found[i].defined()
                            ? detail::own(*found[i].template get<T, Device>())
                            : Variable(Tensor<T, Device>::zeros(inputs[i].node()->shape())));
  }
  return gradients;
}

template <class R, class ResultDevice, class T, class Device>
std::vector<Variable<T, Device>> grad(
    std::initializer_list<Variable<R, ResultDevice>> results,
    const std::vector<Variable<T, Device>>& inputs, const BackwardOptions& options = {},
    const std::vector<Variable<R, ResultDevice>>& grad_outputs = {}) {
  return grad(std::vector<Variable<R, ResultDevice>>(results), inputs, options, grad_outputs);
}

template <class R, class ResultDevice, class T, class Device>
std::vector<Variable<T, Device>> grad(std::initializer_list<Variable<R, ResultDevice>> results,
                                      std::initializer_list<Variable<T, Device>> inputs,
                                      const BackwardOptions& options = {}) {
  return grad(std::vector<Variable<R, ResultDevice>>(results),
              std::vector<Variable<T, Device>>(inputs), options);
}

}  // namespace sfumato
