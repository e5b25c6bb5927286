#pragma once

#include <type_traits>

#include "sfumato/nn/module.hpp"

/// Modules that are a function without parameters.
namespace sfumato::nn::detail {

/// A function of the input.
template <class T, class Device, Variable<T, Device> (*function)(const Variable<T, Device>&)>
class Function : public Module<T, Device> {
 public:
  Variable<T, Device> forward(const Variable<T, Device>& x) override { return function(x); }
};

/// A function of the input and a number, or options.
template <class T, class Device, class Setting,
          Variable<T, Device> (*function)(const Variable<T, Device>&, Setting)>
class FunctionOf : public Module<T, Device> {
 public:
  explicit FunctionOf(Setting setting) : setting_(setting) {}
  Variable<T, Device> forward(const Variable<T, Device>& x) override {
    return function(x, setting_);
  }

 private:
  std::remove_cvref_t<Setting> setting_;
};

}  // namespace sfumato::nn::detail
