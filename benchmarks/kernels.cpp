// The kernels of one iteration of style transfer, on the shapes that VGG-19 has at 150 × 225 and at
// 600 × 900.
//   build/release/kernels --benchmark_filter=conv2d

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"

namespace {

using namespace sfumato;

struct Layer {
  const char* name;
  std::int64_t in_channels, out_channels;
  int pools;  ///< in front of it
};
constexpr std::array kVgg19{
    Layer{"conv1_1", 3, 64, 0},    Layer{"conv1_2", 64, 64, 0},   Layer{"conv2_1", 64, 128, 1},
    Layer{"conv2_2", 128, 128, 1}, Layer{"conv3_1", 128, 256, 2}, Layer{"conv3_2", 256, 256, 2},
    Layer{"conv4_1", 256, 512, 3}, Layer{"conv4_2", 512, 512, 3}, Layer{"conv5_1", 512, 512, 4}};

/// A layer where the image has this height and width.
struct ConvolutionShape {
  ConvolutionShape(const Layer& layer, std::int64_t height, std::int64_t width)
      : name(message(layer.name, "/", height, "x", width)),
        in_channels(layer.in_channels),
        out_channels(layer.out_channels),
        h(height >> layer.pools),
        w(width >> layer.pools) {}
  std::string name;
  std::int64_t in_channels, out_channels, h, w;
};

std::vector<ConvolutionShape> shapes() {
  std::vector<ConvolutionShape> all;
  for (const Layer& layer : kVgg19) all.emplace_back(layer, 150, 225);
  for (const Layer& layer : kVgg19) all.emplace_back(layer, 600, 900);
  return all;
}

Tensor<float> random_tensor(const Shape& shape) {
  Random random(1);
  return Tensor<float>::randn(shape, random);
}

Conv2dGeometry geometry(const ConvolutionShape& s) {
  return {.batch = 1,
          .in_channels = s.in_channels,
          .in_h = s.h,
          .in_w = s.w,
          .out_channels = s.out_channels,
          .out_h = s.h,
          .out_w = s.w,
          .kernel_h = 3,
          .kernel_w = 3,
          .padding_h = 1,
          .padding_w = 1};
}

void count_flops(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// Times `run(geometry, x, weight, y)`; work is counted as direct convolution would do it.
template <class T = float, class Run>
void convolution(benchmark::State& state, const ConvolutionShape& s, const Run& run) {
  const Conv2dGeometry g = geometry(s);
  auto x = random_tensor({1, s.in_channels, s.h, s.w}).cast<T>();
  auto y = random_tensor({1, s.out_channels, s.h, s.w}).cast<T>();
  const auto weight = random_tensor({s.out_channels, s.in_channels, 3, 3}).cast<T>();
  for (auto _ : state) run(g, x.data(), weight.data(), y.data());
  count_flops(state, 18.0 * static_cast<double>(s.in_channels * s.out_channels * s.h * s.w));
}

void iteration(benchmark::State& state) {
  Random random(1);
  nn::Vgg<float> network({}, random);
  network.freeze();
  const Shape shape{1, 3, state.range(0), state.range(1)};
  const auto content = random_tensor(shape);
  const auto objective = style::gatys_objective(network, content, content);
  Variable<float> image(content.clone(), true);
  optim::Adam<float> adam({image}, {.learning_rate = 0.01});
  for (auto _ : state) {
    adam.zero_grad();
    backward(objective(image).total);
    adam.step();
  }
}

void matmul(benchmark::State& state) {
  const Variable<float> a(random_tensor({state.range(0), state.range(2)}));
  const Variable<float> b(random_tensor({state.range(2), state.range(1)}));
  for (auto _ : state) benchmark::DoNotOptimize(ops::matmul(a, b));
  count_flops(state, 2.0 * static_cast<double>(state.range(0) * state.range(1) * state.range(2)));
}

void pooling(benchmark::State& state) {
  const Variable<float> x(random_tensor({1, state.range(0), state.range(1), state.range(2)}));
  for (auto _ : state) benchmark::DoNotOptimize(ops::max_pool2d(x));
}

void gram(benchmark::State& state) {
  const Variable<float> x(random_tensor({1, state.range(0), state.range(1), state.range(2)}));
  for (auto _ : state) benchmark::DoNotOptimize(losses::gram_matrix(x));
}

const bool kRegistered = [] {
  const auto add = []<class T = float>(const std::string& name, const ConvolutionShape& s,
                                       const auto& run, T = {}) {
    benchmark::RegisterBenchmark(message(name, "/", s.name).c_str(), [s, run](
                                                                         benchmark::State& state) {
      convolution<T>(state, s, run);
    })->UseRealTime();
  };
  for (const ConvolutionShape& s : shapes()) {
    add("conv2d", s, [](const auto& g, const float* x, const float* w, float* y) {
      Cpu::conv2d<float>(g, x, w, nullptr, y);
    });
    add("conv2d_input_gradient", s, [](const auto& g, float* x, const float* w, const float* y) {
      Cpu::conv2d_input_gradient(g, y, w, x);
    });
    add("conv2d_im2col", s, [](const auto& g, const float* x, const float* w, float* y) {
      cpu::conv2d_im2col<float>(g, x, w, nullptr, y);
    });
    // By AMX where the processor has it, else by Winograd's algorithm in float.
    const auto convolve = [](const auto& g, const BFloat16* x, const BFloat16* w, BFloat16* y) {
      Cpu::conv2d<BFloat16>(g, x, w, nullptr, y);
    };
    add("conv2d_bfloat16", s, convolve, BFloat16{});
    add("conv2d_direct", s, [](const auto& g, const float* x, const float* w, float* y) {
      cpu::kernels<cpu::ConvolutionKernels<float>>().convolve_directly(
          {.g = g, .x = x, .filters = cpu::forward_filters(g, w), .y = y});
    });
    if (cpu::kernels<cpu::ConvolutionKernels<float>>().convolve_by_matrices != nullptr) {
      add("conv2d_matrices", s, [](const auto& g, const float* x, const float* w, float* y) {
        cpu::kernels<cpu::ConvolutionKernels<float>>().convolve_by_matrices(
            {.g = g, .x = x, .filters = cpu::forward_filters(g, w), .y = y});
      });
    }
    // What cpu::plan_winograd() chooses from.
    for (const std::int64_t output : {4, 6}) {
      for (const auto order : {cpu::WinogradOrder::kBlocks, cpu::WinogradOrder::kPanels}) {
        for (const std::int64_t most_tiles : {12, 24, 48, 96, 192, 384, 768}) {
          const char* const name = order == cpu::WinogradOrder::kBlocks ? "blocks" : "panels";
          add(message("conv2d_", name, "/", output, "/", most_tiles), s,
              [=](const auto& g, const float* x, const float* w, float* y) {
                cpu::kernels<cpu::ConvolutionKernels<float>>().convolve_by_winograd(
                    {.g = g, .x = x, .filters = cpu::forward_filters(g, w), .y = y},
                    {output, order, most_tiles});
              });
        }
      }
    }
  }
  return true;
}();

BENCHMARK(iteration)
    ->Args({150, 225})
    ->Args({600, 900})
    ->Args({1200, 1800})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(matmul)
    ->Args({64, 64, 33750})
    ->Args({512, 512, 512})
    ->Args({1024, 1024, 1024})
    ->UseRealTime();
BENCHMARK(pooling)->Args({64, 150, 225})->Args({512, 18, 28})->UseRealTime();
BENCHMARK(gram)
    ->Args({64, 150, 225})
    ->Args({128, 75, 112})
    ->Args({256, 37, 56})
    ->Args({512, 18, 28})
    ->UseRealTime();

}  // namespace
