#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/node.hpp"
#include "sfumato/autodiff/value_in_place.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato {

struct BackwardOptions;

/// A Tensor with a place on the tape: it remembers from which operation it came, so that backward()
/// can find the gradient of a result with respect to it. Copies are handles to one value and place.
///
///     Variable<double> x(Tensor<double>::from({1, 2, 3}, {3}), true);
///     Variable<double> y = ops::sum(x * x);
///     backward(y);
///     x.grad().value();   // 2, 4, 6
template <class T = float, class Device = Cpu>
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

  /// A value and the operation it came from; what record() makes. A template, since {0, 1} of
  /// {{2, 3}, {0, 1}} could be a pointer.
  template <std::same_as<std::shared_ptr<Node>> NodePointer>
  Variable(Tensor<T, Device> value, NodePointer node)
      : value_(std::move(value)), node_(std::move(node)) {}

  Variable(const Variable&) = default;
  Variable(Variable&&) = default;
  // Not for Variables that nobody keeps: x[0] = y would change nothing.
  Variable& operator=(const Variable&) & = default;
  Variable& operator=(Variable&&) & = default;
  ~Variable() = default;

  bool defined() const { return value_.defined(); }

  // Errors name the function that asks, which is the operation: hence the parameters.

  const Tensor<T, Device>& value(const char* op = __builtin_FUNCTION()) const {
    check_defined(op);
    detail::GradientScope::check(value_.version(), value_.shape());
    return value_;
  }
  /// The value, to be changed in place for all handles; an optimiser's way in. Where a graph was
  /// recorded from the old value and its gradient reads that, backward() throws GraphError.
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
  /// The extent along an axis; a negative one counts from the end.
  std::int64_t size(int axis, const char* op = __builtin_FUNCTION()) const {
    return shape(op)[axis];
  }
  std::int64_t numel(const char* op = __builtin_FUNCTION()) const { return shape(op).numel(); }
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
    if constexpr (Real<T>) {
      if (requires_grad) make_leaf(shape("requires_grad"));
    }
    if (node_ != nullptr) node_->set_requires_grad(requires_grad);
  }

  /// What backward() has added up since zero_grad(), in memory that no other gradient shares;
  /// undefined when it has not been there.
  Variable grad() const {
    if (node_ == nullptr) return {};
    const AnyVariable sum = node_->grad();
    return sum.defined() ? *sum.get<T, Device>() : Variable();
  }

  /// Replaces grad(), for example by a clipped one; a copy where the memory is not `gradient`'s
  /// alone. Throws GraphError unless this is a parameter, and ShapeError for another shape.
  void set_grad(Variable gradient);
  /// sfumato::backward(*this).
  void backward() const;
  void backward(const BackwardOptions& options) const;

  /// Forgets grad().
  void zero_grad() {
    if (node_ != nullptr) node_->set_grad(Variable());
  }

  /// Calls `hook` with the gradient of this Variable in each later pass, as soon as that is
  /// complete and before it goes anywhere. What the hook returns, if anything, takes the gradient's
  /// place. It should not hold this Variable, which would then hold itself. Throws GraphError
  /// unless a gradient is required, and in the pass where the hook returns another shape.
  ///
  ///     auto handle = x.register_hook([](const auto& gradient) { return gradient * 0.5; });
  template <class Function>
  HookHandle register_hook(Function hook) const;

  /// A name by which errors and to_graphviz() know it; empty at first. Copies that were made of a
  /// constant before have none. Throws GraphError for integers, which are in no graph.
  void set_name(std::string name) {
    if constexpr (Real<T>) {
      make_leaf(shape("set_name"));
      node_->set_given_name(std::move(name));
    } else {
      throw GraphError("set_name: integers are in no graph, where a name would be seen");
    }
  }
  std::string name() const { return node_ == nullptr ? "" : node_->given_name(); }

  /// The same value, in the same memory, with no history; for memory of its own, clone() the value.
  Variable detach() const { return Variable(value_); }

  const std::shared_ptr<Node>& node() const { return node_; }

  // What ops/ has under the same names, defined in ops/members.hpp.

  Variable sum(const Axes& axes = {}, bool keepdim = false) const;
  Variable mean(const Axes& axes = {}, bool keepdim = false) const;
  Variable max(const Axes& axes = {}, bool keepdim = false) const;
  Variable min(const Axes& axes = {}, bool keepdim = false) const;
  Variable var(const Axes& axes = {}, bool keepdim = false, std::int64_t correction = 1) const;
  Variable std(const Axes& axes = {}, bool keepdim = false, std::int64_t correction = 1) const;
  Variable prod(const Axes& axes = {}, bool keepdim = false) const;
  Variable norm(double p = 2.0, const Axes& axes = {}, bool keepdim = false) const;
  Tensor<std::int64_t, Device> argmax(std::optional<int> axis = {}, bool keepdim = false) const;
  Variable softmax(int axis = -1) const;
  Variable abs() const;
  Variable exp() const;
  Variable log() const;
  Variable sqrt() const;
  Variable square() const;
  Variable pow(Compute<T> exponent) const;
  Variable clamp(T low, T high) const;
  Variable relu() const;
  Variable sigmoid() const;
  Variable tanh() const;
  Variable matmul(const Variable& other) const;
  Variable reshape(std::initializer_list<std::int64_t> extents) const;
  Variable reshape(const Shape& shape) const;
  Variable flatten(int first = 0, int last = -1) const;
  Variable squeeze(int axis) const;
  Variable unsqueeze(int axis) const;
  Variable permute(const Axes& axes) const;
  Variable transpose(int first = -2, int second = -1) const;
  /// Element number `index` along the first axis: ops::select.
  Variable operator[](std::int64_t index) const;
  Variable& operator+=(const Variable& other) &;  ///< x = x + y; other handles keep the old
  Variable& operator-=(const Variable& other) &;
  Variable& operator*=(const Variable& other) &;
  Variable& operator/=(const Variable& other) &;

 private:
  /// Gives a constant a place in graphs, frozen.
  void make_leaf(const Shape& shape) {
    if (node_ != nullptr) return;
    node_ = std::make_shared<Node>("leaf", variable_type<T, Device>(), shape);
    node_->set_requires_grad(false);
  }
  void check_defined(const char* op) const {
    if (!defined()) detail::throw_undefined(op);
  }

  Tensor<T, Device> value_;
  std::shared_ptr<Node> node_;
};

}  // namespace sfumato
