// Arrays that are handed to other libraries and taken from them.

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "sfumato/io/dlpack.hpp"
#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"

namespace sfumato::io_dlpack_test {
using io::DLManagedTensorVersioned;

namespace {

/// An array of another library, which counts how often it is released.
template <class T>
struct Foreign {
  explicit Foreign(std::vector<T> numbers, std::vector<std::int64_t> extents)
      : values(std::move(numbers)), shape(std::move(extents)) {
    const auto own = Tensor<T>::zeros({});
    DLManagedTensorVersioned* like = io::to_dlpack(own);
    managed.dl_tensor.dtype = like->dl_tensor.dtype;
    like->deleter(like);
    managed.version = {1, 1};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensorVersioned* self) {
      ++static_cast<Foreign*>(self->manager_ctx)->released;
    };
    managed.dl_tensor.data = values.data();
    managed.dl_tensor.device = {1, 0};
    managed.dl_tensor.ndim = static_cast<std::int32_t>(shape.size());
    managed.dl_tensor.shape = shape.data();
  }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;

  std::vector<T> values;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  DLManagedTensorVersioned managed{};
  int released = 0;
};

using Floats = std::vector<float>;

/// What from_dlpack<T>() says of it; it must have released it.
template <class T>
std::string refusal(Foreign<float>& array) {
  const int before = array.released;
  const std::string text = complaint([&] { io::from_dlpack<T>(&array.managed); });
  CHECK(array.released == before + 1);
  return text;
}

}  // namespace

TEST_CASE_TEMPLATE("a tensor is handed out and taken back without a copy", T, float, double, Half,
                   BFloat16, std::uint8_t, std::int32_t, std::int64_t) {
  auto x = Tensor<float>::arange(6).cast<T>().reshape({2, 3});
  const T* const place = x.data();
  const auto version = x.version();
  DLManagedTensorVersioned* managed = io::to_dlpack(x);
  CHECK(x.version() != version);
  CHECK(managed->version.major == 1);
  CHECK(managed->flags == 0);
  CHECK(managed->dl_tensor.data == place);
  CHECK(managed->dl_tensor.ndim == 2);
  CHECK(managed->dl_tensor.shape[1] == 3);
  CHECK(managed->dl_tensor.strides[0] == 3);
  CHECK(managed->dl_tensor.strides[1] == 1);
  CHECK(managed->dl_tensor.dtype.bits == 8 * sizeof(T));
  CHECK(managed->dl_tensor.device.device_type == 1);
  x = Tensor<T>();  // the memory stays
  Tensor<T> back = io::from_dlpack<T>(managed);
  CHECK(std::as_const(back).data() == place);
  CHECK(back.shape() == Shape{2, 3});
  CHECK(back.at({1, 2}) == T(5));
}

TEST_CASE("memory of another library is used in place and released once") {
  Foreign<float> array({1, 2, 3, 4, 5, 6}, {3, 2});
  {
    auto x = io::from_dlpack<float>(&array.managed);
    CHECK(x.data() == array.values.data());
    auto row = x.reshape({6});
    x = Tensor<float>();
    array.values[5] = 60;
    CHECK(row.to_vector() == Floats{1, 2, 3, 4, 5, 60});
    row.set({0}, 10);
    CHECK(array.values[0] == 10);
    // Somebody else may look at it, so nothing is computed in it.
    CHECK(!row.owns_alone());
    CHECK(array.released == 0);
  }
  CHECK(array.released == 1);
  // Other libraries may leave out the strides, or say anything where there is but one element.
  array.shape = {3, 1, 2};
  array.managed.dl_tensor.shape = array.shape.data();
  array.managed.dl_tensor.ndim = 3;
  array.strides = {2, -77, 1};
  array.managed.dl_tensor.strides = array.strides.data();
  CHECK(io::from_dlpack<float>(&array.managed).data() == array.values.data());
  CHECK(array.released == 2);
}

TEST_CASE("what can't be used in place is copied and released at once") {
  Foreign<float> array({0, 1, 2, 3, 4, 5}, {3, 2});
  const auto copied = [&] {
    const int before = array.released;
    const auto x = io::from_dlpack<float>(&array.managed);
    CHECK(array.released == before + 1);
    CHECK(x.owns_alone());
    return x.to_vector();
  };
  SUBCASE("transposed") {
    array.strides = {1, 3};
    array.managed.dl_tensor.strides = array.strides.data();
    CHECK(copied() == Floats{0, 3, 1, 4, 2, 5});
  }
  SUBCASE("backwards, from an offset") {
    array.strides = {-2, -1};
    array.managed.dl_tensor.strides = array.strides.data();
    array.managed.dl_tensor.byte_offset = 5 * sizeof(float);
    CHECK(copied() == Floats{5, 4, 3, 2, 1, 0});
  }
  SUBCASE("repeated") {
    array.strides = {0, 1};
    array.managed.dl_tensor.strides = array.strides.data();
    CHECK(copied() == Floats{0, 1, 0, 1, 0, 1});
  }
  SUBCASE("read-only") {
    array.managed.flags = 1;
    CHECK(copied() == Floats{0, 1, 2, 3, 4, 5});
  }
  SUBCASE("between two places for floats") {
    std::vector<std::byte> bytes(6 * sizeof(float) + 1);
    std::memcpy(bytes.data() + 1, array.values.data(), 6 * sizeof(float));
    array.managed.dl_tensor.data = bytes.data();
    array.managed.dl_tensor.byte_offset = 1;
    CHECK(copied() == Floats{0, 1, 2, 3, 4, 5});
  }
}

TEST_CASE("an offset is no reason to copy, and neither are scalars, empty arrays and bools") {
  Foreign<float> array({0, 1, 2, 3}, {2});
  array.managed.dl_tensor.byte_offset = 8;
  CHECK(io::from_dlpack<float>(&array.managed).data() == array.values.data() + 2);
  array.managed.dl_tensor.ndim = 0;
  array.managed.dl_tensor.shape = nullptr;
  CHECK(io::from_dlpack<float>(&array.managed).item() == 2.0F);
  array.shape = {0};
  array.managed.dl_tensor.ndim = 1;
  array.managed.dl_tensor.shape = array.shape.data();
  array.managed.dl_tensor.data = nullptr;
  const auto nothing = io::from_dlpack<float>(&array.managed);
  CHECK(nothing.defined());
  CHECK(nothing.shape() == Shape{0});
  CHECK(array.released == 3);
  Foreign<std::uint8_t> bools({1, 0, 1}, {3});
  bools.managed.dl_tensor.dtype.code = 6;
  CHECK(io::from_dlpack<std::uint8_t>(&bools.managed).to_vector() ==
        std::vector<std::uint8_t>{1, 0, 1});
}

TEST_CASE("a const tensor is handed out as read-only, and its version stays") {
  auto x = Tensor<double>::ones({2});
  const auto version = x.version();
  DLManagedTensorVersioned* const managed = io::to_dlpack(std::as_const(x));
  CHECK(x.version() == version);
  CHECK(managed->flags == 1);
  CHECK(!x.owns_alone());
  auto copy = io::from_dlpack<double>(managed);
  CHECK(x.owns_alone());
  copy.set({0}, 5);
  CHECK(x.at({0}) == 1.0);
}

TEST_CASE("what is not understood is refused and released") {
  CHECK(complaint([] { io::from_dlpack<float>(nullptr); }) == "from_dlpack: there is no array");
  CHECK(complaint([] {
          Tensor<float> none;
          io::to_dlpack(none);
        }) == "to_dlpack: the tensor is undefined");
  Foreign<float> array({1, 2}, {2});
  CHECK(refusal<double>(array) ==
        "from_dlpack: the elements are of DLPack's type 2 with 32 bits and 1 lanes, but 2 with 64 "
        "bits and 1 lane is asked for");
  CHECK(refusal<std::int32_t>(array).starts_with("from_dlpack: the elements are of DLPack's type"));
  array.managed.dl_tensor.dtype.lanes = 2;
  CHECK(refusal<float>(array).find("and 2 lanes") != std::string::npos);
  array.managed.dl_tensor.dtype.lanes = 1;
  array.managed.version = {2, 3};
  CHECK(refusal<float>(array) ==
        "from_dlpack: version 2.3 of DLPack has another layout than version 1, which is "
        "understood");
  array.managed.version = {1, 9};
  array.managed.dl_tensor.device.device_type = 2;
  CHECK(refusal<float>(array) ==
        "from_dlpack: the array is on a device of DLPack's type 2; copy it to the processor's "
        "memory first");
  array.managed.dl_tensor.device.device_type = 1;
  array.managed.dl_tensor.ndim = -1;
  CHECK(refusal<float>(array) == "from_dlpack: the array has -1 dimensions and a shape");
  array.managed.dl_tensor.ndim = 1;
  array.managed.dl_tensor.shape = nullptr;
  CHECK(refusal<float>(array) == "from_dlpack: the array has 1 dimensions and no shape");
  array.shape = {-2};
  array.managed.dl_tensor.shape = array.shape.data();
  CHECK(refusal<float>(array) == "shape: extent -2 is negative");
  array.shape = std::vector<std::int64_t>(9, 1);
  array.managed.dl_tensor.shape = array.shape.data();
  array.managed.dl_tensor.ndim = 9;
  CHECK(refusal<float>(array) == "shape: 9 dimensions, but at most 8 are supported");
  array.managed.dl_tensor.ndim = 1;
  array.managed.dl_tensor.data = nullptr;
  CHECK(refusal<float>(array) == "from_dlpack: an array of the shape (1,) without memory");
}

TEST_CASE("gradients are not added up in memory of another library") {
  Foreign<float> array({1, 2}, {2});
  Variable<float> x(Tensor<float>::ones({2}), true);
  x.set_grad(Variable<float>(io::from_dlpack<float>(&array.managed)));
  ops::sum(x).backward();
  CHECK(x.grad().value().to_vector() == Floats{2, 3});
  CHECK(array.values == Floats{1, 2});
}

TEST_CASE("no kernel reads beyond an array that ends where memory does") {
  constexpr std::size_t kBytes = 1 << 16;
  void* const mapped =
      mmap(nullptr, 2 * kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  REQUIRE(mprotect(static_cast<std::byte*>(mapped) + kBytes, kBytes, PROT_NONE) == 0);
  const auto at_the_end = [&](std::vector<std::int64_t> extents) {
    auto array = std::make_unique<Foreign<float>>(Floats{}, std::move(extents));
    const Shape shape(array->shape);
    const auto bytes = static_cast<std::size_t>(shape.numel()) * sizeof(float);
    array->managed.dl_tensor.data = static_cast<std::byte*>(mapped) + kBytes - bytes;
    return array;
  };
  for (const std::int64_t side : {5, 16, 23}) {
    CAPTURE(side);
    const auto image = at_the_end({1, 4, side, side});
    const auto filters = at_the_end({8, 4, 3, 3});
    const auto matrix = at_the_end({side, side});
    const Variable<float> x(io::from_dlpack<float>(&image->managed), true);
    const Variable<float> w(io::from_dlpack<float>(&filters->managed), true);
    const Variable<float> a(io::from_dlpack<float>(&matrix->managed), true);
    const auto y = ops::max_pool2d(ops::relu(ops::conv2d(x, w, {}, {.padding = 1})));
    (ops::sum(y) + ops::sum(ops::matmul(a, a))).backward();
    CHECK(ops::sum(x * x).item() == 0.0F);
  }
  munmap(mapped, 2 * kBytes);
}

}  // namespace sfumato::io_dlpack_test
