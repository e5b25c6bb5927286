#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Fuzzers of pictures try thousands of small ones a second; a large one says nothing new.
#define SFUMATO_MOST_PIXELS (1 << 18)

#include "fuzz.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/image.hpp"

namespace fuzz {

/// The pictures among the fixtures whose names end so.
inline std::vector<std::string> pictures(std::string_view ending) {
  std::vector<std::filesystem::path> paths;
  const std::filesystem::path folder = std::filesystem::path(SFUMATO_TEST_FIXTURES) / "images";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(ending) && entry.file_size() < 20'000) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const auto& path : paths) seeds.push_back(read_bytes(path));
  return seeds;
}

/// Decodes a picture, converts it by its profile and turns it, with its alpha and over white.
inline int run_picture(const std::uint8_t* data, std::size_t size) {
  using sfumato::io::Alpha;
  const std::span<const std::uint8_t> bytes(data, size);
  run([&] { sfumato::io::detail::decode_image("input", bytes, Alpha::kKeep); });
  return run([&] { sfumato::io::detail::decode_image("input", bytes, Alpha::kOverWhite); });
}

}  // namespace fuzz
