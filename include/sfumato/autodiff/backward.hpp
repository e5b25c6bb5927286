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
  if (grad_enabled() || !sum.value().owns_alone()) {
    sum = add_gradients(sum, gradient);
  } else {
    auto place = sum.mutable_value();
    add_into<T, Device>(place, sum.value(), gradient.value());
  }
}

/// All nodes behind the results, by creation number: inputs come before what was made from them.
template <class T, class Device>
std::map<std::uint64_t, std::shared_ptr<Node<T, Device>>> nodes_behind(
    const std::vector<Variable<T, Device>>& results) {
  std::map<std::uint64_t, std::shared_ptr<Node<T, Device>>> found;
  std::vector<std::shared_ptr<Node<T, Device>>> waiting;
  for (const auto& result : results) waiting.push_back(result.node());
  while (!waiting.empty()) {
    const auto node = std::move(waiting.back());
    waiting.pop_back();
    if (node == nullptr || !found.emplace(node->number(), node).second) continue;
    waiting.insert(waiting.end(), node->inputs().begin(), node->inputs().end());
  }
  return found;
}

/// The sweep. Walks from the results to the leaves, each node once, after all that was made from
/// it, and calls `deliver(node, gradient)` with each node's complete gradient. `wanted` says which
/// nodes are worth going to.
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
    deliver(node, current.gradient);
    if (node.is_leaf()) continue;
    if (node.gradient() == nullptr) {
      throw GraphError(message("backward: the graph behind ", node.name(), " ", node.shape(),
                               " has been swept and freed; pass retain_graph to the first sweep"));
    }
    std::vector<bool> needs;
    for (const auto& input : node.inputs()) needs.push_back(input != nullptr && wanted(*input));
    // Nothing is wanted from behind this node, so what it saved stays for another sweep.
    if (std::find(needs.begin(), needs.end(), true) == needs.end()) continue;
    const auto gradients =
        node.gradient()(Backward<T, Device>(current.node, current.gradient, needs));
    if (gradients.size() != needs.size()) {
      throw GraphError(message(node.name(), ": its gradient function gave ", gradients.size(),
                               " gradients for ", needs.size(), " inputs"));
    }
    for (std::size_t i = 0; i < needs.size(); ++i) {
      if (!needs[i]) continue;
      const auto& input = node.inputs()[i];
      if (!gradients[i].defined() || gradients[i].shape() != input->shape()) {
        throw GraphError(
            message(node.name(), ": its gradient function gave ",
                    gradients[i].defined() ? gradients[i].shape().to_string() : "nothing",
                    " for input ", i, ", which has the shape ", input->shape()));
      }
      contribute(input, gradients[i]);
    }
    if (!options.retain_graph && !options.create_graph) node.release();
  }
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
    depends = depends || results[i].requires_grad();
    if (seeds.empty()) {
      if (results[i].elements() != 1) {
        throw GraphError(
            message(op, ": the result ", results[i].shape(),
                    " is not a scalar; reduce it, for example with ops::sum, or pass a "
                    "seed of its shape"));
      }
      complete.emplace_back(Tensor<T, Device>::ones(results[i].shape()));
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
/// Throws GraphError when there is nothing to differentiate or the graph has been freed.
template <class T, class Device>
void backward(const Variable<T, Device>& result, const BackwardOptions& options = {},
              const Variable<T, Device>& seed = {}) {
  const std::vector<Variable<T, Device>> results{result};
  std::vector<Variable<T, Device>> seeds;
  if (seed.defined()) seeds.push_back(seed);
  detail::sweep(
      results, detail::complete_seeds("backward", results, seeds), options,
      [](const Node<T, Device>&) { return true; },
      [](Node<T, Device>& node, const Variable<T, Device>& gradient) {
        if (!node.is_leaf() || !node.requires_grad()) return;
        node.grad = node.grad.defined() ? detail::add_gradients(node.grad, gradient) : gradient;
      });
}

/// The gradients of the results (summed when there are several) with respect to each of `inputs`,
/// which may be leaves or computed; zeros where a result does not depend on an input. Leaves keep
/// their grad(). Parts of the graph that lead to none of the inputs are not computed.
///
///     auto slope = grad({y}, {x}, {.create_graph = true})[0];
///     auto curvature = grad({ops::sum(slope)}, {x})[0];
template <class T, class Device>
std::vector<Variable<T, Device>> grad(const std::vector<Variable<T, Device>>& results,
                                      const std::vector<Variable<T, Device>>& inputs,
                                      const BackwardOptions& options = {},
                                      const std::vector<Variable<T, Device>>& seeds = {}) {
  std::unordered_set<const Node<T, Device>*> wanted;
  std::map<const Node<T, Device>*, std::vector<std::size_t>> places;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) {
      throw GraphError(
          message("grad: input ", i, " ", inputs[i].shape(), " does not require a gradient"));
    }
    wanted.insert(inputs[i].node().get());
    places[inputs[i].node().get()].push_back(i);
  }
  const auto complete = detail::complete_seeds("grad", results, seeds);
  for (const auto& [number, node] : detail::nodes_behind(results)) {
    // What a freed node was made from is forgotten. It may have been an input, so the sweep must go
    // there and complain instead of giving zeros.
    if (!node->is_leaf() && node->gradient() == nullptr) wanted.insert(node.get());
    for (const auto& input : node->inputs()) {
      if (wanted.contains(input.get())) wanted.insert(node.get());
    }
  }
  std::vector<Variable<T, Device>> found(inputs.size());
  detail::sweep(
      results, complete, options,
      [&](const Node<T, Device>& node) { return wanted.contains(&node); },
      [&](Node<T, Device>& node, const Variable<T, Device>& gradient) {
        const auto place = places.find(&node);
        if (place == places.end()) return;
        for (const std::size_t i : place->second) found[i] = gradient;
      });
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!found[i].defined()) found[i] = Variable(Tensor<T, Device>::zeros(inputs[i].shape()));
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
