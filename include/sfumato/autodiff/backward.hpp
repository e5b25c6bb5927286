#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"

/// Reverse-mode differentiation: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 3.
namespace sfumato {

/// How a graph is swept.
struct BackwardOptions {
  /// Record the sweep itself, so that the gradients can be differentiated again.
  bool create_graph = false;
  /// Keep what the graph saved, so that it can be swept again; create_graph does so too.
  bool retain_graph = false;
};

namespace detail {

struct Plus {
  template <class T>
  SFUMATO_HOST_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

/// sum = a + b, all of one shape; `sum` may be one of the others.
template <class T, class Device>
void add_into(Tensor<T, Device>& sum, const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  const Strides strides = row_major_strides(sum.shape());
  Device::map(Plus{}, sum.shape(), Strided<T>{sum.data(), strides},
              Strided<const T>{a.data(), strides}, Strided<const T>{b.data(), strides});
}

/// a + b for two gradients of the same value.
template <class T, class Device>
Variable<T, Device> add_gradients(const Variable<T, Device>& a, const Variable<T, Device>& b) {
  auto sum = Tensor<T, Device>::empty(a.shape());
  add_into(sum, a.value(), b.value());
  return record("add_gradients", std::move(sum), {a, b}, [](const Backward<T, Device>& at) {
    return Gradients<T, Device>{at.gradient(), at.gradient()};
  });
}

/// sum += gradient; in place where nobody can notice.
template <class T, class Device>
void accumulate(Variable<T, Device>& sum, const Variable<T, Device>& gradient) {
  if (grad_enabled() || sum.requires_grad() || !sum.value().owns_alone()) {
    sum = add_gradients(sum, gradient);
  } else {
    auto place = sum.mutable_value();
    add_into<T, Device>(place, sum.value(), gradient.value());
  }
}

/// All nodes behind the results, by creation number: inputs come before what was made from them.
/// Those for which `is_end(node)` is true are found, but nothing behind them.
template <class T, class Device, class IsEnd>
std::map<std::uint64_t, std::shared_ptr<Node<T, Device>>> nodes_behind(
    const std::vector<Variable<T, Device>>& results, const IsEnd& is_end) {
  std::map<std::uint64_t, std::shared_ptr<Node<T, Device>>> found;
  std::vector<std::shared_ptr<Node<T, Device>>> waiting;
  for (const auto& result : results) waiting.push_back(result.node());
  while (!waiting.empty()) {
    const auto node = std::move(waiting.back());
    waiting.pop_back();
    if (node == nullptr || !found.emplace(node->number(), node).second || is_end(*node)) continue;
    waiting.insert(waiting.end(), node->inputs().begin(), node->inputs().end());
  }
  return found;
}

/// Calls the gradient function of a node and checks what it returns.
template <class T, class Device>
Gradients<T, Device> input_gradients(const std::shared_ptr<Node<T, Device>>& node,
                                     const Variable<T, Device>& gradient,
                                     const std::vector<bool>& needs) {
  const auto gradients = [&] {
    const GradientScope scope(node->name(), node->versions());
    return node->gradient()(Backward<T, Device>(node, gradient, needs));
  }();
  if (gradients.size() != needs.size()) {
    throw GraphError(message(node->name(), ": its gradient function gave ", gradients.size(),
                             " gradients for ", needs.size(), " inputs"));
  }
  for (std::size_t i = 0; i < needs.size(); ++i) {
    if (!needs[i]) continue;
    const Shape& shape = node->inputs()[i]->shape();
    if (!gradients[i].defined() || gradients[i].shape() != shape) {
      throw GraphError(
          message(node->name(), ": its gradient function gave ",
                  gradients[i].defined() ? gradients[i].shape().to_string() : "nothing",
                  " for input ", i, ", which has the shape ", shape));
    }
  }
  return gradients;
}

/// The sweep. Walks from the results to the leaves, each node once, after all that was made from
/// it, and calls `deliver(node, gradient)` with each node's complete gradient; where that returns
/// false, it does not go on. `wanted` says which nodes are worth going to.
template <class T, class Device, class Wanted, class Deliver>
void sweep(const std::vector<Variable<T, Device>>& results,
           const std::vector<Variable<T, Device>>& seeds, const BackwardOptions& options,
           const Wanted& wanted, const Deliver& deliver) {
  struct Pending {
    std::shared_ptr<Node<T, Device>> node;
    Variable<T, Device> gradient;
  };
  const GradMode mode(options.create_graph);
  std::map<std::uint64_t, Pending, std::greater<>> pending;
  const auto contribute = [&](const std::shared_ptr<Node<T, Device>>& node,
                              const Variable<T, Device>& gradient) {
    const auto [place, first] = pending.try_emplace(node->number(), Pending{node, gradient});
    if (!first) accumulate(place->second.gradient, gradient);
  };
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].requires_grad()) contribute(results[i].node(), seeds[i]);
  }

  while (!pending.empty()) {
    const Pending current = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    Node<T, Device>& node = *current.node;
    if (!deliver(current.node, current.gradient) || node.is_leaf()) continue;
    if (node.gradient() == nullptr) {
      throw GraphError(message("backward: the graph behind ", node.name(), " ", node.shape(),
                               " has been swept and freed; pass retain_graph to the first sweep"));
    }
    std::vector<bool> needs;
    for (const auto& input : node.inputs()) needs.push_back(input != nullptr && wanted(*input));
    // Nothing is wanted from behind this node, so what it saved stays for another sweep.
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
template <class T, class Device>
std::vector<Variable<T, Device>> gradients_at(
    const std::vector<std::shared_ptr<Node<T, Device>>>& nodes,
    const std::vector<Variable<T, Device>>& results, const std::vector<Variable<T, Device>>& seeds,
    const BackwardOptions& options, bool cut) {
  std::map<const Node<T, Device>*, std::vector<std::size_t>> places;
  std::unordered_set<const Node<T, Device>*> wanted;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] != nullptr) places[nodes[i].get()].push_back(i);
    if (nodes[i] != nullptr) wanted.insert(nodes[i].get());
  }
  const auto is_end = [&](const Node<T, Device>& node) { return cut && places.contains(&node); };
  for (const auto& [number, node] : nodes_behind(results, is_end)) {
    // What a freed node was made from is forgotten. It may have been an input, so the sweep must go
    // there and complain instead of giving zeros.
    if (!node->is_leaf() && node->gradient() == nullptr) wanted.insert(node.get());
    for (const auto& input : node->inputs()) {
      if (wanted.contains(input.get())) wanted.insert(node.get());
    }
  }
  std::vector<Variable<T, Device>> found(nodes.size());
  sweep(
      results, seeds, options, [&](const Node<T, Device>& node) { return wanted.contains(&node); },
      [&](const std::shared_ptr<Node<T, Device>>& node, const Variable<T, Device>& gradient) {
        const auto place = places.find(node.get());
        if (place == places.end()) return true;
        for (const std::size_t i : place->second) found[i] = gradient;
        return !cut;
      });
  return found;
}

/// Checks the seeds, or makes the one that a scalar result does not need.
template <class T, class Device>
std::vector<Variable<T, Device>> complete_seeds(const char* op,
                                                const std::vector<Variable<T, Device>>& results,
                                                const std::vector<Variable<T, Device>>& seeds) {
  if (!seeds.empty() && seeds.size() != results.size()) {
    throw GraphError(message(op, ": ", seeds.size(), " seeds for ", results.size(), " results"));
  }
  std::vector<Variable<T, Device>> complete = seeds;
  bool depends = false;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].defined()) throw GraphError(message(op, ": result ", i, " is undefined"));
    depends = depends || results[i].requires_grad();
    if (seeds.empty()) {
      if (results[i].elements() != 1) {
        throw GraphError(
            message(op, ": the result ", results[i].shape(),
                    " is not a scalar; reduce it, for example with ops::sum, or pass a "
                    "seed of its shape"));
      }
      complete.emplace_back(Tensor<T, Device>::ones(results[i].shape()));
    } else if (!seeds[i].defined()) {
      throw GraphError(message(op, ": seed ", i, " is undefined"));
    } else if (seeds[i].shape() != results[i].shape()) {
      throw GraphError(message(op, ": the seed ", seeds[i].shape(), " does not fit the result ",
                               results[i].shape()));
    }
  }
  if (!depends) {
    throw GraphError(
        message(op, ": the result does not depend on anything that requires a gradient"));
  }
  return complete;
}

}  // namespace detail

/// Adds ∂result/∂leaf to the grad() of every leaf that requires a gradient. The result is a scalar,
/// unless `seed` (of its shape) says with what its gradient begins.
///
/// Frees the graph as it passes unless `options` keep it. With create_graph, a leaf's grad() refers
/// to the graph that refers to the leaf: zero_grad() breaks that cycle, or use grad() instead.
/// Throws GraphError when there is nothing to differentiate, when the graph has been freed, or when
/// a value that it needs has been changed in place. If the sweep fails, every grad() is as it was
/// before. Several threads may do this at a time, each with a graph of its own, for
/// leaves that they share; see docs/autodiff.md.
template <class T, class Device>
void backward(const Variable<T, Device>& result, const BackwardOptions& options = {},
              const Variable<T, Device>& seed = {}) {
  struct Reached {
    std::shared_ptr<Node<T, Device>> leaf;
    Variable<T, Device> gradient;
  };
  std::vector<Reached> reached;
  const std::vector<Variable<T, Device>> results{result};
  std::vector<Variable<T, Device>> seeds;
  if (seed.defined()) seeds.push_back(seed);
  detail::sweep(
      results, detail::complete_seeds("backward", results, seeds), options,
      [](const Node<T, Device>&) { return true; },
      [&](const std::shared_ptr<Node<T, Device>>& node, const Variable<T, Device>& gradient) {
        if (node->is_leaf() && node->requires_grad()) reached.push_back({node, gradient});
        return true;
      });
  const GradMode mode(options.create_graph);
  for (auto& [leaf, gradient] : reached) gradient = detail::own(gradient);
  for (const auto& [leaf, gradient] : reached) {
    leaf->change_grad([&added = gradient](Variable<T, Device>& sum) {
      if (sum.defined()) {
        detail::accumulate(sum, added);
      } else {
        sum = added;
      }
    });
  }
}

/// The gradients of the results (summed when there are several) with respect to each of `inputs`,
/// which may be leaves or computed; zeros where a result does not depend on an input. Each is in
/// memory of its own. Leaves keep their grad(). Parts of the graph that lead to none of the inputs
/// are not computed. Throws GraphError as backward() does.
///
///     auto slope = grad({y}, {x}, {.create_graph = true})[0];
///     auto curvature = grad({ops::sum(slope)}, {x})[0];
template <class T, class Device>
std::vector<Variable<T, Device>> grad(const std::vector<Variable<T, Device>>& results,
                                      const std::vector<Variable<T, Device>>& inputs,
                                      const BackwardOptions& options = {},
                                      const std::vector<Variable<T, Device>>& seeds = {}) {
  std::vector<std::shared_ptr<Node<T, Device>>> nodes;
  for (const auto& input : inputs) {
    if (!input.requires_grad()) {
      throw GraphError(message("grad: input ", nodes.size(), " ",
                               input.defined() ? input.shape().to_string() : "is undefined and",
                               " does not require a gradient"));
    }
    nodes.push_back(input.node());
  }
  auto found = detail::gradients_at(nodes, results, detail::complete_seeds("grad", results, seeds),
                                    options, false);
  const GradMode mode(options.create_graph);
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i] = found[i].defined() ? detail::own(found[i])
                                  : Variable(Tensor<T, Device>::zeros(nodes[i]->shape()));
  }
  return found;
}

template <class T, class Device>
std::vector<Variable<T, Device>> grad(std::initializer_list<Variable<T, Device>> results,
                                      std::initializer_list<Variable<T, Device>> inputs,
                                      const BackwardOptions& options = {}) {
  return grad(std::vector<Variable<T, Device>>(results), std::vector<Variable<T, Device>>(inputs),
              options);
}

}  // namespace sfumato
