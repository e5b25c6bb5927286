#pragma once

#include "sfumato/core/threads.hpp"

namespace sfumato {

/// Sets the number of threads and puts it back, so that no test depends on the one before it.
class Threads {
 public:
  explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
  // NOLINTNEXTLINE(bugprone-exception-escape): a number that was set before can be set again.
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace sfumato
