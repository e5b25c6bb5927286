// Shapes: what they hold, how they print, how they broadcast, and what they refuse.

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sfumato/core/geometry.hpp"
#include "sfumato/core/loops.hpp"
#include "sfumato/core/shape.hpp"
#include "support/complaint.hpp"

namespace sfumato::core_shape_test {

namespace {
constexpr std::int64_t kMost = std::int64_t{1} << 59;

Shape shape_of(const std::vector<std::int64_t>& extents) {
  return Shape(std::span<const std::int64_t>(extents));
}
}  // namespace

TEST_CASE("shapes know their extents and print like Python's") {
  const Shape shape{64, 3, 3, 5};
  CHECK(shape.rank() == 4);
  CHECK(shape[0] == 64);
  CHECK(shape[-1] == 5);
  CHECK(shape[-4] == 64);
  CHECK(shape.numel() == 2880);
  CHECK(shape.to_string() == "(64, 3, 3, 5)");
  CHECK(Shape{5}.to_string() == "(5,)");
  CHECK(Shape{}.to_string() == "()");
  CHECK(message("a ", Shape{1, 2}, " b") == "a (1, 2) b");
  CHECK(std::vector<std::int64_t>(shape.begin(), shape.end()) ==
        std::vector<std::int64_t>{64, 3, 3, 5});
}

TEST_CASE("a scalar has one element and an empty shape none") {
  CHECK(Shape{}.rank() == 0);
  CHECK(Shape().numel() == 1);
  CHECK(Shape{0}.numel() == 0);
  CHECK(Shape{2, 0, 3}.numel() == 0);
}

TEST_CASE("shapes are equal when all their extents are") {
  CHECK(Shape{2, 3} == shape_of({2, 3}));
  CHECK(Shape{} == Shape());
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK_FALSE(Shape{0} == Shape{});
}

TEST_CASE("with changes one extent of a copy and push_back adds the innermost") {
  const Shape shape{2, 3, 4};
  CHECK(shape.with(1, 7) == Shape{2, 7, 4});
  CHECK(shape.with(-1, 0) == Shape{2, 3, 0});
  CHECK(shape == Shape{2, 3, 4});
  Shape grown;
  for (const std::int64_t extent : {4, 5}) grown.push_back(extent);
  CHECK(grown == Shape{4, 5});
  // Replacing a huge extent forgets its size.
  CHECK(Shape{kMost, 1}.with(0, 2).with(1, 3).numel() == 6);
}

TEST_CASE("a shape has at most eight dimensions") {
  const Shape eight{1, 2, 1, 2, 1, 2, 1, 2};
  CHECK(eight.rank() == kMaxRank);
  CHECK(eight.numel() == 16);
  CHECK(eight[7] == 2);
  CHECK(complaint([] {
          shape_of({1, 1, 1, 1, 1, 1, 1, 1, 1});
        }) == "shape: 9 dimensions, but at most 8 are supported");
  Shape grown = eight;
  CHECK(complaint([&] { grown.push_back(1); }) == "shape: more than 8 dimensions");
  CHECK(grown == eight);
  CHECK_THROWS_AS(grown.push_back(1), ShapeError);
}

TEST_CASE("negative extents are refused") {
  CHECK(complaint([] { shape_of({2, -1}); }) == "shape: extent -1 is negative");
  CHECK(complaint([] { shape_of({std::numeric_limits<std::int64_t>::min()}); }) ==
        "shape: extent -9223372036854775808 is negative");
  CHECK(complaint([] { Shape({2, 3}).with(0, -4); }) == "shape: extent -4 is negative");
  CHECK_THROWS_AS(shape_of({-1}), ShapeError);
}

TEST_CASE("the number of elements never overflows") {
  CHECK(Shape{kMost}.numel() == kMost);
  CHECK(Shape{kMost / 2, 2}.numel() == kMost);
  CHECK(complaint([] { shape_of({kMost + 1}); }) ==
        "shape: () times 576460752303423489 has too many elements");
  CHECK(complaint([] {
          shape_of({kMost / 2, 3});
        }) == "shape: (288230376151711744,) times 3 has too many elements");
  CHECK(complaint([] {
          shape_of({std::int64_t{1} << 32, std::int64_t{1} << 32});
        }) == "shape: (4294967296,) times 4294967296 has too many elements");
  // An extent of zero hides no overflow: strides and reductions use the others.
  CHECK(complaint([] {
          shape_of({kMost, 0, 2});
        }) == "shape: (576460752303423488, 0) times 2 has too many elements");
  CHECK(complaint([] {
          Shape({kMost, 1}).with(1, 2);
        }) == "shape: (576460752303423488,) times 2 has too many elements");
  CHECK_THROWS_AS(shape_of({kMost, kMost}), ShapeError);
}

TEST_CASE("axes outside the shape are refused") {
  const Shape shape{64, 3, 3, 3};
  CHECK(shape.normalize_axis(-4) == 0);
  CHECK(shape.normalize_axis(3) == 3);
  CHECK(complaint([&] { static_cast<void>(shape[4]); }) ==
        "shape: axis 4 is out of range for (64, 3, 3, 3), which has 4 dimensions");
  CHECK(complaint([&] { static_cast<void>(shape[-5]); }) ==
        "shape: axis -5 is out of range for (64, 3, 3, 3), which has 4 dimensions");
  CHECK(complaint([] { Shape().normalize_axis(0); }) ==
        "shape: axis 0 is out of range for (), which has 0 dimensions");
  CHECK(complaint([] { Shape({2}).with(1, 1); }) ==
        "shape: axis 1 is out of range for (2,), which has 1 dimensions");
  CHECK_THROWS_AS(static_cast<void>(shape[std::numeric_limits<int>::min()]), ShapeError);
}

TEST_CASE("dense strides are the products of the extents that follow") {
  CHECK(row_major_strides({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(row_major_strides({5}) == Strides{1});
  CHECK(row_major_strides({}) == Strides{});
  CHECK(row_major_strides({2, 2, 2, 2, 2, 2, 2, 2}) == Strides{128, 64, 32, 16, 8, 4, 2, 1});
}

TEST_CASE("broadcast strides repeat what is missing or has extent one") {
  CHECK(broadcast_strides({3, 1}, {2, 3, 4}) == Strides{0, 1, 0});
  CHECK(broadcast_strides({2, 3, 4}, {2, 3, 4}) == Strides{12, 4, 1});
  CHECK(broadcast_strides({}, {2, 3}) == Strides{});
  CHECK(broadcast_strides({4, 3}, {5, 4, 3}) == Strides{0, 3, 1});
}

TEST_CASE("broadcasting follows NumPy") {
  CHECK(broadcast_shapes("op", {4, 1, 3}, {2, 1}) == Shape{4, 2, 3});
  CHECK(broadcast_shapes("op", {2, 1}, {4, 1, 3}) == Shape{4, 2, 3});
  CHECK(broadcast_shapes("op", {}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {}, {}) == Shape{});
  CHECK(broadcast_shapes("op", {1}, {0}) == Shape{0});
  CHECK(broadcast_shapes("op", {0, 3}, {1, 1}) == Shape{0, 3});
  CHECK(broadcast_shapes("op", {1, 1, 1, 1, 1, 1, 1, 2}, {3, 1}) == Shape{1, 1, 1, 1, 1, 1, 3, 2});
  CHECK(complaint([] {
          broadcast_shapes("add", {2, 3}, {4, 3});
        }) ==
        "add: shapes (2, 3) and (4, 3) do not broadcast together: extents must agree or be "
        "1, aligned at the last dimension");
  CHECK(complaint([] { broadcast_shapes("mul", {0}, {2}); }) ==
        "mul: shapes (0,) and (2,) do not broadcast together: extents must agree or be 1, "
        "aligned at the last dimension");
  CHECK_THROWS_AS(broadcast_shapes("op", {2, 3}, {2}), ShapeError);
  // Two shapes that exist can have a broadcast shape that can't.
  CHECK(complaint([] {
          broadcast_shapes("op", {std::int64_t{1} << 40, 1}, {std::int64_t{1} << 40});
        }) == "shape: (1099511627776,) times 1099511627776 has too many elements");
}

TEST_CASE("broadcasts_to asks in one direction only") {
  CHECK(broadcasts_to({3, 1}, {2, 3, 4}));
  CHECK(broadcasts_to({}, {}));
  CHECK(broadcasts_to({1}, {0}));
  CHECK(broadcasts_to({2, 3}, {2, 3}));
  CHECK_FALSE(broadcasts_to({2, 3}, {3}));
  CHECK_FALSE(broadcasts_to({2}, {1}));
  CHECK_FALSE(broadcasts_to({0}, {1}));
  CHECK_FALSE(broadcasts_to({2, 1}, {3, 4}));
}

TEST_CASE("window_count counts the places of a window") {
  CHECK(window_count(7, 3, 1, 0) == 5);
  CHECK(window_count(7, 3, 2, 1) == 4);
  CHECK(window_count(7, 3, 3, 0) == 2);
  CHECK(window_count(7, 3, 1, 0, 3) == 1);
  CHECK(window_count(6, 3, 1, 0, 3) == 0);
  CHECK(window_count(2, 3, 5, 0) == 0);
  CHECK(window_count(0, 1, 1, 0) == 0);
}

TEST_CASE("an extent of more than 32 bits is walked by small and by large indices") {
  constexpr std::int64_t kLong = (std::int64_t{1} << 32) + 5;
  Strides strides{};
  strides[0] = 1;
  strides[1] = 7;
  strides[2] = 3;
  const sfumato::detail::StridedLoops<1> loops(Shape{3, kLong, 2}, {strides});
  CHECK(loops.offsets(13)[0] == 3 + 6 * 7);
  CHECK(loops.offsets(2 * (kLong - 1))[0] == (kLong - 1) * 7);
  CHECK(loops.offsets(2 * (2 * kLong + 4) + 1)[0] == 3 + 4 * 7 + 2);
}

}  // namespace sfumato::core_shape_test
