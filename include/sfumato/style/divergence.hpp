#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"

namespace sfumato::style::detail {

/// The pictures of the last two iterations, as they were before their steps.
template <class T, class Device>
class LastPictures {
 public:
  void keep(const Tensor<T, Device>& picture) {
    before_ = std::move(now_);
    now_ = picture.clone();
  }
  /// That of this iteration.
  const Tensor<T, Device>& now() const { return now_; }
  /// That of the iteration before it; in the first one its own.
  const Tensor<T, Device>& before() const { return before_.defined() ? before_ : now_; }

 private:
  Tensor<T, Device> now_;
  Tensor<T, Device> before_;
};

/// What went wrong, and what to do; `steps` says of which kind they are.
inline std::string divergence_text(const char* what, double value, std::int64_t iteration,
                                   const std::string& steps) {
  return message("style transfer: ", what, " of iteration ", iteration, " is ",
                 std::isnan(value) ? "not a number" : "too large", ", probably because ",
                 iteration == 1
                     ? std::string("the network's weights, or the weight of a loss, are not "
                                   "finite or too large; correct them")
                     : message("steps ", steps,
                               ", or the weight of a loss, are too large; take a smaller "
                               "one"));
}

}  // namespace sfumato::style::detail
