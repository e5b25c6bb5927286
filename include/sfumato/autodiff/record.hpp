#pragma once

#include <algorithm>
#include <any>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "sfumato/autodiff/anomaly.hpp"
#include "sfumato/autodiff/any_variable.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/node.hpp"
#include "sfumato/autodiff/values.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/tensor.hpp"

/// How operations get on the tape, and what the backward pass does with their gradients.
namespace sfumato {

namespace detail {

/// An operation's inputs, of whatever types, as its node sees them.
struct Inputs {
  template <class T, class Device>
  Inputs(const char* name, const std::vector<Variable<T, Device>>& inputs) {
    nodes.reserve(inputs.size());
    versions.reserve(inputs.size() + 1);
    for (const auto& input : inputs) {
      nodes.push_back(input.requires_grad() ? input.node() : nullptr);
      if (input.defined()) versions.push_back(input.value(name).version());
    }
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
  if (detail::detects_anomaly()) detail::check_result(name, value, inputs);
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
  if (detail::detects_anomaly()) detail::check_result(name, value, std::vector{input});
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
    return static_cast<T>(static_cast<Modular<T>>(a) + static_cast<Modular<T>>(b));
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

/// sum += gradient; in place where nobody can notice, and nobody looks for infinity.
template <class T, class Device>
void accumulate(Variable<T, Device>& sum, const Variable<T, Device>& gradient) {
  if (grad_enabled() || detects_anomaly() || sum.requires_grad() || !sum.value().owns_alone()) {
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
      },
      [](const std::any& variable) {
        return detail::find_anomaly(std::any_cast<const Variable<T, Device>&>(variable).value());
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

template <class T, class Device>
template <class Function>
HookHandle Variable<T, Device>::register_hook(Function hook) const {
  if (!requires_grad()) {
    throw GraphError(message("register_hook: this Variable ", shape("register_hook"),
                             " requires no gradient, so none will come to the hook"));
  }
  auto on_any = [hook = std::move(hook), node = node_.get()](AnyVariable& gradient) mutable {
    const Variable& known = *gradient.get<T, Device>();
    if constexpr (std::is_void_v<decltype(hook(known))>) {
      hook(known);
    } else {
      const Variable replacement = hook(known);
      if (!replacement.defined()) return;
      if (replacement.shape() != known.shape()) {
        throw GraphError(message("register_hook: a hook gave the gradient ", replacement.shape(),
                                 " for ", node->description()));
      }
      gradient = replacement;
    }
  };
  auto shared = std::make_shared<const Node::Hook>(std::move(on_any));
  node_->add_hook(shared);
  return {node_, shared};
}

}  // namespace sfumato
