// Whole numbers rounded up.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

#include "sfumato/sfumato.hpp"

namespace sfumato::core_division_test {

TEST_CASE("quotients and multiples are rounded up") {
  static_assert(ceil_div(0, 4) == 0 && ceil_div(1, 4) == 1);
  static_assert(ceil_div(4, 4) == 1 && ceil_div(5, 4) == 2);
  static_assert(round_up(0, 4) == 0 && round_up(1, 4) == 4);
  static_assert(round_up(8, 4) == 8 && round_up(9, 4) == 12);
  CHECK(ceil_div(std::int64_t{1} << 40, 3) == 366503875926);
  CHECK(round_up(std::size_t{4097}, 4096) == 8192);
}

}  // namespace sfumato::core_division_test
