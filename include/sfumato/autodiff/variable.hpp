#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/node.hpp"
#include "sfumato/autodiff/value_in_place.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato {

/// A Tensor with a place on the tape: it remembers from which operation it came, so that backward()
/// can find the gradient of a result with respect to it. Copies are handles to one value and place.
///
///     Variable<double> x(Tensor<double>::from({1, 2, 3}, {3}), true);
///     Variable<double> y = ops::sum(x * x);
///     backward(y);
///     x.grad().value();   // 2, 4, 6
template <class T, class Device = Cpu>
class Variable {
 public:
  /// Nothing: defined() is false, and asking for a value or a shape throws GraphError.
  Variable() = default;

  /// A leaf of the graph: a parameter when it requires a gradient, else a constant. It shares the
  /// tensor's memory. Throws GraphError for a parameter without a value, or of integers.
  explicit Variable(Tensor<T, Device> value, bool requires_grad = false)
      : value_(std::move(value)) {
    set_requires_grad(requires_grad);
  }

  /// A value and the operation it came from; what record() makes.
  Variable(Tensor<T, Device> value, std::shared_ptr<Node<T, Device>> node)
      : value_(std::move(value)), node_(std::move(node)) {}

  bool defined() const { return value_.defined(); }

  // Errors name the function that asks, which is the operation: hence the parameters.

  const Tensor<T, Device>& value(const char* op = __builtin_FUNCTION()) const {
    check_defined(op);
    detail::GradientScope::check(value_.version(), value_.shape());
    return value_;
  }
  /// The value, to be changed in place for all handles; an optimiser's way in. Where a graph was
  /// recorded from the old value and its gradient reads that, sweeping it throws GraphError.
  ///
  ///     model.parameters()[0].mutable_value() = weights;
  ValueInPlace<T, Device> mutable_value(const char* op = __builtin_FUNCTION()) {
    check_defined(op);
    return ValueInPlace<T, Device>(value_);
  }
  const Shape& shape(const char* op = __builtin_FUNCTION()) const {
    check_defined(op);
    return value_.shape();
  }
  int rank(const char* op = __builtin_FUNCTION()) const { return shape(op).rank(); }
  std::int64_t elements(const char* op = __builtin_FUNCTION()) const {
    return shape(op).elements();
  }
  T item(const char* op = __builtin_FUNCTION()) const { return value(op).item(); }

  bool requires_grad() const { return node_ != nullptr && node_->requires_grad(); }
  bool is_leaf() const { return node_ == nullptr || node_->is_leaf(); }

  /// Freezes (false) or unfreezes (true) a leaf; copies that were made of a constant before stay
  /// constants. Throws GraphError for a computed Variable, and for integers.
  void set_requires_grad(bool requires_grad) {
    if (!is_leaf()) {
      throw GraphError(
          message("set_requires_grad: only leaves can be frozen, and this is the result of ",
                  node_->name(), "; use detach()"));
    }
    if (!Real<T> && requires_grad) {
      throw GraphError("requires_grad: integers have no gradient; cast the tensor to float");
    }
    if (node_ == nullptr && requires_grad) node_ = Node<T, Device>::leaf(shape("requires_grad"));
    if (node_ != nullptr) node_->set_requires_grad(requires_grad);
  }

  /// What backward() has added up since zero_grad(), in memory that no other gradient shares;
  /// undefined when it has not been there.
  Variable grad() const { return node_ == nullptr ? Variable() : node_->grad(); }

  /// Replaces grad(), for example by a clipped one; a copy where the memory is not `gradient`'s
  /// alone. Throws GraphError unless this is a parameter, and ShapeError for another shape.
  void set_grad(Variable gradient);
  /// Forgets grad().
  void zero_grad() {
    if (node_ != nullptr) node_->set_grad(Variable());
  }

  /// The same value, in the same memory, with no history; for memory of its own, clone() the value.
  Variable detach() const { return Variable(value_); }

  const std::shared_ptr<Node<T, Device>>& node() const { return node_; }

 private:
  void check_defined(const char* op) const {
    if (!defined()) detail::throw_undefined(op);
  }

  Tensor<T, Device> value_;
  std::shared_ptr<Node<T, Device>> node_;
};

namespace detail {

/// Whether an operation on these inputs goes on the tape.
template <class T, class Device>
bool is_recorded(const std::vector<Variable<T, Device>>& inputs) {
  return grad_enabled() && std::any_of(inputs.begin(), inputs.end(),
                                       [](const auto& input) { return input.requires_grad(); });
}

/// The node of an operation that made `value`; what record() does for every type of gradient.
template <class T, class Device>
std::shared_ptr<Node<T, Device>> make_node(const char* name, const Tensor<T, Device>& value,
                                           const std::vector<Variable<T, Device>>& inputs,
                                           typename Node<T, Device>::GradientFunction gradient,
                                           Versions versions) {
  std::vector<std::shared_ptr<Node<T, Device>>> nodes;
  nodes.reserve(inputs.size());
  versions.reserve(versions.size() + inputs.size() + 1);
  for (const auto& input : inputs) {
    nodes.push_back(input.requires_grad() ? input.node() : nullptr);
    if (input.defined()) versions.push_back(input.value(name).version());
  }
  versions.push_back(value.version());
  std::sort(versions.begin(), versions.end());
  return std::make_shared<Node<T, Device>>(name, value.shape(), std::move(nodes),
                                           std::move(gradient), std::move(versions));
}

}  // namespace detail

/// Puts a computed value on the tape: the one way in which operations are made differentiable.
///
/// `gradient` is called with a Backward and returns the gradients of the inputs: a Gradients, or a
/// single Variable when there is one input. It is written with Variables and differentiable
/// operations, so that gradients have gradients; it may hold the inputs, but of the result only its
/// tensor. When no input needs a gradient, or inside no_grad, nothing is kept.
///
/// If `gradient` reads an input or the result, by value() or ops::apply, and that has been changed
/// in place since, the sweep throws GraphError. Further tensors are watched likewise when their
/// versions are given in `versions`.
///
///     template <class T, class Device>
///     Variable<T, Device> cube(const Variable<T, Device>& x) {
///       return record("cube", apply(Cube{}, x.value()), {x}, [x](const auto& at) {
///         return at.gradient() * ops::square(x) * T{3};
///       });
///     }
template <class T, class Device, class Gradient>
Variable<T, Device> record(const char* name, Tensor<T, Device> value,
                           const std::vector<Variable<T, Device>>& inputs, Gradient gradient,
                           std::vector<std::uint64_t> versions = {}) {
  if (!detail::is_recorded(inputs)) return Variable<T, Device>(std::move(value));
  auto as_list = [gradient = std::move(gradient)](const Backward<T, Device>& at) {
    auto result = gradient(at);
    if constexpr (std::same_as<decltype(result), Variable<T, Device>>) {
      return Gradients<T, Device>{std::move(result)};
    } else {
      return result;
    }
  };
  auto node =
      detail::make_node<T, Device>(name, value, inputs, std::move(as_list), std::move(versions));
  return Variable<T, Device>(std::move(value), std::move(node));
}

template <class T, class Device, class Gradient>
Variable<T, Device> record(const char* name, Tensor<T, Device> value,
                           std::initializer_list<Variable<T, Device>> inputs, Gradient gradient,
                           std::vector<std::uint64_t> versions = {}) {
  return record(name, std::move(value), std::vector<Variable<T, Device>>(inputs),
                std::move(gradient), std::move(versions));
}

namespace detail {
/// A gradient in memory of its own: copied where somebody else holds that too.
template <class T, class Device>
Variable<T, Device> own(const Variable<T, Device>& gradient) {
  if (!gradient.value().owns_alone()) {
    return record("copy", gradient.value().clone(), {gradient},
                  [](const Backward<T, Device>& at) { return at.gradient(); });
  }
  return grad_enabled() ? gradient : gradient.detach();
}
}  // namespace detail

template <class T, class Device>
void Variable<T, Device>::set_grad(Variable gradient) {
  if (!gradient.defined()) return zero_grad();
  if (node_ == nullptr || !is_leaf()) {
    throw GraphError(message("set_grad: this Variable ", shape("set_grad"),
                             is_leaf() ? " is a constant" : " was computed",
                             "; only parameters, which require a gradient, keep one"));
  }
  if (gradient.shape() != shape("set_grad")) {
    throw ShapeError(message("set_grad: the gradient ", gradient.shape(),
                             " must have the parameter's shape ", shape("set_grad")));
  }
  node_->set_grad(detail::own(gradient));
}

}  // namespace sfumato
