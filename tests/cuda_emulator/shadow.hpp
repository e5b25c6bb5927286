#pragma once

// One bit for each byte of device memory: whether it was ever written.

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace emulator {

class Shadow {
 public:
  /// Over zeroed words, one for 64 bytes.
  explicit Shadow(std::uint64_t* words) : words_(words) {}

  void mark(std::size_t begin, std::size_t bytes) {
    for_each_word(begin, bytes, [](std::uint64_t& word, std::uint64_t mask) {
      word |= mask;
      return true;
    });
  }

  void clear(std::size_t begin, std::size_t bytes) {
    constexpr std::size_t kWholePages = std::size_t{1} << 21;  // bytes that 64 pages stand for
    if (bytes > 2 * kWholePages) {
      const std::size_t first = (begin + kWholePages - 1) / kWholePages * kWholePages;
      const std::size_t last = (begin + bytes) / kWholePages * kWholePages;
      ::madvise(words_ + first / 64, (last - first) / 8, MADV_DONTNEED);  // zeros when next read
      clear(begin, first - begin);
      clear(last, begin + bytes - last);
      return;
    }
    for_each_word(begin, bytes, [](std::uint64_t& word, std::uint64_t mask) {
      if ((word & mask) != 0) word &= ~mask;  // leaves untouched pages of the shadow untouched
      return true;
    });
  }

  bool all(std::size_t begin, std::size_t bytes) const {
    return for_each_word(begin, bytes, [](const std::uint64_t& word, std::uint64_t mask) {
      return (word & mask) == mask;
    });
  }

  /// The first byte in the range that was never written; its end when all were.
  std::size_t first_unwritten(std::size_t begin, std::size_t bytes) const {
    std::size_t at = begin;
    while (at < begin + bytes && all(at, 1)) ++at;
    return at;
  }

 private:
  /// Until visit returns false; whether it never did.
  template <class Visit>
  bool for_each_word(std::size_t begin, std::size_t bytes, const Visit& visit) const {
    const std::size_t end = begin + bytes;
    while (begin < end) {
      const std::size_t bit = begin % 64;
      const std::size_t bits = std::min<std::size_t>(64 - bit, end - begin);
      const std::uint64_t ones = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
      if (!visit(words_[begin / 64], ones << bit)) return false;
      begin += bits;
    }
    return true;
  }

  std::uint64_t* words_;
};

}  // namespace emulator
