#pragma once

#include <utility>

namespace sfumato {

namespace detail {
inline bool& grad_mode() {
  thread_local bool enabled = true;
  return enabled;
}
}  // namespace detail

/// True where operations are recorded: everywhere but inside no_grad, in the calling thread.
inline bool grad_enabled() {
  return detail::grad_mode();
}

/// While it lives, the calling thread's operations are recorded (true) or not (false).
class GradMode {
 public:
  explicit GradMode(bool enabled) : before_(std::exchange(detail::grad_mode(), enabled)) {}
  ~GradMode() { detail::grad_mode() = before_; }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// While it lives, the calling thread's operations are not recorded.
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

/// Calls `body` without recording anything and returns what it returns.
///
///     auto prediction = no_grad([&] { return model(x); });
template <class Body>
decltype(auto) no_grad(Body&& body) {
  const NoGrad off;
  return std::forward<Body>(body)();
}

}  // namespace sfumato
