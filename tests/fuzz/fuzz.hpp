#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "support/temporary_directory.hpp"

// A fuzzer is a source NAME_fuzz.cpp that defines these two. libFuzzer calls the second with inputs
// of its own making; driver.cpp with the seeds and mutations of them, the same each time.

/// Ordinary files, which the reader accepts.
std::vector<std::string> fuzz_seeds();

/// Reads one input. Whatever it holds, that must neither crash nor throw.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Whether anything of the last input has been read: a driver whose seeds are all refused tests
/// nothing.
inline bool accepted = false;

/// Runs `read`, which may throw an Error, as damaged files make it; its message must be one short
/// line. Any other exception goes on and ends the fuzzer.
template <class Read>
int run(const Read& read) {
  try {
    read();
    accepted = true;
  } catch (const sfumato::Error& error) {
    const std::string_view text = error.what();
    if (text.size() > 2000 || sfumato::printable(text) != text) {
      std::fprintf(stderr, "an error message of %zu bytes:\n%s\n", text.size(), error.what());
      std::abort();
    }
  }
  return 0;
}

/// Gives `read` the path of a file with these bytes.
template <class Read>
int run_with_file(const std::uint8_t* data, std::size_t size, const Read& read) {
  static const TemporaryDirectory folder;
  static const std::filesystem::path path = folder / "input";
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return run([&] { read(path); });
}

/// A file of tests/fixtures.
inline std::string fixture(const std::string& name) {
  return read_bytes(std::filesystem::path(SFUMATO_TEST_FIXTURES) / name);
}

/// What `write`, which is given a path, writes there.
template <class Write>
std::string written(const std::string& name, const Write& write) {
  const TemporaryDirectory folder;
  write(folder / name);
  return read_bytes(folder / name);
}

}  // namespace fuzz
