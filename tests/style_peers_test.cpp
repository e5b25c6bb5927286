// Presets against what the programs that they are named after compute, in double precision: golden
// numbers of PyTorch; see the README of the shared data.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/io/image.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_data.hpp"

namespace sfumato {

namespace {

using Terms = std::vector<double>;

/// The shared data's pictures, painted as a preset says.
struct Run {
  Tensor<std::uint8_t> content = io::read_image(*shared_data("images/rainier.jpg"));
  Tensor<std::uint8_t> painting = io::read_image(*shared_data("images/autumn-oak.jpg"));
  style::Preset preset;
  nn::Vgg<double> network;
  style::TransferResult<double> result = {};
  style::PictureSize size = {0, 0};

  explicit Run(const style::Preset& chosen)
      : preset(chosen),
        network(style::load_vgg<double>(*shared_data("weights/vgg19-oxford-q8.safetensors"), {},
                                        chosen.network)) {}

  /// One scale, which goes on from the last one.
  void paint(std::int64_t longer, std::int64_t longer_style, std::int64_t iterations) {
    const style::PictureSize before = std::exchange(
        size, style::size_in_proportion(content.shape(), longer, preset.pictures.side_rounding));
    const auto pixels = style::prepare_picture<double>(content, size, preset.pictures);
    const auto goal = style::prepare_picture<double>(
        painting,
        style::size_in_proportion(painting.shape(), longer_style, preset.pictures.side_rounding),
        preset.pictures);
    style::MinimizerState<double> from;
    Tensor<double> start = pixels;
    if (result.image.defined()) {
      start = style::enlarge_picture(result.image, size, preset.pictures);
      from.optimizer = style::enlarge_moments(result.state.optimizer,
                                              {1, 3, before.height, before.width}, start.shape());
    }
    preset.transfer.iterations = iterations;
    result = style::transfer(network, pixels, goal, start, preset.transfer, {}, from);
  }
};

nlohmann::json golden(const std::string& name) {
  std::ifstream file(*shared_data("reference/peers/" + name + ".json"));
  return nlohmann::json::parse(file);
}

double sum_of(const nlohmann::json& numbers) {
  double sum = 0.0;
  for (const double number : numbers) sum += number;
  return sum;
}

/// Largest relative difference seen so far, of what is not next to nothing of the total.
double worst = 0.0;
void check_near(double actual, double expected, double total, double tolerance) {
  if (std::abs(expected) < 1e-6 * total) return;
  worst = std::max(worst, std::abs(actual - expected) / std::abs(expected));
  CHECK(actual == doctest::Approx(expected).epsilon(tolerance));
}

constexpr double kTolerance = 1e-3;

void check_johnson(const std::string& name, style::Preset preset, std::int64_t style_size) {
  preset.transfer.objective.style_weight = 3e5;
  preset.transfer.objective.content_weight = 300.0;
  const nlohmann::json expected = golden(name)["evaluations"];
  Run run(preset);
  run.paint(96, style_size, static_cast<std::int64_t>(expected.size()));
  CHECK(run.size == style::PictureSize{63, 96});
  worst = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    const auto& row = expected[i];
    const auto& now = run.result.history.at(i);
    const double total = row["total"];
    check_near(now.total, total, total, kTolerance);
    check_near(now.loss("tv"), row["tv"], total, kTolerance);
    check_near(now.loss("content"), sum_of(row["content"]), total, kTolerance);
    check_near(now.loss("style"), sum_of(row["style"]), total, kTolerance);
  }
  MESSAGE(name, ": ", worst);
}

}  // namespace

TEST_CASE("johnson") {
  const style::Preset lbfgs = style::preset("johnson");
  check_johnson("johnson-lbfgs", lbfgs, 96);
  style::Preset adam = lbfgs;
  adam.transfer.optimizer = style::Optimizer::kAdam;
  check_johnson("johnson-adam", adam, 96);
  check_johnson("johnson-style-scale", adam, 72);
  adam.network.pooling = nn::Pooling::kAverage;
  check_johnson("johnson-average-pooling", adam, 96);
}

void check_crowson(const std::string& name, const style::Preset& preset) {
  const nlohmann::json expected = golden(name);
  const auto& settings = expected["settings"];
  Run run(preset);
  std::size_t row = 0;
  worst = 0.0;
  for (const std::int64_t side : style::ladder(settings["min_scale"], settings["end_scale"])) {
    run.paint(side, side, settings[row == 0 ? "initial_iterations" : "iterations"]);
    for (const auto& now : run.result.history) {
      const auto& wanted = expected["rows"].at(row++);
      CAPTURE(row);
      CHECK(run.size == style::PictureSize{wanted["h"], wanted["w"]});
      const Terms terms = wanted["terms"];
      const double total = wanted["total"];
      double style = 0.0;
      for (std::size_t i = 1; i < 6; ++i) style += terms[i];
      check_near(now.total, total, total, kTolerance);
      check_near(now.loss("tv"), terms[6], total, kTolerance);
      check_near(now.loss("content"), terms[0], total, kTolerance);
      check_near(now.loss("style"), style, total, kTolerance);
    }
  }
  MESSAGE(name, ": ", worst);
  CHECK(row == expected["rows"].size());
}

TEST_CASE("crowson") {
  const style::Preset preset = style::preset("crowson");
  style::Preset other = preset;
  other.network.pooling = nn::Pooling::kAverage;
  check_crowson("w2-multiscale-average-pooling", other);
  other = preset;
  other.transfer.optimizer = style::Optimizer::kLbfgs;
  check_crowson("w2-multiscale-lbfgs", other);
  check_crowson("w2-multiscale", preset);
}

}  // namespace sfumato
