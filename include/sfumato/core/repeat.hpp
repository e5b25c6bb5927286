#pragma once

#include <functional>
#include <memory>
#include <utility>

namespace sfumato {

/// A device that can capture work and run it again, which saves the time of describing the work to
/// it anew: it has a CapturedStep with run(work). The first run does the work, which may prepare
/// things; the second captures it; that and every later one run what was captured.
template <class Device>
concept Capturable = requires {
  typename Device::CapturedStep;
};

/// Work that is the same every time, such as a step of an optimiser. On a device that can capture
/// it (see Capturable) the function is called twice, and later runs repeat what it did on the
/// device: so whatever changes from run to run must be in the device's memory, and nothing of it
/// may be read by the host inside the function.
///
///     Repeat<Device> step([&] { … });
///     for (…) step();
template <class Device>
class Repeat {
 public:
  /// With `capture` false every run calls the function.
  explicit Repeat(std::function<void()> work, bool capture = true) : work_(std::move(work)) {
    if constexpr (Capturable<Device>) {
      if (capture) captured_ = std::make_shared<typename Device::CapturedStep>();
    }
  }

  void operator()() {
    if constexpr (Capturable<Device>) {
      if (captured_ != nullptr) {
        return std::static_pointer_cast<typename Device::CapturedStep>(captured_)->run(work_);
      }
    }
    work_();
  }

 private:
  std::function<void()> work_;
  std::shared_ptr<void> captured_;  // null: every run calls the function
};

}  // namespace sfumato
