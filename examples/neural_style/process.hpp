#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include "sfumato/core/error.hpp"

namespace neural_style {

/// How a program ended, and what it printed.
struct Finished {
  int status;          ///< 0 if all went well
  std::string output;  ///< of both streams, a megabyte at most
};

/// Runs a program of $PATH in a folder, without a shell and with nothing to read, to its end.
/// Throws IoError where there is no such program.
inline Finished run_process(const std::vector<std::string>& words, const std::string& folder) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw sfumato::IoError(words[0] + ": " + std::generic_category().message(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  pid_t process = 0;
  const int error = posix_spawnp(&process, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Finished finished{};
  constexpr std::size_t kMost = std::size_t{1} << 20;
  std::array<char, 4096> part{};
  while (error == 0) {
    const ssize_t size = read(ends[0], part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    const std::size_t room = kMost - finished.output.size();
    finished.output.append(part.data(), std::min(static_cast<std::size_t>(size), room));
  }
  close(ends[0]);
  if (error != 0) {
    throw sfumato::IoError(words[0] + ": " + std::generic_category().message(error));
  }
  while (waitpid(process, &finished.status, 0) < 0 && errno == EINTR) {
  }
  return finished;
}

}  // namespace neural_style
