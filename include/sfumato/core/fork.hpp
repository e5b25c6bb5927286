#pragma once

#include <new>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace sfumato::detail {

/// Has `before` called before every later fork() of the process, and then one of the others in the
/// parent and in the child, of whose threads only the one that called fork() is left.
inline void at_fork([[maybe_unused]] void (*before)(), [[maybe_unused]] void (*in_parent)(),
                    [[maybe_unused]] void (*in_child)()) {
#if defined(__unix__) || defined(__APPLE__)
  if (pthread_atfork(before, in_parent, in_child) != 0) throw std::bad_alloc();
#endif
}

}  // namespace sfumato::detail
