#pragma once

#include <csignal>

namespace neural_style {

/// Whether the user wants the run to end: SIGINT has come.
inline volatile std::sig_atomic_t interrupted = 0;

inline void catch_signals() {
  std::signal(SIGINT, [](int) { interrupted = 1; });
}

}  // namespace neural_style
