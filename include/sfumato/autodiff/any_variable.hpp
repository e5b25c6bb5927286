#pragma once

#include <any>
#include <string>
#include <typeinfo>
#include <utility>

#include "sfumato/core/shape.hpp"

namespace sfumato {

template <class T, class Device>
class Variable;
class AnyVariable;

/// What the backward pass does with Variables of one element type and device.
struct VariableType {
  const std::type_info& id;
  const Shape& (*shape)(const std::any&);
  /// Adds a gradient of the same value; in place where nobody can notice.
  void (*add)(std::any& sum, const std::any& gradient);
  /// The same value in memory that nobody else holds.
  AnyVariable (*own)(const std::any&);
  AnyVariable (*zeros)(const Shape&);
  std::string (*find_anomaly)(const std::any&);  ///< see DetectAnomaly

  friend bool operator==(const VariableType& a, const VariableType& b) { return a.id == b.id; }
};

template <class T, class Device>
const VariableType& variable_type();

/// A Variable of any element type, on any device: what the backward pass hands from node to node,
/// so that a graph may have nodes of several types.
class AnyVariable {
 public:
  AnyVariable() = default;
  template <class T, class Device>
  AnyVariable(Variable<T, Device> variable)  // NOLINT(google-explicit-constructor): it is one
      : type_(&variable_type<T, Device>()) {
    if (variable.defined()) variable_ = std::move(variable);
  }

  bool defined() const { return variable_.has_value(); }
  const VariableType& type() const { return *type_; }
  const Shape& shape() const { return type_->shape(variable_); }
  void add(const AnyVariable& gradient) { type_->add(variable_, gradient.variable_); }
  AnyVariable own() const { return type_->own(variable_); }
  std::string find_anomaly() const { return type_->find_anomaly(variable_); }

  /// The Variable that it holds; null when it is undefined or of another type.
  template <class T, class Device>
  const Variable<T, Device>* get() const {
    return std::any_cast<Variable<T, Device>>(&variable_);
  }

 private:
  const VariableType* type_ = nullptr;
  std::any variable_;
};

}  // namespace sfumato
