#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sfumato::detail {

/// The generator that the standard library calls mt19937_64, with its state in the open: Matsumoto
/// and Nishimura, "Mersenne Twister" (1998), in Nishimura's version for 64 bits (2000).
struct MersenneTwister {
  static constexpr std::size_t kWords = 312;

  explicit MersenneTwister(std::uint64_t seed) {
    words[0] = seed;
    for (std::size_t i = 1; i < kWords; ++i) {
      words[i] = 0x5851f42d4c957f2dULL * (words[i - 1] ^ (words[i - 1] >> 62)) + i;
    }
  }

  std::uint64_t operator()() {
    if (position == kWords) twist();
    std::uint64_t x = words[position++];
    x ^= (x >> 29) & 0x5555555555555555ULL;
    x ^= (x << 17) & 0x71d67fffeda60000ULL;
    x ^= (x << 37) & 0xfff7eee000000000ULL;
    return x ^ (x >> 43);
  }

  std::array<std::uint64_t, kWords> words{};
  std::size_t position = kWords;  // of the next word; at the end, all have been used

 private:
  void twist() {
    constexpr std::uint64_t kLower = (std::uint64_t{1} << 31) - 1;
    for (std::size_t i = 0; i < kWords; ++i) {
      const std::uint64_t x = (words[i] & ~kLower) | (words[(i + 1) % kWords] & kLower);
      const std::uint64_t odd = (x & 1) != 0 ? 0xb5026f5aa96619e9ULL : 0;
      words[i] = words[(i + kWords / 2) % kWords] ^ (x >> 1) ^ odd;
    }
    position = 0;
  }
};

}  // namespace sfumato::detail
