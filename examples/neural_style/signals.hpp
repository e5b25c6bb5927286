#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace neural_style {

/// The exit status of who ends by a signal, less its number.
inline constexpr int kBySignal = 128;
/// That of a run that has not come to --until-loss; its picture is written.
inline constexpr int kNotReached = 3;

/// Whether a run that ended so has painted its picture.
inline bool has_painted(int status) {
  return status == 0 || status == kNotReached;
}

/// The signal for which the run is to end, its picture being saved; 0 while there is none.
inline volatile std::sig_atomic_t interrupted = 0;

/// The signals that ask a program to end; the last is of a limit of processor time (`ulimit -St`).
inline constexpr std::array kEndings{SIGINT, SIGTERM, SIGHUP, SIGXCPU};

namespace detail {

inline volatile std::sig_atomic_t loading = 1;  // there is no picture yet that could be saved
inline timespec interrupted_at{};               // written by the first signal, before `interrupted`
inline volatile std::sig_atomic_t held = 0;     // a file is being written, which is to be whole …
inline volatile std::sig_atomic_t waiting = 0;  // … and the signal that came meanwhile

/// While nothing is painted, says so and ends the program; later leaves it to the next iteration to
/// end. Who presses Ctrl-C twice does not want to wait for that; but `timeout -s INT` sends two
/// signals at once that mean one, and terminals that close send SIGHUP twice.
inline void handle(int signal) {
  if (held != 0) {
    waiting = signal;
    return;
  }
  if (loading != 0) {
    constexpr char kText[] = "neural_style: interrupted while loading; nothing is written\n";
    const auto ignored = write(STDERR_FILENO, kText, sizeof(kText) - 1);
    static_cast<void>(ignored);
    _exit(kBySignal + signal);
  }
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (interrupted == 0) {
    interrupted_at = now;
    interrupted = signal;
  } else if (signal == SIGINT && interrupted == SIGINT) {
    const auto milliseconds = (now.tv_sec - interrupted_at.tv_sec) * 1000 +
                              (now.tv_nsec - interrupted_at.tv_nsec) / 1000000;
    constexpr long kOneKeystroke = 100;
    if (milliseconds > kOneKeystroke) _exit(kBySignal + signal);
  }
}

/// A pipe that nobody reads, or a file too large, is an error of writing.
inline void ignore_failures() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace detail

/// From now on the signals that ask a program to end let it end in order, SIGHUP unless it is
/// ignored, as under nohup.
inline void catch_signals() {
  struct sigaction action {};
  action.sa_handler = detail::handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : kEndings) sigaddset(&action.sa_mask, signal);
  struct sigaction old {};
  for (const int signal : kEndings) {
    sigaction(signal, nullptr, &old);
    if (signal != SIGHUP || old.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  detail::ignore_failures();
}

/// From now on those signals wait in this thread, and in all that it starts, for who asks for them.
/// Returns which.
inline sigset_t block_signals() {
  sigset_t all;
  sigemptyset(&all);
  struct sigaction old {};
  for (const int signal : kEndings) {
    sigaction(signal, nullptr, &old);
    if (signal != SIGHUP || old.sa_handler != SIG_IGN) sigaddset(&all, signal);
  }
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  detail::ignore_failures();
  return all;
}

/// Keeps the signals of catch_signals() waiting for as long as it lives, whichever thread they come
/// to: no file is left half written.
class HoldSignals {
 public:
  HoldSignals() { detail::held = 1; }
  HoldSignals(const HoldSignals&) = delete;
  HoldSignals& operator=(const HoldSignals&) = delete;
  ~HoldSignals() {
    detail::held = 0;
    const int signal = detail::waiting;
    detail::waiting = 0;
    if (signal != 0) detail::handle(signal);
  }
};

/// All is loaded: from now on there is a picture to save.
inline void begin_painting() {
  detail::loading = 0;
}

/// Opens /dev/null where a standard stream is closed: else the next file that is opened would take
/// its number, and reports would be written into it.
inline void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    if (open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY) != stream) std::abort();
  }
}

}  // namespace neural_style
