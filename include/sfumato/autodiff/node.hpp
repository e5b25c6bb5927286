#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/any_variable.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"

/// What a Variable remembers of where it came from.
namespace sfumato {

/// The gradients of an operation's inputs, in their order; undefined where none is needed.
template <class T, class Device>
using Gradients = std::vector<Variable<T, Device>>;

/// One operation (or leaf) in the graph. It owns the nodes of its inputs, and nothing owns its
/// result: when the last Variable that needs it goes, so does the graph behind it. Its inputs may
/// be of other element types and devices than its result.
class Node {
 public:
  /// From the gradient of the result to those of the inputs; undefined where one is not needed.
  using GradientFunction = std::function<std::vector<AnyVariable>(const std::shared_ptr<Node>& self,
                                                                  const AnyVariable& gradient,
                                                                  const std::vector<bool>& needs)>;

  /// May replace the gradient of the result.
  using Hook = std::function<void(AnyVariable& gradient)>;

  /// `type` is that of the Variable which is the result: its gradients have the same one.
  Node(const char* name, const VariableType& type, const Shape& shape,
       std::vector<std::shared_ptr<Node>> inputs = {}, GradientFunction gradient = nullptr,
       detail::Versions versions = {})
      : name_(name),
        type_(type),
        shape_(shape),
        number_(next_number()),
        is_leaf_(gradient == nullptr),
        inputs_(std::move(inputs)),
        gradient_(std::move(gradient)),
        versions_(std::move(versions)) {}

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Takes a long chain of nodes apart in a loop: were each to destroy the one before it, 100,000
  /// of them would overflow the stack. Nor may it need memory, which there may be none of.
  ~Node() {
    std::shared_ptr<Node> orphans;
    leave_inputs(orphans);
    while (orphans != nullptr) {
      const std::shared_ptr<Node> node = std::move(orphans);
      orphans = std::move(node->next_);
      node->leave_inputs(orphans);
    }
  }

  const char* name() const { return name_; }
  const VariableType& type() const { return type_; }
  const Shape& shape() const { return shape_; }
  /// Later nodes have larger numbers, so descending order is a topological order.
  std::uint64_t number() const { return number_; }
  bool is_leaf() const { return is_leaf_; }
  bool requires_grad() const { return requires_grad_; }
  void set_requires_grad(bool requires_grad) { requires_grad_ = requires_grad; }
  /// Null where an input needs no gradient.
  const std::vector<std::shared_ptr<Node>>& inputs() const { return inputs_; }
  const GradientFunction& gradient() const { return gradient_; }
  /// Of the values that the operation has seen.
  const detail::Versions& versions() const { return versions_; }

  const std::string& given_name() const { return given_name_; }
  void set_given_name(std::string name) { given_name_ = std::move(name); }
  /// What errors call it: the name that it was given, if any, and the shape.
  std::string description() const {
    return (given_name_.empty() ? "" : given_name_ + " ") + shape_.to_string();
  }

  /// Drops what was saved for the gradient, and the way back.
  void release() {
    gradient_ = nullptr;
    inputs_.clear();
    hooks_.clear();
  }

  void add_hook(std::shared_ptr<const Hook> hook) {
    const std::lock_guard lock(grad_mutex_);
    hooks_.push_back(std::move(hook));
  }
  void remove_hook(const std::shared_ptr<const Hook>& hook) {
    const std::lock_guard lock(grad_mutex_);
    std::erase(hooks_, hook);
  }
  /// Has the hooks look at a complete gradient, in the order in which they came. They may add and
  /// remove others.
  void call_hooks(AnyVariable& gradient) const {
    const auto hooks = [&] {
      const std::lock_guard lock(grad_mutex_);
      return hooks_;
    }();
    for (const auto& hook : hooks) (*hook)(gradient);
  }

  /// Of a leaf: what backward() has added up.
  AnyVariable grad() const {
    const std::lock_guard lock(grad_mutex_);
    return grad_;
  }
  void set_grad(AnyVariable gradient) {
    const std::lock_guard lock(grad_mutex_);
    std::swap(grad_, gradient);  // what it was goes when the mutex is free: a graph may go with it
  }
  void add_to_grad(AnyVariable gradient) {
    const std::lock_guard lock(grad_mutex_);
    if (grad_.defined()) {
      grad_.add(gradient);
    } else {
      grad_ = std::move(gradient);
    }
  }

  /// A number that all nodes made from now on exceed.
  static std::uint64_t next_number() {
    static std::atomic<std::uint64_t> count = 0;
    return count.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  /// Puts the inputs that nobody else holds before `orphans`.
  void leave_inputs(std::shared_ptr<Node>& orphans) {
    gradient_ = nullptr;  // while inputs_ holds all that it holds
    for (std::shared_ptr<Node>& input : inputs_) {
      const std::shared_ptr<Node> node = std::move(input);
      if (node == nullptr || node.use_count() > 1) continue;
      node->next_ = std::move(orphans);
      orphans = node;
    }
  }

  const char* name_;
  const VariableType& type_;
  Shape shape_;
  std::uint64_t number_;
  bool is_leaf_;
  bool requires_grad_ = true;
  std::vector<std::shared_ptr<Node>> inputs_;
  GradientFunction gradient_;
  std::shared_ptr<Node> next_;  // of the orphans of the same destructor
  detail::Versions versions_;
  std::string given_name_;
  mutable std::mutex grad_mutex_;  // for these two
  std::vector<std::shared_ptr<const Hook>> hooks_;
  AnyVariable grad_;
};

/// A hook on the gradient of a Variable, which stays there when the handle goes.
class HookHandle {
 public:
  HookHandle(const std::shared_ptr<Node>& node, std::shared_ptr<const Node::Hook> hook)
      : node_(node), hook_(std::move(hook)) {}

  /// Takes the hook off; does nothing where it or its Variable has gone.
  void remove() {
    if (const auto node = node_.lock()) node->remove_hook(hook_);
  }

 private:
  std::weak_ptr<Node> node_;
  std::shared_ptr<const Node::Hook> hook_;
};

/// What an operation's gradient function is given, as its `ctx`.
template <class T, class Device>
class Backward {
 public:
  Backward(const std::shared_ptr<Node>& node, const Variable<T, Device>& gradient,
           const std::vector<bool>& needs)
      : node_(node), gradient_(gradient), needs_(needs) {}

  /// The gradient of the final result with respect to this operation's result.
  const Variable<T, Device>& gradient() const { return gradient_; }

  /// Whether anyone wants the gradient of this input.
  bool needs(std::size_t input) const { return needs_[input]; }

  /// The operation's own result, from the tensor that the gradient function saved. Saving the
  /// Variable itself would make the node own itself.
  Variable<T, Device> result(const Tensor<T, Device>& value) const {
    return Variable<T, Device>(value, node_);
  }

 private:
  const std::shared_ptr<Node>& node_;
  const Variable<T, Device>& gradient_;
  const std::vector<bool>& needs_;
};

}  // namespace sfumato
