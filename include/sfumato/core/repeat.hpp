#pragma once

#include <functional>
#include <memory>
#include <utility>

namespace sfumato {

/// A device that can record work and run the recording, which saves the time of describing the work
/// to it again: it has a Recording with run(work). The first run does the work, which may prepare
/// things; the second records it; that and every later one run the recording.
template <class Device>
concept Recordable = requires {
  typename Device::Recording;
};

/// Work that is the same every time, such as a step of an optimiser. On a device that can record
/// (see Recordable) the function is called twice, and later runs repeat what it did on the device:
/// so whatever changes from run to run must be in the device's memory, and nothing of it may be
/// read by the host inside the function.
///
///     Repeat<Device> step([&] { … });
///     for (…) step();
template <class Device>
class Repeat {
 public:
  /// With `record` false every run calls the function.
  explicit Repeat(std::function<void()> work, bool record = true) : work_(std::move(work)) {
    if constexpr (Recordable<Device>) {
      if (record) recording_ = std::make_shared<typename Device::Recording>();
    }
  }

  void operator()() {
    if constexpr (Recordable<Device>) {
      if (recording_ != nullptr) {
        return std::static_pointer_cast<typename Device::Recording>(recording_)->run(work_);
      }
    }
    work_();
  }

 private:
  std::function<void()> work_;
  std::shared_ptr<void> recording_;  // null: every run calls the function
};

}  // namespace sfumato
