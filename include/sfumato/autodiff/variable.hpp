#pragma once

#include <algorithm>
#include <any>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/node.hpp"
#include "sfumato/autodiff/value_in_place.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/core/backend.hpp"
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
  Variable(Tensor<T, Device> value, std::shared_ptr<Node> node)
      : value_(std::move(value)), node_(std::move(node)) {}

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
    if constexpr (Real<T>) {
      if (node_ == nullptr && requires_grad) {
        node_ = std::make_shared<Node>("leaf", variable_type<T, Device>(), shape("requires_grad"));
      }
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

  /// The same value, in the same memory, with no history; for memory of its own, clone() the value.
  Variable detach() const { return Variable(value_); }

  const std::shared_ptr<Node>& node() const { return node_; }

  // What ops/ has under the same names, defined in ops/members.hpp.

  Variable sum(const Axes& axes = {}, bool keepdim = false) const;
  Variable mean(const Axes& axes = {}, bool keepdim = false) const;
  Variable max(const Axes& axes = {}, bool keepdim = false) const;
  Variable min(const Axes& axes = {}, bool keepdim = false) const;
  Variable abs() const;
  Variable exp() const;
  Variable log() const;
  Variable sqrt() const;
  Variable square() const;
  Variable pow(T exponent) const;
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
  Variable& operator+=(const Variable& other);  ///< x += y is x = x + y; other handles keep the old
  Variable& operator-=(const Variable& other);
  Variable& operator*=(const Variable& other);
  Variable& operator/=(const Variable& other);

 private:
  void check_defined(const char* op) const {
    if (!defined()) detail::throw_undefined(op);
  }

  Tensor<T, Device> value_;
  std::shared_ptr<Node> node_;
};

namespace detail {

/// An operation's inputs, of whatever types, as its node sees them.
struct Inputs {
  template <class T, class Device>
  Inputs(const char* name, const std::vector<Variable<T, Device>>& inputs) {
    nodes.reserve(inputs.size());
    versions.reserve(inputs.size() + 1);
    for (const auto& input : inputs) add(name, input);
  }
  template <class T, class Device>
  void add(const char* name, const Variable<T, Device>& input) {
    nodes.push_back(input.requires_grad() ? input.node() : nullptr);
    if (input.defined()) versions.push_back(input.value(name).version());
  }

  std::vector<std::shared_ptr<Node>> nodes;
  Versions versions;
};

/// Whether an operation on these inputs goes on the tape.
template <class T, class Device>
bool is_recorded(const std::vector<Variable<T, Device>>& inputs) {
  return grad_enabled() && std::any_of(inputs.begin(), inputs.end(),
                                       [](const auto& input) { return input.requires_grad(); });
}

/// What a gradient function has returned, as a list.
inline std::vector<AnyVariable> as_list(std::vector<AnyVariable> gradients) {
  return gradients;
}
template <class T, class Device>
std::vector<AnyVariable> as_list(Gradients<T, Device> gradients) {
  return {std::make_move_iterator(gradients.begin()), std::make_move_iterator(gradients.end())};
}
template <class T, class Device>
std::vector<AnyVariable> as_list(Variable<T, Device> gradient) {
  return {AnyVariable(std::move(gradient))};
}

/// The result of an operation and its node.
template <class T, class Device, class Gradient>
Variable<T, Device> record_inputs(const char* name, Tensor<T, Device> value, Inputs inputs,
                                  Gradient gradient, const Versions& more) {
  auto function = [gradient = std::move(gradient)](const std::shared_ptr<Node>& node,
                                                   const AnyVariable& of_result,
                                                   const std::vector<bool>& needs) {
    return as_list(gradient(Backward<T, Device>(node, *of_result.get<T, Device>(), needs)));
  };
  Versions& versions = inputs.versions;
  versions.insert(versions.end(), more.begin(), more.end());
  versions.push_back(value.version());
  std::sort(versions.begin(), versions.end());
  auto node =
      std::make_shared<Node>(name, variable_type<T, Device>(), value.shape(),
                             std::move(inputs.nodes), std::move(function), std::move(versions));
  return Variable<T, Device>(std::move(value), std::move(node));
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
/// in place since, the pass throws GraphError. Further tensors are watched likewise when their
/// versions are given in `versions`.
///
///     template <class T, class Device>
///     Variable<T, Device> cube(const Variable<T, Device>& x) {
///       return record("cube", apply(Cube{}, x.value()), {x}, [x](const auto& ctx) {
///         return ctx.gradient() * ops::square(x) * T{3};
///       });
///     }
template <class T, class Device, class Gradient>
Variable<T, Device> record(const char* name, Tensor<T, Device> value,
                           const std::vector<Variable<T, Device>>& inputs, Gradient gradient,
                           const std::vector<std::uint64_t>& versions = {}) {
  if constexpr (Real<T>) {
    if (detail::is_recorded(inputs)) {
      return detail::record_inputs(name, std::move(value), detail::Inputs(name, inputs),
                                   std::move(gradient), versions);
    }
  }
  return Variable<T, Device>(std::move(value));
}

template <class T, class Device, class Gradient>
Variable<T, Device> record(const char* name, Tensor<T, Device> value,
                           std::initializer_list<Variable<T, Device>> inputs, Gradient gradient,
                           const std::vector<std::uint64_t>& versions = {}) {
  return record(name, std::move(value), std::vector<Variable<T, Device>>(inputs),
                std::move(gradient), versions);
}

/// The same for one input of another element type or device: `gradient` returns a Variable of that.
template <class T, class Device, class From, class Origin, class Gradient>
Variable<T, Device> record(const char* name, Tensor<T, Device> value,
                           const Variable<From, Origin>& input, Gradient gradient) {
  if constexpr (Real<T> && Real<From>) {
    if (grad_enabled() && input.requires_grad()) {
      return detail::record_inputs(name, std::move(value), detail::Inputs(name, std::vector{input}),
                                   std::move(gradient), {});
    }
  }
  return Variable<T, Device>(std::move(value));
}

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
  return record("add_gradients", std::move(sum), {a, b}, [](const Backward<T, Device>& ctx) {
    return Gradients<T, Device>{ctx.gradient(), ctx.gradient()};
  });
}

/// sum += gradient; in place where nobody can notice.
template <class T, class Device>
void accumulate(Variable<T, Device>& sum, const Variable<T, Device>& gradient) {
  if (grad_enabled() || sum.requires_grad() || !sum.value().owns_alone()) {
    sum = add_gradients(sum, gradient);
  } else {
    auto value = sum.mutable_value();
    add_into<T, Device>(value, sum.value(), gradient.value());
  }
}

/// A gradient in memory of its own: copied where somebody else holds that too.
template <class T, class Device>
Variable<T, Device> own(const Variable<T, Device>& gradient) {
  if (!gradient.value().owns_alone()) {
    return record("copy", gradient.value().clone(), {gradient},
                  [](const Backward<T, Device>& ctx) { return ctx.gradient(); });
  }
  return grad_enabled() ? gradient : gradient.detach();
}

}  // namespace detail

template <class T, class Device>
const VariableType& variable_type() {
  static const VariableType type{
      typeid(Variable<T, Device>),
      [](const std::any& variable) -> const Shape& {
        return std::any_cast<const Variable<T, Device>&>(variable).shape();
      },
      [](std::any& sum, const std::any& gradient) {
        detail::accumulate(std::any_cast<Variable<T, Device>&>(sum),
                           std::any_cast<const Variable<T, Device>&>(gradient));
      },
      [](const std::any& variable) -> AnyVariable {
        return detail::own(std::any_cast<const Variable<T, Device>&>(variable));
      },
      [](const Shape& shape) -> AnyVariable {
        return Variable<T, Device>(Tensor<T, Device>::zeros(shape));
      }};
  return type;
}

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
