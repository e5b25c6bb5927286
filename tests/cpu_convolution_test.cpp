// Every algorithm for convolution, with what is fused into it, against im2col in double, on shapes
// that fill no vector, panel or tile.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace sfumato::cpu_convolution_test {

namespace {

struct Case {
  std::int64_t batch, in_channels, out_channels, h, w, padding;
  std::int64_t out_h() const { return h + 2 * padding - 2; }
  std::int64_t out_w() const { return w + 2 * padding - 2; }
  std::string name() const {
    return message(batch, " x ", in_channels, " -> ", out_channels, ", ", h, " x ", w, ", padding ",
                   padding);
  }
  Conv2dGeometry geometry() const {
    return {.batch = batch,
            .in_channels = in_channels,
            .in_h = h,
            .in_w = w,
            .out_channels = out_channels,
            .out_h = out_h(),
            .out_w = out_w(),
            .kernel_h = 3,
            .kernel_w = 3,
            .padding_h = padding,
            .padding_w = padding};
  }
};

// Few filters in blocks of tiles; many filters with few tiles, with many, and with several blocks;
// too few channels for tiles, in one strip and in several.
const std::vector<Case> kCases{
    {1, 16, 16, 8, 8, 1},     {2, 17, 33, 13, 19, 1},    {1, 64, 70, 50, 99, 1},
    {1, 20, 31, 9, 65, 0},    {3, 16, 48, 10, 7, 2},     {1, 129, 200, 12, 11, 1},
    {2, 150, 170, 10, 17, 0}, {1, 256, 161, 9, 14, 2},   {1, 130, 193, 53, 57, 1},
    {2, 192, 130, 49, 61, 0}, {1, 160, 170, 98, 131, 1}, {1, 270, 260, 7, 20, 1},
    {2, 3, 64, 20, 33, 1},    {1, 64, 3, 20, 33, 1},     {2, 17, 2, 80, 400, 0},
    {1, 1, 5, 7, 3, 2},       {1, 3, 9, 60, 500, 2},     {1, 11, 13, 30, 40, 1}};

// What tiles of 6 × 6 outputs may lose to rounding; smaller tiles and plain sums lose half as much.
constexpr double kRounding = 8e-6;

Tensor<float> random_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Tensor<float>::randn(shape, random);
}

/// |a - b| / |b|; NaN if there is any.
double difference(const Tensor<float>& a, const Tensor<double>& b) {
  double errors = 0.0;
  double squares = 0.0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double error = static_cast<double>(a.data()[i]) - b.data()[i];
    errors += error * error;
    squares += b.data()[i] * b.data()[i];
  }
  return std::sqrt(errors / squares);
}

/// What a case is tried with.
struct Data {
  explicit Data(const Case& c)
      : x(random_tensor({c.batch, c.in_channels, c.h, c.w}, 1)),
        weight(random_tensor({c.out_channels, c.in_channels, 3, 3}, 2)),
        bias(random_tensor({c.out_channels}, 3)),
        dy(random_tensor({c.batch, c.out_channels, c.out_h(), c.out_w()}, 4)) {}
  Tensor<float> x;
  Tensor<float> weight;
  Tensor<float> bias;
  Tensor<float> dy;
};

/// y of a case, in double.
template <class T>
Tensor<double> exactly(const Case& c, const Tensor<T>& x, const Tensor<T>& weight,
                       const Tensor<T>& bias) {
  auto y = Tensor<double>::empty({c.batch, c.out_channels, c.out_h(), c.out_w()});
  const auto exact_x = x.template cast<double>();
  cpu::conv2d_im2col(c.geometry(), exact_x.data(), weight.template cast<double>().data(),
                     bias.template cast<double>().data(), y.data());
  return y;
}

bool bit(const Tensor<std::uint8_t>& bits, const BitRows& rows, std::int64_t row,
         std::int64_t column) {
  return (bits.data()[row * rows.bytes_per_row() + column / 8] >> (column % 8) & 1) != 0;
}

}  // namespace

TEST_CASE("convolutions and their input gradients equal im2col in double") {
  for (const Case& c : kCases) {
    CAPTURE(c.name());
    const Conv2dGeometry g = c.geometry();
    const auto [x, weight, bias, dy] = Data(c);
    auto y = Tensor<float>::empty(dy.shape());
    auto dx = Tensor<float>::empty(x.shape());
    const auto expected_y = exactly(c, x, weight, bias);
    auto expected_dx = Tensor<double>::empty(x.shape());
    cpu::conv2d_input_gradient_im2col(g, dy.cast<double>().data(), weight.cast<double>().data(),
                                      expected_dx.data());
    Cpu::conv2d(g, x.data(), weight.data(), bias.data(), y.data());
    CHECK(difference(y, expected_y) < kRounding);
    Cpu::conv2d_input_gradient(g, dy.data(), weight.data(), dx.data());
    CHECK(difference(dx, expected_dx) < kRounding);
    // The reference, whatever this machine chooses.
    cpu::conv2d_im2col(g, x.data(), weight.data(), bias.data(), y.data());
    CHECK(difference(y, expected_y) < 4e-6);
  }
}

// Tiles that are cut off, in one block and in several; channels that fill no panel.
TEST_CASE("gradients with respect to filters by Winograd's algorithm equal im2col in double") {
  const auto& kernels = cpu::kernels<cpu::WeightGradientKernels>();
  for (const Case& c : std::vector<Case>{{1, 1, 5, 7, 3, 2},
                                         {2, 17, 33, 13, 19, 1},
                                         {16, 64, 40, 4, 4, 1},
                                         {1, 129, 70, 12, 61, 0},
                                         {40, 36, 70, 12, 11, 1},
                                         {3, 9, 20, 70, 75, 2}}) {
    CAPTURE(c.name());
    const Conv2dGeometry g = c.geometry();
    const auto [x, weight, bias, dy] = Data(c);
    auto expected = Tensor<double>::empty(weight.shape());
    cpu::conv2d_weight_gradient_im2col(g, x.cast<double>().data(), dy.cast<double>().data(),
                                       expected.data());
    auto dweight = Tensor<float>::full(weight.shape(), -1.0F);
    kernels.by_winograd(g, x.data(), dy.data(), dweight.data());
    CHECK(difference(dweight, expected) < 4e-6);
    Cpu::conv2d_weight_gradient(g, x.data(), dy.data(), dweight.data());
    CHECK(difference(dweight, expected) < 4e-6);
  }
}

TEST_CASE("a fused relu and its gate equal those done afterwards") {
  for (const Case& c : kCases) {
    CAPTURE(c.name());
    const Conv2dGeometry g = c.geometry();
    const auto [x, weight, bias, dy] = Data(c);
    const Shape shape = dy.shape();
    const BitRows rows = sfumato::output_rows(g);
    auto plain = Tensor<float>::empty(shape);
    auto y = Tensor<float>::empty(shape);
    auto bits = Tensor<std::uint8_t>::full({rows.bytes()}, 0xff);
    Cpu::conv2d(g, x.data(), weight.data(), bias.data(), plain.data());
    Cpu::conv2d_relu(g, x.data(), weight.data(), bias.data(), y.data(), bits.data());
    auto gated = Tensor<float>::empty(shape);
    bool same = true;
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      const bool positive = plain.data()[i] > 0.0F;
      same = same && y.data()[i] == (positive ? plain.data()[i] : 0.0F);
      same = same && bit(bits, rows, i / c.out_w(), i % c.out_w()) == positive;
      gated.data()[i] = positive ? dy.data()[i] : 0.0F;
    }
    CHECK(same);
    // Without bits the values are the same.
    Cpu::conv2d_relu(g, x.data(), weight.data(), bias.data(), plain.data(), nullptr);
    CHECK(plain.to_vector() == y.to_vector());
    auto dx = Tensor<float>::empty(x.shape());
    auto expected = Tensor<float>::empty(x.shape());
    Cpu::conv2d_relu_input_gradient(g, dy.data(), bits.data(), weight.data(), dx.data());
    Cpu::conv2d_input_gradient(g, gated.data(), weight.data(), expected.data());
    CHECK(dx.to_vector() == expected.to_vector());
  }
}

// Small images in few tiles and wide ones in several segments; few and many channels.
TEST_CASE("every plan for Winograd's algorithm gives the same, bits included") {
  const auto& kernels = cpu::kernels<cpu::ConvolutionKernels<float>>();
  const std::vector<Case> cases{{1, 16, 20, 5, 6, 1},
                                {2, 33, 17, 13, 50, 1},
                                {1, 40, 70, 26, 121, 0},
                                {1, 140, 33, 7, 99, 2}};
  for (const Case& c : cases) {
    const Conv2dGeometry g = c.geometry();
    const auto [x, weight, bias, dy] = Data(c);
    const BitRows rows = sfumato::output_rows(g);
    auto expected = exactly(c, x, weight, bias);
    for (std::int64_t i = 0; i < expected.numel(); ++i) {
      if (expected.data()[i] < 0.0) expected.data()[i] = 0.0;
    }
    for (const std::int64_t output : {4, 6}) {
      for (const auto order : {cpu::WinogradOrder::kBlocks, cpu::WinogradOrder::kPanels}) {
        for (const std::int64_t most_tiles : {1, 20, 1000}) {
          CAPTURE(message(c.name(), ", ", output, ", ", static_cast<int>(order), ", ", most_tiles));
          auto y = Tensor<float>::full(dy.shape(), -1.0F);
          auto bits = Tensor<std::uint8_t>::full({rows.bytes()}, 0xff);
          kernels.convolve_by_winograd({.g = g,
                                        .x = x.data(),
                                        .filters = cpu::forward_filters(g, weight.data()),
                                        .bias = bias.data(),
                                        .y = y.data(),
                                        .relu = true,
                                        .positive = bits.data()},
                                       {output, order, most_tiles});
          CHECK(difference(y, expected) < (output == 4 ? 4e-6 : kRounding));
          bool same = true;
          for (std::int64_t i = 0; i < y.numel(); ++i) {
            same = same && bit(bits, rows, i / c.out_w(), i % c.out_w()) == (y.data()[i] > 0.0F);
          }
          CHECK(same);
        }
      }
    }
  }
}

namespace {

/// Whether matrix instructions multiply floats here. Says so if not.
bool matrices_multiply_floats() {
  if (cpu::kernels<cpu::ConvolutionKernels<float>>().convolve_by_matrices != nullptr) return true;
  MESSAGE("skipped: this processor has no AMX, or SFUMATO_VECTORS forbids it");
  return false;
}

/// What matrix instructions make of x, with the weights and the bias of a case.
Tensor<float> by_matrices(const Case& c, const Tensor<float>& x, const Data& data) {
  auto y = Tensor<float>::full(data.dy.shape(), -1.0F);
  cpu::kernels<cpu::ConvolutionKernels<float>>().convolve_by_matrices(
      {.g = c.geometry(),
       .x = x.data(),
       .filters = cpu::forward_filters(c.geometry(), data.weight.data()),
       .bias = data.bias.data(),
       .y = y.data()});
  return y;
}

}  // namespace

// Also where choose_convolution() takes another algorithm: few channels, narrow images.
TEST_CASE("floats multiplied slice by slice are as exact as by Winograd's algorithm") {
  if (!matrices_multiply_floats()) return;
  for (const Case& c : std::vector<Case>{{1, 3, 5, 4, 4, 1},
                                         {1, 16, 20, 5, 6, 1},
                                         {2, 33, 17, 13, 50, 1},
                                         {1, 65, 70, 26, 121, 0},
                                         {1, 140, 33, 7, 99, 2},
                                         {1, 150, 130, 6, 33, 1},
                                         {2, 260, 270, 9, 14, 1}}) {
    CAPTURE(c.name());
    const Data data(c);
    CHECK(difference(by_matrices(c, data.x, data), exactly(c, data.x, data.weight, data.bias)) <
          2e-6);
    // Of any size: slices are of a unit that is chosen by the largest number.
    for (const float size : {1e-25F, 1e25F}) {
      Data scaled(c);
      for (Tensor<float>* const values : {&scaled.x, &scaled.bias}) {
        for (std::int64_t i = 0; i < values->numel(); ++i) values->data()[i] *= size;
      }
      CHECK(difference(by_matrices(c, scaled.x, scaled),
                       exactly(c, scaled.x, scaled.weight, scaled.bias)) < 2e-6);
    }
    const auto zeros = Tensor<float>::zeros(data.x.shape());
    CHECK(difference(by_matrices(c, zeros, data), exactly(c, zeros, data.weight, data.bias)) ==
          0.0);
  }
}

TEST_CASE("exact convolutions of floats use no matrix instructions") {
  if (!matrices_multiply_floats()) return;
  const Conv2dGeometry g = Case{1, 64, 64, 16, 20, 1}.geometry();
  using cpu::ConvolutionAlgorithm;
  CHECK(cpu::choose_convolution<float>(g) == ConvolutionAlgorithm::kMatrixInstructions);
  cpu::options().exact = true;
  const auto in_float = cpu::choose_convolution<float>(g);
  const auto in_bfloat16 = cpu::choose_convolution<BFloat16>(g);
  cpu::options().exact = false;
  CHECK(in_float == ConvolutionAlgorithm::kWinograd);
  CHECK(in_bfloat16 == ConvolutionAlgorithm::kMatrixInstructions);
}

TEST_CASE("a large number takes exactness from the four rows that see it only") {
  if (!matrices_multiply_floats()) return;
  const Case c{1, 64, 64, 16, 20, 1};
  const Data data(c);
  auto x = data.x.clone();
  x.set({0, 5, 1, 3}, 1e4F);
  const auto y = by_matrices(c, x, data);
  const auto expected = exactly(c, x, data.weight, data.bias);
  const auto undisturbed = by_matrices(c, data.x, data);
  double largest_error = 0.0;
  bool same = true;
  for (std::int64_t channel = 0; channel < 64; ++channel) {
    for (std::int64_t i = 0; i < 16; ++i) {
      for (std::int64_t j = 0; j < 20; ++j) {
        const double error =
            static_cast<double>(y.at({0, channel, i, j})) - expected.at({0, channel, i, j});
        largest_error = std::max(largest_error, std::abs(error));
        same = same && (i < 4 || y.at({0, channel, i, j}) == undisturbed.at({0, channel, i, j}));
      }
    }
  }
  CHECK(same);
  CHECK(largest_error < 1e4 * 1e-5);  // the sum of 576 products, each 1e4 · 2⁻²⁴ · weight away
}

TEST_CASE("convolutions in bfloat16, with what is fused into them") {
  for (const Case& c : kCases) {
    CAPTURE(c.name());
    const Conv2dGeometry g = c.geometry();
    const Data data(c);
    const auto x = data.x.cast<BFloat16>();
    const auto weight = data.weight.cast<BFloat16>();
    const auto bias = data.bias.cast<BFloat16>();
    const auto dy = data.dy.cast<BFloat16>();
    const BitRows rows = sfumato::output_rows(g);
    const auto expected = exactly(c, x, weight, bias);
    // A result is rounded once, or twice.
    constexpr double kRounded = 1.0 / 256.0;
    auto y = Tensor<BFloat16>::empty(dy.shape());
    Cpu::conv2d(g, x.data(), weight.data(), bias.data(), y.data());
    CHECK(difference(y.cast<float>(), expected) < kRounded);
    auto rectified = Tensor<BFloat16>::empty(dy.shape());
    auto bits = Tensor<std::uint8_t>::full({rows.bytes()}, 0xff);
    Cpu::conv2d_relu(g, x.data(), weight.data(), bias.data(), rectified.data(), bits.data());
    auto gated = dy.cast<double>();
    bool same = true;
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      const auto value = static_cast<float>(y.data()[i]);
      const bool positive = value > 0.0F;
      same = same && static_cast<float>(rectified.data()[i]) == (positive ? value : 0.0F);
      same = same && bit(bits, rows, i / c.out_w(), i % c.out_w()) == positive;
      if (!positive) gated.data()[i] = 0.0;
    }
    CHECK(same);
    auto dx = Tensor<BFloat16>::empty(x.shape());
    auto expected_dx = Tensor<double>::empty(x.shape());
    for (const bool through_gate : {false, true}) {
      const auto plain = dy.cast<double>();
      cpu::conv2d_input_gradient_im2col(g, through_gate ? gated.data() : plain.data(),
                                        weight.cast<double>().data(), expected_dx.data());
      for (const bool exact : {false, true}) {
        cpu::options().exact = exact;
        if (through_gate) {
          Cpu::conv2d_relu_input_gradient(g, dy.data(), bits.data(), weight.data(), dx.data());
        } else {
          Cpu::conv2d_input_gradient(g, dy.data(), weight.data(), dx.data());
        }
        cpu::options().exact = false;
        // By products of bfloat16 tiles and filters are rounded as well.
        CHECK(difference(dx.cast<float>(), expected_dx) < (exact ? kRounded : 1.0 / 64.0));
      }
    }
  }
}

TEST_CASE("a batch of no images takes every algorithm to no results") {
  for (const std::int64_t channels : {3, 16, 64, 160, 300}) {
    const Case c{0, channels, channels, 20, 20, 1};
    const auto nothing = Tensor<float>::empty({0, channels, 20, 20});
    const auto weight = random_tensor({channels, channels, 3, 3}, 12);
    auto y = Tensor<float>::empty({0, channels, 20, 20});
    Cpu::conv2d<float>(c.geometry(), nothing.data(), weight.data(), nullptr, y.data());
    Cpu::conv2d_input_gradient<float>(c.geometry(), nothing.data(), weight.data(), y.data());
    CHECK(y.numel() == 0);
  }
}

TEST_CASE("NaN reaches every output that sees it, through the relu too") {
  for (const std::int64_t channels : {16, 160}) {
    const Case c{1, channels, channels, 14, 21, 1};
    auto x = random_tensor({1, channels, 14, 21}, 9);
    x.set({0, 3, 7, 20}, std::numeric_limits<float>::quiet_NaN());
    const auto weight = random_tensor({channels, channels, 3, 3}, 10);
    auto y = Tensor<float>::empty(x.shape());
    auto bits = Tensor<std::uint8_t>::empty({BitRows{channels * 14, 21}.bytes()});
    Cpu::conv2d_relu<float>(c.geometry(), x.data(), weight.data(), nullptr, y.data(), bits.data());
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      for (std::int64_t i = 6; i < 9; ++i) {
        for (std::int64_t j = 19; j < 21; ++j) {
          CHECK(std::isnan(y.at({0, channel, i, j})));
          CHECK(bit(bits, {channels * 14, 21}, channel * 14 + i, j));  // its gradient passes
        }
      }
      // Matrix instructions make NaN of all of the four rows.
      CHECK_FALSE(std::isnan(y.at({0, channel, 0, 0})));
    }
  }
}

TEST_CASE("infinity and NaN spread no farther than conv2d says") {
  constexpr std::int64_t kRows = 40;
  constexpr std::int64_t kColumns = 52;
  for (const std::int64_t channels : {4, 16, 64, 128}) {
    const Case c{2, channels, channels, kRows, kColumns, 1};
    const auto weight = random_tensor({channels, channels, 3, 3}, 14);
    const bool in_slices = cpu::choose_convolution<float>(c.geometry()) ==
                           cpu::ConvolutionAlgorithm::kMatrixInstructions;
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      for (const std::int64_t row : {0, 19, 39}) {
        const std::int64_t column = row * 51 / 39;
        auto x = random_tensor({2, channels, kRows, kColumns}, 13);
        x.set({1, 2, row, column}, bad);
        auto y = Tensor<float>::empty(x.shape());
        const auto check = [&] {
          const auto values = y.to_vector();
          std::int64_t too_far = 0;
          std::int64_t missing = 0;
          for (std::int64_t i = 0; i < y.numel(); ++i) {
            const std::int64_t down = std::abs(i / kColumns % kRows - row);
            const std::int64_t right = std::abs(i % kColumns - column);
            const bool other_image = i < y.numel() / 2;
            const bool spread = !std::isfinite(values[static_cast<std::size_t>(i)]);
            const bool near = in_slices ? down <= 4 : down <= 6 && right <= 6;
            too_far += spread && (other_image || !near);
            missing += !spread && !other_image && down <= 1 && right <= 1;
          }
          CAPTURE(channels);
          CAPTURE(row);
          CHECK(too_far == 0);
          CHECK(missing == 0);
        };
        Cpu::conv2d<float>(c.geometry(), x.data(), weight.data(), nullptr, y.data());
        check();
        Cpu::conv2d_input_gradient<float>(c.geometry(), x.data(), weight.data(), y.data());
        check();
      }
    }
  }
}

TEST_CASE("relu and gate of rows of any length") {
  for (const std::int64_t columns : {1, 7, 16, 31, 33, 1000, 40000}) {
    const BitRows rows{columns > 1000 ? 2 : 5, columns};
    auto x = random_tensor({rows.rows, columns}, 11);
    x.data()[0] = std::numeric_limits<float>::quiet_NaN();
    auto y = Tensor<float>::empty(x.shape());
    auto passed = Tensor<float>::empty(x.shape());
    auto bits = Tensor<std::uint8_t>::empty({rows.bytes()});
    Cpu::relu(rows, x.data(), y.data(), bits.data());
    Cpu::gate(rows, x.data(), bits.data(), passed.data());
    CHECK(std::isnan(y.data()[0]));
    CHECK(std::isnan(passed.data()[0]));
    bool right = true;
    for (std::int64_t i = 1; i < x.numel(); ++i) {
      const float expected = x.data()[i] > 0.0F ? x.data()[i] : 0.0F;
      right = right && y.data()[i] == expected && passed.data()[i] == expected &&
              bit(bits, rows, i / columns, i % columns) == (expected > 0.0F);
    }
    CHECK(right);
  }
}

}  // namespace sfumato::cpu_convolution_test
