#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "sfumato/core/error.hpp"
#include "sfumato/core/random.hpp"
#include "temporary_directory.hpp"

/// Gives `read` the file cut off at many places and with single bytes changed. It must throw a
/// sfumato::Error or succeed; anything else, a crash or another exception, fails the test.
template <class Read>
void check_hostile_copies(const std::string& bytes, const std::string& name, const Read& read) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder / name;
  const auto survives = [&](const std::string& content) {
    write_bytes(path, content);
    try {
      read(path);
    } catch (const sfumato::Error&) {
    }
  };
  const std::size_t step = bytes.size() / 400 + 1;
  for (std::size_t length = 0; length < bytes.size(); length += step) {
    CHECK_NOTHROW(survives(bytes.substr(0, length)));
  }
  sfumato::Random random(1);
  for (int i = 0; i < 600; ++i) {
    std::string changed = bytes;
    // Headers are where damage matters most.
    const auto reach = static_cast<std::int64_t>(i % 2 == 0 ? bytes.size() : bytes.size() / 4 + 1);
    changed[static_cast<std::size_t>(random.below(reach))] = static_cast<char>(random.below(256));
    CHECK_NOTHROW(survives(changed));
  }
}
