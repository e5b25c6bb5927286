// The pool: what it keeps, what it counts, and what it does when there is nothing left.

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sfumato/core/tensor.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "support/complaint.hpp"

namespace sfumato::core_pool_test {

namespace {

/// A device with little memory that counts what it gives, so that each test sees a pool of its own.
template <int Name>
struct Small {
  static constexpr bool kHostAccessible = true;
  static inline std::size_t room = 1 << 20;
  static inline std::map<void*, std::size_t> blocks = {};
  static inline std::vector<std::size_t> asked = {};

  static void* allocate(std::size_t bytes) {
    asked.push_back(bytes);
    if (bytes > room) return nullptr;
    room -= bytes;
    return blocks.emplace(std::malloc(bytes), bytes).first->first;
  }
  static void free(void* block) {
    REQUIRE(blocks.contains(block));
    room += blocks[block];
    blocks.erase(block);
    std::free(block);
  }
};

Pool<Cpu>& pool() {
  return Pool<Cpu>::shared();
}

}  // namespace

TEST_CASE("a freed block is handed out again instead of a new one") {
  auto& small = Pool<Small<0>>::shared();
  void* first = small.allocate(1000).data();
  CHECK(small.allocate(1000).data() == first);
  CHECK(small.allocate(900).data() == first);
  CHECK(small.statistics().system_allocations == 1);
  // While it is in use, it is nobody else's.
  const auto held = small.allocate(1000);
  const auto other = small.allocate(1000);
  CHECK(held.data() == first);
  CHECK(other.data() != first);
  CHECK(small.statistics().system_allocations == 2);
}

TEST_CASE("a block that would waste more than an eighth of itself stays in the pool") {
  auto& small = Pool<Small<1>>::shared();
  small.allocate(64 * 1024);
  small.allocate(56 * 1024);  // exactly an eighth: reused
  CHECK(small.statistics().system_allocations == 1);
  small.allocate(52 * 1024);
  CHECK(small.statistics().system_allocations == 2);
  // The smallest that fits is chosen: 52 KiB, not 64.
  const auto block = small.allocate(52 * 1024);
  CHECK(small.statistics().bytes_in_use == 52 * 1024);
}

TEST_CASE("a large block is cut to size and grows together again") {
  constexpr std::size_t kMebi = 1 << 20;
  Small<5>::room = 16 * kMebi;
  auto& small = Pool<Small<5>>::shared();
  auto whole = small.allocate(8 * kMebi);
  auto* const begin = static_cast<std::byte*>(whole.data());
  whole = {};
  auto first = small.allocate(3 * kMebi);
  auto second = small.allocate(2 * kMebi);
  auto third = small.allocate(3 * kMebi);
  CHECK(first.data() == begin);
  CHECK(second.data() == begin + 3 * kMebi);
  CHECK(third.data() == begin + 5 * kMebi);
  CHECK(small.statistics().system_allocations == 1);
  CHECK(small.statistics().bytes_in_use == 8 * kMebi);
  // The hole in the middle serves what fits into it, and nothing larger.
  second = {};
  CHECK(small.allocate(2 * kMebi).data() == begin + 3 * kMebi);
  CHECK(small.allocate(4 * kMebi).data() != begin);
  CHECK(small.statistics().system_allocations == 2);
  // A block of which a part is in use stays; the other goes.
  small.trim();
  CHECK(small.statistics().bytes_held == 8 * kMebi);
  third = {};
  first = {};
  CHECK(small.allocate(8 * kMebi).data() == begin);
  CHECK(small.statistics().system_allocations == 2);
  small.trim();
  CHECK(small.statistics().bytes_held == 0);
  CHECK(Small<5>::blocks.empty());
}

namespace {
struct Paged : Small<7> {
  static constexpr std::size_t kHugePage = 1 << 21;
};
}  // namespace

TEST_CASE("large blocks share the huge pages of a device that has them") {
  constexpr std::size_t kMebi = 1 << 20;
  Paged::room = 16 * kMebi;
  auto& paged = Pool<Paged>::shared();
  const auto large = paged.allocate(3 * kMebi);
  const auto smaller = paged.allocate(kMebi / 2);
  CHECK(smaller.data() == static_cast<std::byte*>(large.data()) + 3 * kMebi);
  const auto small = paged.allocate(kMebi / 16);  // is none of theirs
  CHECK(Paged::asked == std::vector<std::size_t>{4 * kMebi, kMebi / 16});
}

TEST_CASE("pages that wait in pieces make a larger block, which takes no more memory") {
  constexpr std::size_t kMebi = 1 << 20;
  const auto pages = Pool<Cpu>::make();
  const auto held = [&] { return pages->statistics().bytes_held; };
  pages->allocate(12 * kMebi);
  auto first = pages->allocate(3 * kMebi);
  auto middle = pages->allocate(2 * kMebi);
  auto last = pages->allocate(7 * kMebi);
  auto apart = pages->allocate(2 * kMebi);
  std::memset(middle.data(), 7, 2 * kMebi);
  std::memset(first.data(), 1, 3 * kMebi);
  std::memset(last.data(), 1, 7 * kMebi);
  first = last = apart = {};
  CHECK(held() == 14 * kMebi);
  const auto asked = pages->statistics().system_allocations;
  // A page of the first, three of the last, and one that was alone.
  auto whole = pages->allocate(10 * kMebi - 4096);
  std::memset(whole.data(), 2, 10 * kMebi - 4096);
  CHECK(held() == 14 * kMebi);
  CHECK(pages->statistics().system_allocations == asked);
  // What is left on both sides of the middle grows together with it, and serves others.
  for (std::size_t i = 0; i < 2 * kMebi; ++i) REQUIRE(middle.data()[i] == std::byte{7});
  auto* const before = middle.data() - kMebi;
  middle = {};
  const auto four = pages->allocate(4 * kMebi);
  CHECK(four.data() == before);
  std::memset(four.data(), 3, 4 * kMebi);
  CHECK(whole.data()[0] == std::byte{2});
  // What pages are missing comes from the system.
  whole = {};
  const auto larger = pages->allocate(16 * kMebi);
  std::memset(larger.data(), 4, 16 * kMebi);
  CHECK(held() == 20 * kMebi);
  CHECK(pages->statistics().system_allocations == asked + 1);
  CHECK(four.data()[4 * kMebi - 1] == std::byte{3});
  pages->trim();
  CHECK(held() == 20 * kMebi);
}

TEST_CASE("a rest too small to serve a large request is not cut off") {
  constexpr std::size_t kMebi = 1 << 20;
  Small<6>::room = 8 * kMebi;
  auto& small = Pool<Small<6>>::shared();
  small.allocate(3 * kMebi);
  const auto most = small.allocate(3 * kMebi - 4096);
  CHECK(small.statistics().bytes_in_use == 3 * kMebi);
  CHECK(small.statistics().system_allocations == 1);
}

TEST_CASE("sizes are rounded up, small ones to 256 bytes and large ones to pages") {
  auto& small = Pool<Small<2>>::shared();
  for (const std::size_t bytes : {0U, 1U, 256U, 257U, 4096U, 4097U, 8193U}) small.allocate(bytes);
  // 0, 1 and 256 bytes share one block.
  CHECK(Small<2>::asked == std::vector<std::size_t>{256, 512, 4096, 8192, 12288});
}

TEST_CASE("statistics follow what is handed out, returned and trimmed") {
  auto& small = Pool<Small<3>>::shared();
  auto first = small.allocate(4096);
  auto second = small.allocate(8192);
  CHECK(small.statistics().bytes_in_use == 12288);
  CHECK(small.statistics().bytes_held == 12288);
  CHECK(small.statistics().peak_bytes_in_use == 12288);
  first = {};
  CHECK(small.statistics().bytes_in_use == 8192);
  CHECK(small.statistics().bytes_held == 12288);
  CHECK(small.statistics().peak_bytes_in_use == 12288);
  small.reset_peak();
  CHECK(small.statistics().peak_bytes_in_use == 8192);
  small.trim();
  CHECK(small.statistics().bytes_held == 8192);
  CHECK(Small<3>::blocks.size() == 1);
  // What is in use survives trim() and can be returned afterwards.
  std::memset(second.data(), 7, 8192);
  second = {};
  small.trim();
  CHECK(Small<3>::blocks.empty());
  CHECK(small.statistics().bytes_held == 0);
  CHECK(small.statistics().bytes_in_use == 0);
  CHECK(small.statistics().system_allocations == 2);
}

TEST_CASE("when the system has no more, waiting blocks are given back before giving up") {
  auto& small = Pool<Small<4>>::shared();
  small.allocate(768 << 10);  // now waits, in a size too small for the next request
  const auto block = small.allocate(1000 << 10);
  CHECK(block.data() != nullptr);
  CHECK(Small<4>::blocks.size() == 1);
  CHECK(small.statistics().bytes_held == 1000 << 10);
  CHECK(complaint([&] { small.allocate(100 << 10); }) ==
        "pool: the system has no 102400 bytes left; 1024000 bytes are in use by tensors");
  // The failure left nothing behind.
  CHECK(small.statistics().bytes_held == 1000 << 10);
  CHECK(small.statistics().bytes_in_use == 1000 << 10);
  CHECK(small.allocate(4096).data() != nullptr);
}

TEST_CASE("a request that no machine can serve is a ResourceError, not a crash") {
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  CHECK(complaint([] { pool().allocate(kAll); }) ==
        "pool: 18446744073709551615 bytes is more than a program can address");
  CHECK(complaint([] { pool().allocate(kAll / 2 + 1); }) ==
        "pool: 9223372036854775808 bytes is more than a program can address");
  CHECK_THROWS_AS(pool().allocate(kAll), ResourceError);
  const std::string in_use = std::to_string(pool().statistics().bytes_in_use);
  CHECK(complaint([] { Tensor<double>::empty({1LL << 58}); }) ==
        "pool: the system has no 2305843009213693952 bytes left; " + in_use +
            " bytes are in use by tensors");
  CHECK_THROWS_AS(Tensor<double>::empty({1LL << 50}), ResourceError);
  CHECK_THROWS_AS(Tensor<double>::empty({1LL << 59}), ResourceError);
  CHECK(Tensor<double>::zeros({10}).at({9}) == 0.0);
}

TEST_CASE("tensors return their block when the last of those who share it goes") {
  const std::size_t before = pool().statistics().bytes_in_use;
  auto view = Tensor<float>::zeros({64, 64}).reshape({4096});
  CHECK(pool().statistics().bytes_in_use == before + 4096 * sizeof(float));
  const Tensor<float> handle = view;
  view = Tensor<float>();
  CHECK(pool().statistics().bytes_in_use == before + 4096 * sizeof(float));
  CHECK(handle.at({4095}) == 0.0F);
}

TEST_CASE("blocks are aligned for vector instructions") {
  for (std::int64_t elements = 1; elements < 3000; elements = elements * 3 + 1) {
    const auto x = Tensor<std::uint8_t>::empty({elements});
    CHECK(reinterpret_cast<std::uintptr_t>(x.data()) % 64 == 0);
  }
}

TEST_CASE("a repeated step asks the system for nothing") {
  const auto step = [] {
    const auto a = Tensor<float>::ones({123, 45});
    const auto b = a.clone();
    return a.reshape({-1}).cast<double>().numel() + b.numel();
  };
  step();
  const auto allocations = pool().statistics().system_allocations;
  for (int i = 0; i < 10; ++i) CHECK(step() == 2 * 123 * 45);
  CHECK(pool().statistics().system_allocations == allocations);
}

TEST_CASE("several threads allocate, share and free at once") {
  const std::size_t before = pool().statistics().bytes_in_use;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      std::vector<Tensor<std::int64_t>> kept;
      for (std::int64_t i = 0; i < 400; ++i) {
        const std::int64_t value = t * 1000 + i;
        kept.push_back(Tensor<std::int64_t>::full({1 + i * 7 % 37}, value));
        if (kept.size() > 20) kept.erase(kept.begin(), kept.begin() + 15);
        if (i % 100 == 50) pool().trim();
        // A block handed to two owners would show the other's value.
        for (std::size_t age = 0; age < kept.size(); ++age) {
          const auto& tensor = kept[kept.size() - 1 - age];
          const auto expected = value - static_cast<std::int64_t>(age);
          for (const std::int64_t element : tensor.span()) wrong += element != expected;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(pool().statistics().bytes_in_use == before);
  CHECK(pool().statistics().bytes_held >= before);
}

TEST_CASE("in a scope, memory comes from another pool, which lives as long as its blocks") {
  using Device = Small<20>;
  const std::size_t room = Device::room;
  Storage kept;
  {
    const auto other = Pool<Device>::make();
    CHECK(&Pool<Device>::current() == &Pool<Device>::shared());
    {
      const PoolScope<Device> scope(other);
      CHECK(&Pool<Device>::current() == other.get());
      std::thread([] {  // the scope is this thread's alone
        CHECK(&Pool<Device>::current() == &Pool<Device>::shared());
      })
          .join();
      kept = Pool<Device>::current().allocate(1000);
      Pool<Device>::current().allocate(5000);
    }
    CHECK(&Pool<Device>::current() == &Pool<Device>::shared());
    CHECK(other->statistics().bytes_in_use == 1024);
    CHECK(Pool<Device>::shared().statistics().bytes_held == 0);
  }
  CHECK(Device::blocks.size() == 2);
  kept = {};
  CHECK(Device::blocks.empty());
  CHECK(Device::room == room);
}

}  // namespace sfumato::core_pool_test
