// Convolution against a plain sum over every index, on shapes that no fast path was made for.

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>
#include <xtensor/xmath.hpp>
#include <xtensor/xpad.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "sfumato/io/xtensor.hpp"
#include "support/device.hpp"

namespace sfumato::tested::ops_convolution {

namespace {

struct Case {
  Shape input;
  Shape weight;
  ops::Conv2dOptions options;
};

/// Calls `visit(y, x, w)` with the place of every product in a convolution.
template <class Visit>
void for_each_product(const Conv2dGeometry& g, const Visit& visit) {
  const std::int64_t in_group = g.in_channels / g.groups;
  const std::int64_t out_group = g.out_channels / g.groups;
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      for (std::int64_t i = 0; i < g.out_h; ++i) {
        for (std::int64_t j = 0; j < g.out_w; ++j) {
          for (std::int64_t c = 0; c < in_group; ++c) {
            for (std::int64_t a = 0; a < g.kernel_h; ++a) {
              for (std::int64_t b = 0; b < g.kernel_w; ++b) {
                const std::int64_t row = i * g.stride_h + a * g.dilation_h - g.padding_h;
                const std::int64_t column = j * g.stride_w + b * g.dilation_w - g.padding_w;
                if (row < 0 || row >= g.in_h || column < 0 || column >= g.in_w) continue;
                const std::int64_t channel = o / out_group * in_group + c;
                visit(((n * g.out_channels + o) * g.out_h + i) * g.out_w + j,
                      ((n * g.in_channels + channel) * g.in_h + row) * g.in_w + column,
                      ((o * in_group + c) * g.kernel_h + a) * g.kernel_w + b);
              }
            }
          }
        }
      }
    }
  }
}

template <class T>
Tensor<T> random_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Tensor<T>::randn(shape, random);
}

/// The largest difference between actual values and exact ones, relative to the largest of those.
template <class T>
double difference(const Tensor<T>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.numel() == static_cast<std::int64_t>(expected.size()));
  const std::vector<T> values = actual.to_vector();
  double largest = 1.0;
  double error = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(static_cast<double>(values[i]) - expected[i]));
  }
  return error / largest;
}

const std::vector<Case> kCases{
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
    {{2, 3, 7, 5}, {4, 3, 3, 3}, {}},
    {{1, 3, 7, 5}, {4, 3, 3, 3}, {.padding = 1}},
    {{1, 2, 6, 9}, {3, 2, 5, 2}, {.stride = {2, 3}, .padding = {2, 1}}},
    {{2, 2, 9, 8}, {3, 2, 3, 2}, {.padding = {2, 2}, .dilation = {2, 3}}},
    {{1, 6, 5, 6}, {9, 2, 3, 3}, {.padding = 1, .groups = 3}},
    {{1, 4, 3, 3}, {4, 1, 3, 3}, {.stride = 2, .padding = 1, .groups = 4}},
    {{1, 2, 2, 2}, {2, 2, 5, 5}, {.padding = 2}},
    {{1, 5, 4, 6}, {7, 5, 1, 1}, {}},
    {{1, 2, 4, 5}, {2, 2, 1, 1}, {.stride = 2, .padding = 1}},
    // Many small images, which share blocks of patches.
    {{40, 3, 16, 15}, {5, 3, 3, 3}, {.stride = 2, .padding = 1}},
    {{60, 4, 16, 16}, {6, 2, 3, 3}, {.stride = 2, .padding = 1, .groups = 2}},
    {{130, 30, 8, 8}, {3, 30, 3, 3}, {.padding = 1}},
    {{9, 40, 2, 2}, {90, 40, 3, 3}, {.padding = 1}},
    // From here on the shapes are Winograd's, with tiles that are cut off on every side.
    {{1, 16, 16, 16}, {16, 16, 3, 3}, {.padding = 1}},
    {{2, 17, 13, 19}, {19, 17, 3, 3}, {.padding = 1}},
    {{1, 16, 21, 33}, {18, 16, 3, 3}, {}},
    {{1, 20, 30, 11}, {16, 20, 3, 3}, {.padding = 2}},
    {{1, 16, 70, 5}, {16, 16, 3, 3}, {.padding = {0, 1}}},
    {{1, 16, 3, 120}, {16, 16, 3, 3}, {.padding = {3, 4}}},
};

}  // namespace

TEST_CASE_TEMPLATE("conv2d and both its gradients equal plain sums", T, float, double) {
  const double tolerance = sizeof(T) == sizeof(float) ? 5e-6 : 1e-13;
  for (const Case& c : kCases) {
    CAPTURE(c.input.to_string());
    CAPTURE(c.weight.to_string());
    const Conv2dGeometry g = ops::detail::conv2d_geometry("test", c.input, c.weight, c.options);
    Variable<T> x(random_tensor<T>(c.input, 1), true);
    Variable<T> w(random_tensor<T>(c.weight, 2), true);
    Variable<T> bias(random_tensor<T>({c.weight[0]}, 3), true);
    const Variable<T> y = ops::conv2d(x, w, bias, c.options);
    const Variable<T> seed(random_tensor<T>(y.shape(), 4));
    backward(y, {}, seed);

    const std::int64_t plane = g.out_h * g.out_w;
    const std::vector<T> biases = bias.value().to_vector();
    std::vector<double> expected_y(static_cast<std::size_t>(y.numel()));
    for (std::size_t i = 0; i < expected_y.size(); ++i) {
      const auto channel = static_cast<std::int64_t>(i) / plane % g.out_channels;
      expected_y[i] = biases[static_cast<std::size_t>(channel)];
    }
    std::vector<double> expected_dx(static_cast<std::size_t>(x.numel()));
    std::vector<double> expected_dw(static_cast<std::size_t>(w.numel()));
    const auto at = [](auto& values, std::int64_t i) -> auto& {
      return values[static_cast<std::size_t>(i)];
    };
    const auto xs = x.value().to_vector();
    const auto ws = w.value().to_vector();
    const auto dys = seed.value().to_vector();
    for_each_product(g, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
      at(expected_y, i) += static_cast<double>(at(xs, j)) * static_cast<double>(at(ws, k));
      at(expected_dx, j) += static_cast<double>(at(dys, i)) * static_cast<double>(at(ws, k));
      at(expected_dw, k) += static_cast<double>(at(dys, i)) * static_cast<double>(at(xs, j));
    });
    CHECK(difference(y.value(), expected_y) < tolerance);
    CHECK(difference(x.grad().value(), expected_dx) < tolerance);
    CHECK(difference(w.grad().value(), expected_dw) < tolerance);
  }
}

TEST_CASE("every small combination of sizes and options equals plain sums") {
  // Whole numbers: sums of products are exact, so results must be equal, not just close.
  const PlainSums plain;
  Random random(20);
  const auto whole = [&](const Shape& shape) {
    auto x = HostTensor<double>::empty(shape);
    for (double& value : x.span()) value = static_cast<double>(random.below(9) - 4);
    return x;
  };
  int tried = 0;
  for (int round = 0; round < 400; ++round) {
    const auto size = [&](std::int64_t most) { return 1 + random.below(most); };
    const std::int64_t groups = size(3);
    const std::int64_t channels = size(3);
    const Shape input{size(2), channels * groups, size(7), size(7)};
    const Shape weight{size(2) * groups, channels, size(4), size(4)};
    const ops::Conv2dOptions options{.stride = {size(3), size(3)},
                                     .padding = {size(4) - 1, size(4) - 1},
                                     .dilation = {size(3), size(3)},
                                     .groups = groups};
    Conv2dGeometry g;
    try {
      g = ops::detail::conv2d_geometry("test", input, weight, options);
    } catch (const ShapeError&) {
      continue;  // the filter does not fit
    }
    ++tried;
    CAPTURE(round);
    const auto x = whole(input);
    const auto w = whole(weight);
    const auto dy = whole(ops::detail::output_shape(g));
    auto y = HostTensor<double>::zeros(dy.shape());
    auto dx = HostTensor<double>::zeros(input);
    auto dw = HostTensor<double>::zeros(weight);
    for_each_product(g, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
      y.data()[i] += x.data()[j] * w.data()[k];
      dx.data()[j] += dy.data()[i] * w.data()[k];
      dw.data()[k] += dy.data()[i] * x.data()[j];
    });
    const Variable<double> input_leaf(x.to<Device>(), true);
    const Variable<double> weight_leaf(w.to<Device>(), true);
    const auto result = ops::conv2d(input_leaf, weight_leaf, {}, options);
    backward(result, {}, Variable<double>(dy.to<Device>()));
    CHECK(result.value().to_vector() == y.to_vector());
    CHECK(input_leaf.grad().value().to_vector() == dx.to_vector());
    CHECK(weight_leaf.grad().value().to_vector() == dw.to_vector());
    // The transpose is the input gradient, for the smallest input that has this output.
    const auto smallest = [](std::int64_t out, std::int64_t kernel, std::int64_t stride,
                             std::int64_t padding, std::int64_t dilation) {
      return (out - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding;
    };
    const std::int64_t more_h =
        g.in_h - smallest(g.out_h, g.kernel_h, g.stride_h, g.padding_h, g.dilation_h);
    const std::int64_t more_w =
        g.in_w - smallest(g.out_w, g.kernel_w, g.stride_w, g.padding_w, g.dilation_w);
    const auto back = ops::conv_transpose2d(Variable<double>(dy.to<Device>()), weight_leaf, {},
                                            options, {more_h, more_w});
    REQUIRE(back.shape() == input);
    CHECK(back.value().to_vector() == dx.to_vector());
  }
  CHECK(tried > 150);
}

TEST_CASE("conv2d equals xtensor's sums over shifted views") {
  const auto x = random_tensor<double>({2, 3, 9, 10}, 21).to<Cpu>();
  const auto w = random_tensor<double>({4, 3, 3, 2}, 22).to<Cpu>();
  const auto xs = io::as_xtensor(x);
  const auto ws = io::as_xtensor(w);
  const xt::xtensor<double, 4> padded = xt::pad(xs, {{0, 0}, {0, 0}, {1, 1}, {2, 2}});
  const auto y = ops::conv2d(Variable<double>(x.to<Device>()), Variable<double>(w.to<Device>()), {},
                             {.stride = {2, 3}, .padding = {1, 2}});
  REQUIRE(y.shape() == Shape{2, 4, 5, 5});
  const auto values = y.value().to<Cpu>();
  const auto actual = io::as_xtensor(values);
  for (std::size_t o = 0; o < 4; ++o) {
    xt::xtensor<double, 3> expected = xt::zeros<double>({2, 5, 5});
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t a = 0; a < 3; ++a) {
        for (std::size_t b = 0; b < 2; ++b) {
          expected += ws(o, c, a, b) * xt::view(padded, xt::all(), c, xt::range(a, a + 9, 2),
                                                xt::range(b, b + 13, 3));
        }
      }
    }
    CHECK(xt::allclose(xt::view(actual, xt::all(), o), expected, 1e-12, 1e-12));
  }
}

TEST_CASE_TEMPLATE("conv_transpose2d is the transpose of conv2d", T, float, double) {
  // <conv2d(x), y> = <x, conv_transpose2d(y)> for all x and y.
  for (const Case& c : kCases) {
    CAPTURE(c.input.to_string());
    const Variable<T> x(random_tensor<T>(c.input, 5));
    const Variable<T> w(random_tensor<T>(c.weight, 6));
    const Variable<T> forward = ops::conv2d(x, w, {}, c.options);
    const Variable<T> y(random_tensor<T>(forward.shape(), 7));
    const auto lost = [&](int axis, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                          std::int64_t dilation) {
      return (c.input[axis] + 2 * padding - dilation * (kernel - 1) - 1) % stride;
    };
    const ops::Size2d output_padding(
        lost(2, c.weight[2], c.options.stride.h, c.options.padding.h, c.options.dilation.h),
        lost(3, c.weight[3], c.options.stride.w, c.options.padding.w, c.options.dilation.w));
    const Variable<T> back = ops::conv_transpose2d(y, w, {}, c.options, output_padding);
    REQUIRE(back.shape() == c.input);
    const double left = static_cast<double>(ops::sum(forward * y).item());
    const double right = static_cast<double>(ops::sum(x * back).item());
    CHECK(left == doctest::Approx(right).epsilon(1e-3));
  }
}

TEST_CASE("padding by replication and reflection convolves the padded image") {
  const Variable<double> x(random_tensor<double>({1, 2, 4, 5}, 8));
  const Variable<double> w(random_tensor<double>({3, 2, 3, 3}, 9));
  for (const auto mode : {ops::PaddingMode::kReplicate, ops::PaddingMode::kReflect}) {
    const auto padded = ops::conv2d(ops::pad(x, {1, 1, 2, 2}, mode), w);
    const auto direct = ops::conv2d(x, w, {}, {.padding = {2, 1}, .padding_mode = mode});
    CHECK(direct.value().to_vector() == padded.value().to_vector());
  }
}

TEST_CASE("one input of two convolutions gets the sum of both gradients") {
  Variable<double> x(random_tensor<double>({1, 16, 18, 18}, 10), true);
  const Variable<double> a(random_tensor<double>({16, 16, 3, 3}, 11));
  const Variable<double> b(random_tensor<double>({4, 16, 1, 1}, 12));
  backward(ops::sum(ops::conv2d(x, a)));
  backward(ops::sum(ops::conv2d(x, b)));
  const auto separately = x.grad().value().to_vector();
  x.zero_grad();
  backward(ops::sum(ops::conv2d(x, a)) + ops::sum(ops::conv2d(x, b)));
  const auto together = x.grad().value().to_vector();
  for (std::size_t i = 0; i < together.size(); ++i) {
    CHECK(together[i] == doctest::Approx(separately[i]).epsilon(1e-12));
  }
}

TEST_CASE("a convolution with frozen weights keeps no input") {
  auto& pool = Pool<Device>::shared();
  const Variable<float> w(random_tensor<float>({2, 1, 3, 3}, 13));
  const Variable<float> trained(w.value(), true);
  const auto kept = [&](const Variable<float>& weight) {
    Variable<float> x(random_tensor<float>({1, 1, 512, 512}, 14), true);
    const std::size_t with_input = pool.statistics().bytes_in_use;
    const Variable<float> y = ops::conv2d(x, weight);
    x = Variable<float>();
    return pool.statistics().bytes_in_use >= with_input + 2 * 510 * 510 * sizeof(float);
  };
  CHECK_FALSE(kept(w));
  CHECK(kept(trained));
}

TEST_CASE_TEMPLATE("convolutions over nothing give the bias, or nothing", T, float, double) {
  const auto zeros = [](const Shape& shape) { return Variable<T>(Tensor<T>::zeros(shape), true); };
  // One of the numbers of images, of channels in and out, and of rows is zero, or several are.
  const std::vector<std::vector<std::int64_t>> sizes{{0, 4, 4, 12}, {2, 0, 4, 12}, {2, 4, 0, 12},
                                                     {2, 0, 0, 12}, {2, 4, 4, 0},  {0, 0, 0, 0}};
  for (const auto& size : sizes) {
    for (const std::int64_t kernel : {1, 3, 5}) {
      for (const std::int64_t groups : {1, 2}) {
        for (const std::int64_t stride : {1, 2}) {
          const std::int64_t n = size[0];
          const std::int64_t in = size[1];
          const std::int64_t out = size[2];
          CAPTURE(n);
          CAPTURE(in);
          CAPTURE(out);
          CAPTURE(kernel);
          CAPTURE(groups);
          CAPTURE(stride);
          const auto x = zeros({n, in, size[3], 12});
          const auto weight = zeros({out, in / groups, kernel, kernel});
          const Variable<T> bias(Tensor<T>::arange(static_cast<T>(out)), true);
          const ops::Conv2dOptions options{.stride = stride, .padding = 4, .groups = groups};
          const auto check = [&](const Variable<T>& y, const Variable<T>& filters) {
            REQUIRE(y.shape()[0] == n);
            REQUIRE(y.shape()[1] == out);
            const std::vector<T> values = y.value().to_vector();
            const std::int64_t plane = y.shape()[2] * y.shape()[3];
            bool equal = true;
            for (std::size_t i = 0; i < values.size(); ++i) {
              const std::int64_t channel = static_cast<std::int64_t>(i) / plane % out;
              equal = equal && values[i] == static_cast<T>(channel);
            }
            CHECK(equal);
            const auto gradients =
                grad({ops::sum(y * y)}, {x, filters, bias}, {.create_graph = true});
            CHECK(gradients[0].value().to_vector() == x.value().to_vector());
            CHECK(gradients[1].value().to_vector() == filters.value().to_vector());
            for (std::int64_t c = 0; c < out; ++c) {
              CHECK(gradients[2].value().at({c}) == static_cast<T>(2 * c * n * plane));
            }
            const auto second = grad({ops::sum(gradients[2])}, {bias, filters});
            CHECK(second[1].value().to_vector() == filters.value().to_vector());
          };
          check(ops::conv2d(x, weight, bias, options), weight);
          check(ops::conv2d_relu(x, weight, bias, options), weight);
          if (size[3] == 0) continue;  // a transpose needs rows
          const auto turned = zeros({in, out / groups, kernel, kernel});
          check(ops::conv_transpose2d(x, turned, bias, options), turned);
        }
      }
    }
  }
  const auto y = ops::conv2d(zeros({2, 0, 8, 8}), zeros({3, 0, 3, 3}));
  CHECK(y.value().to_vector() == std::vector<T>(2 * 3 * 36, T{0}));
  Random random(1);
  CHECK(nn::Conv2d<T>(0, 2, 3, random)(zeros({1, 0, 4, 4})).shape() == Shape{1, 2, 2, 2});
  CHECK(nn::Conv2d<T>(2, 0, 3, random)(zeros({1, 2, 4, 4})).shape() == Shape{1, 0, 2, 2});
  CHECK_THROWS_AS(ops::conv2d(zeros({1, 2, 4, 4}), zeros({2, 2, 1, 1}), {}, {.groups = 0}),
                  ValueError);
}

TEST_CASE("NaN and infinity pass through convolution where the filter sees them") {
  const double nan = std::nan("");
  auto image = Tensor<double>::zeros({1, 1, 5, 5});
  image.set({0, 0, 0, 0}, nan);
  const auto y = ops::conv2d(Variable<double>(image),
                             Variable<double>(Tensor<double>::zeros({1, 1, 3, 3})), {}, {});
  CHECK(std::isnan(y.value().at({0, 0, 0, 0})));
  CHECK(y.value().at({0, 0, 1, 1}) == 0.0);
}

TEST_CASE("an image that is in no batch is convolved as the only one of a batch") {
  Random random(5);
  const Variable<double> image(Tensor<double>::randn({2, 5, 6}, random), true);
  const Variable<double> weight(Tensor<double>::randn({3, 2, 3, 3}, random));
  const auto bias = Variable<double>(Tensor<double>::randn({3}, random));
  const auto plain = ops::relu(ops::conv2d(image, weight, bias, {.padding = 1}));
  const auto fused = ops::conv2d_relu(image, weight, bias, {.padding = 1});
  CHECK(fused.shape() == Shape{3, 5, 6});
  CHECK(fused.value().to_vector() == plain.value().to_vector());
  CHECK(grad({ops::sum(fused)}, {image})[0].shape() == image.shape());
}

TEST_CASE("conv2d says what does not fit") {
  const auto zeros = [](const Shape& shape) {
    return Variable<float>(Tensor<float>::zeros(shape));
  };
  const auto conv = [&](const Shape& x, const Shape& w, const ops::Conv2dOptions& options = {}) {
    return ops::conv2d(zeros(x), zeros(w), {}, options);
  };
  CHECK_THROWS_WITH_AS(conv({1, 3, 8, 8}, {64, 4, 3, 3}),
                       "conv2d: input has 3 channels but the weight (64, 4, 3, 3) expects 4",
                       ShapeError);
  CHECK_THROWS_WITH_AS(conv({8, 8}, {4, 3, 3, 3}),
                       "conv2d: input (8, 8) and weight (4, 3, 3, 3) must have four dimensions: "
                       "(n, c, h, w) and (out, in / groups, h, w)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      conv({1, 4, 8, 8}, {3, 2, 3, 3}, {.groups = 2}),
      "conv2d: the 3 output channels of the weight (3, 2, 3, 3) do not divide into "
      "2 groups",
      ShapeError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 2, 8}, {1, 1, 3, 3}),
                       "conv2d: the weight (1, 1, 3, 3) with dilation (1, 1) does not fit into the "
                       "input (1, 1, 2, 8) with padding (0, 0)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 3, 3}, {.stride = 0}),
                       "conv2d: stride (0, 0) must be at least 1", ValueError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 3, 3}, {.padding = -1}),
                       "conv2d: padding (-1, -1) must be at least 0", ValueError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 3, 3}, {.groups = 0}),
                       "conv2d: groups 0 must be at least 1", ValueError);
  CHECK_THROWS_WITH_AS(ops::conv2d(zeros({1, 1, 8, 8}), zeros({2, 1, 3, 3}), zeros({3})),
                       "conv2d: bias (3,) must have the shape (2,), one value for each output "
                       "channel",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      ops::conv_transpose2d(zeros({1, 2, 4, 4}), zeros({3, 1, 3, 3})),
      "conv_transpose2d: input has 2 channels but the weight (3, 1, 3, 3) expects 3", ShapeError);
  CHECK_THROWS_WITH_AS(
      ops::conv_transpose2d(zeros({1, 2, 4, 4}), zeros({2, 1, 3, 3}), {}, {}, 1),
      "conv_transpose2d: output_padding (1, 1) must be less than the stride (1, 1)", ValueError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 3, 3}, {.dilation = {1, 0}}),
                       "conv2d: dilation (1, 0) must be at least 1", ValueError);
  CHECK_THROWS_WITH_AS(conv({1, 3, 8, 8}, {4, 2, 3, 3}, {.groups = 2}),
                       "conv2d: input has 3 channels but the weight (4, 2, 3, 3) expects 4",
                       ShapeError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 0, 3}),
                       "conv2d: the weight (1, 1, 0, 3) with dilation (1, 1) does not fit into the "
                       "input (1, 1, 8, 8) with padding (0, 0)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 3, 3}, {.dilation = 4}),
                       "conv2d: the weight (1, 1, 3, 3) with dilation (4, 4) does not fit into the "
                       "input (1, 1, 8, 8) with padding (0, 0)",
                       ShapeError);
  // Large enough for the positions of a 5 × 1 filter to come round to zero.
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 5, 1}, {.dilation = {1LL << 62, 1}}),
                       "conv2d: dilation (4611686018427387904, 1) must be at most 1073741824",
                       ValueError);
  CHECK_THROWS_WITH_AS(conv({1, 1, 8, 8}, {1, 1, 3, 3}, {.padding = 1LL << 62}),
                       "conv2d: padding (4611686018427387904, 4611686018427387904) must be at most "
                       "1073741824",
                       ValueError);
  // What has no elements may have any extents, and their products must not overflow.
  CHECK_THROWS_WITH_AS(conv({1, 0, 8, 8}, {1, 0, 1LL << 40, 1}, {.dilation = 1LL << 30}),
                       "conv2d: the weight (1, 0, 1099511627776, 1) has an extent above 1073741824",
                       ShapeError);
  CHECK_THROWS_WITH_AS(conv({1, 2, 8, 8}, {0, 2, 3, 3}, {.groups = 1LL << 62}),
                       "conv2d: groups 4611686018427387904 must be at least 1 and at most 2^30",
                       ValueError);
  CHECK_THROWS_AS(ops::conv_transpose2d(zeros({0, 1, 1LL << 40, 1}), zeros({1, 1, 1, 1}), {},
                                        {.stride = 1LL << 30}),
                  ShapeError);
  CHECK_THROWS_AS(ops::conv_transpose2d(zeros({1, 0, 8, 8}), zeros({0, 1LL << 40, 1, 1}), {},
                                        {.groups = 1 << 30}),
                  ShapeError);
  const auto transpose = [&](const Shape& x, const Shape& w, const ops::Conv2dOptions& options = {},
                             ops::Size2d output_padding = 0) {
    return ops::conv_transpose2d(zeros(x), zeros(w), zeros({7}), options, output_padding);
  };
  CHECK_THROWS_WITH_AS(
      transpose({4, 4}, {2, 1, 3, 3}),
      "conv_transpose2d: input (4, 4) and weight (2, 1, 3, 3) must have four dimensions",
      ShapeError);
  CHECK_THROWS_WITH_AS(
      transpose({1, 2, 4, 4}, {2, 1, 3, 3}, {.padding_mode = ops::PaddingMode::kReflect}),
      "conv_transpose2d: only padding with zeros has a transpose here", ValueError);
  CHECK_THROWS_WITH_AS(
      transpose({1, 2, 4, 4}, {2, 1, 3, 3}, {}, {0, -1}),
      "conv_transpose2d: output_padding (0, -1) must be less than the stride (1, 1)", ValueError);
  CHECK_THROWS_WITH_AS(transpose({1, 2, 1, 1}, {2, 1, 3, 3}, {.padding = 2}),
                       "conv_transpose2d: the output of (1, 2, 1, 1) with padding (2, 2) would be "
                       "empty",
                       ShapeError);
  CHECK_THROWS_WITH_AS(transpose({1, 3, 4, 4}, {3, 1, 3, 3}, {.groups = 2}),
                       "conv_transpose2d: the 3 output channels of the weight (3, 1, 3, 3) do not "
                       "divide into 2 groups",
                       ShapeError);
  CHECK_THROWS_WITH_AS(transpose({1, 2, 4, 4}, {2, 1, 3, 3}),
                       "conv_transpose2d: bias (7,) must have the shape (1,), one value for each "
                       "output channel",
                       ShapeError);
}

}  // namespace sfumato::tested::ops_convolution
