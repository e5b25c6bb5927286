// Loops of few large jobs are cut finer for many threads: there are enough jobs for each layer of
// VGG-19, and results have the same bits.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "support/threads.hpp"

namespace sfumato::cpu_shares_test {

namespace {

struct Layer {
  std::int64_t in_channels, out_channels, height, width;
};

// From conv1_2 to conv5_1, for an image of 150 × 225.
const std::vector<Layer> kLayers{{64, 64, 150, 225}, {64, 128, 75, 112}, {128, 128, 75, 112},
                                 {128, 256, 37, 56}, {256, 256, 37, 56}, {256, 512, 18, 28},
                                 {512, 512, 18, 28}, {512, 512, 9, 14}};

std::int64_t blocks(const Layer& layer) {
  return ceil_div(layer.height, std::int64_t{4});
}
std::int64_t panels(const Layer& layer) {
  return ceil_div(layer.out_channels, std::int64_t{32});
}
cpu::SliceJob slice_job(const Layer& layer, std::int64_t threads) {
  const bool few = layer.in_channels * layer.out_channels <= 128 * 128;
  return cpu::choose_slice_job(blocks(layer), panels(layer), few, threads);
}

/// Jobs of the loop that multiplies.
std::int64_t jobs_of(const Layer& layer, std::int64_t threads) {
  const std::int64_t both = blocks(layer) * panels(layer);
  switch (slice_job(layer, threads)) {
    case cpu::SliceJob::kRows:
      return blocks(layer);
    case cpu::SliceJob::kPanel:
      return panels(layer);
    default:
      return both * cpu::parts_of_jobs(both, ceil_div(layer.width, std::int64_t{32}), threads);
  }
}

double speed_up(std::int64_t jobs, std::int64_t threads) {
  return static_cast<double>(jobs) / static_cast<double>(ceil_div(jobs, threads));
}

}  // namespace

TEST_CASE("parts of a range follow one another, begin at multiples, and are nearly equal") {
  for (const std::int64_t count : {1, 31, 32, 33, 100, 227}) {
    for (const std::int64_t parts : {1, 2, 3}) {
      std::int64_t end = 0;
      for (std::int64_t i = 0; i < parts; ++i) {
        const cpu::Part part(count, 16, i, parts);
        CHECK(part.begin % 16 == 0);
        CHECK(std::min(part.begin, count) == end);
        CHECK(part.end - part.begin <= 16 * ceil_div(ceil_div(count, std::int64_t{16}), parts));
        end = std::max(end, part.end);
      }
      CHECK(end == count);
    }
  }
  CHECK(cpu::Part(7).end == 7);
  CHECK(cpu::keep_busy(8, 8));
  CHECK(cpu::keep_busy(13, 16));
  CHECK_FALSE(cpu::keep_busy(12, 16));
  CHECK_FALSE(cpu::keep_busy(17, 16));
  CHECK_FALSE(cpu::keep_busy(1, 3));
  CHECK(cpu::keep_busy(1, 2));
  CHECK(cpu::parts_of_jobs(4, 100, 16) == 4);
  CHECK(cpu::parts_of_jobs(4, 2, 16) == 2);
}

TEST_CASE("eight and sixteen threads have work for at least four fifths of VGG-19's loops") {
  for (const std::int64_t threads : {8, 16}) {
    CAPTURE(threads);
    const double least = 0.8 * static_cast<double>(threads);
    for (const Layer& layer : kLayers) {
      CAPTURE(layer.in_channels);
      CAPTURE(layer.out_channels);
      CHECK(speed_up(jobs_of(layer, threads), threads) >= least);
      const Layer back{layer.out_channels, layer.in_channels, layer.height, layer.width};
      CHECK(speed_up(jobs_of(back, threads), threads) >= least);
    }
    // Gram matrices, of conv1_1 and conv2_1 with long sums in slices.
    for (const auto& [channels, positions] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {256, 37 * 56}, {512, 504}, {512, 126}}) {
      CAPTURE(channels);
      const std::int64_t tile = channels == 512 ? 256 : 128;
      const auto jobs =
          cpu::tile_jobs<float>(channels, channels, positions, tile, true, 1, threads);
      CHECK(speed_up(jobs.count(), threads) >= least);
    }
    for (const auto& [channels, slices] : {std::pair{64, 32}, std::pair{128, 8}}) {
      CAPTURE(channels);
      const auto jobs =
          cpu::tile_jobs<float>(channels, channels, 1050, channels, true, slices, threads);
      CHECK(speed_up(slices * jobs.count(), threads) >= least);
    }
  }
}

TEST_CASE("two threads take whole rows, panels and tiles") {
  for (const Layer& layer : kLayers) {
    const bool few = layer.in_channels * layer.out_channels <= 128 * 128;
    CHECK(slice_job(layer, 2) == (few ? cpu::SliceJob::kRows : cpu::SliceJob::kPanel));
  }
  CHECK(cpu::tile_jobs<float>(512, 512, 504, 256, true, 1, 2).tile == 256);
  CHECK(cpu::tile_jobs<float>(128, 128, 1050, 128, true, 8, 2).tile == 128);
  CHECK(cpu::tile_jobs<float>(128, 128, 1000, 128, true, 1, 2).tile == 128);
  CHECK(cpu::tile_jobs<double>(512, 512, 504, 256, true, 1, 16).tile == 256);
}

TEST_CASE("jobs of a product cover each tile that is wanted once") {
  for (const bool symmetric : {false, true}) {
    for (const std::int64_t size : {1, 31, 64, 65, 130, 300}) {
      const cpu::TileJobs jobs{size, size, 64, symmetric};
      std::vector<int> seen(static_cast<std::size_t>(jobs.rows() * jobs.columns()), 0);
      for (std::int64_t job = 0; job < jobs.count(); ++job) {
        jobs.for_each_tile(job, [&](std::int64_t row, std::int64_t column) {
          ++seen[static_cast<std::size_t>(row / 64 * jobs.columns() + column / 64)];
        });
      }
      for (std::int64_t row = 0; row < jobs.rows(); ++row) {
        for (std::int64_t column = 0; column < jobs.columns(); ++column) {
          const bool wanted = !symmetric || column <= row;
          CHECK(seen[static_cast<std::size_t>(row * jobs.columns() + column)] == (wanted ? 1 : 0));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("what is cut for sixteen threads has the same bits", T, float, BFloat16) {
  const std::vector<Layer> convolutions{{64, 64, 22, 37},
                                        {128, 64, 13, 50},
                                        {128, 192, 13, 26},
                                        {192, 128, 21, 30},
                                        {96, 300, 9, 17}};
  const auto convolve = [&] {
    std::vector<std::vector<T>> results;
    for (const Layer& layer : convolutions) {
      Random random(1);
      const Variable<T> x(
          Tensor<float>::randn({2, layer.in_channels, layer.height, layer.width}, random)
              .template cast<T>(),
          true);
      const Variable<T> w(
          Tensor<float>::randn({layer.out_channels, layer.in_channels, 3, 3}, random)
              .template cast<T>());
      const auto y = ops::conv2d_relu(x, w, Variable<T>(Tensor<T>::ones({layer.out_channels})),
                                      {.padding = 1});
      results.push_back(y.value().to_vector());
      results.push_back(grad({ops::sum(ops::square(y))}, {x})[0].value().to_vector());
    }
    return results;
  };
  const auto multiply = [&] {
    std::vector<std::vector<T>> results;
    for (const auto& [rows, inner] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {512, 130}, {256, 700}, {70, 900}, {128, 4100}, {60, 9000}}) {
      Random random(2);
      const Variable<T> a(Tensor<float>::randn({rows, inner}, random).template cast<T>());
      const Variable<T> b(Tensor<float>::randn({inner, 150}, random).template cast<T>());
      results.push_back(ops::matmul(a, a, {.transpose_b = true}).value().to_vector());
      results.push_back(ops::matmul(a, b).value().to_vector());
    }
    return results;
  };
  const auto alone = [&] {
    const Threads one(1);
    return std::pair{convolve(), multiply()};
  }();
  for (const int count : {2, 5, 16}) {
    CAPTURE(count);
    const Threads several(count);
    CHECK((convolve() == alone.first));
    CHECK((multiply() == alone.second));
  }
}

}  // namespace sfumato::cpu_shares_test
