// Presets against what the programs that they are named after compute, in double precision: golden
// numbers of PyTorch; see the README of the shared data.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/io/image.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/ladder.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"
#include "support/shared_data.hpp"

namespace sfumato::style_peers_test {

namespace {

/// Content, the five layers of the style, variation, and the total.
using Row = std::vector<double>;
constexpr std::size_t kTotal = 7;

/// The shared data's pictures, painted as a preset says.
struct Run {
  Tensor<std::uint8_t> content = io::read_image(*shared_data("images/rainier.jpg"));
  Tensor<std::uint8_t> painting = io::read_image(*shared_data("images/autumn-oak.jpg"));
  style::Preset preset;
  nn::Vgg<double> network;
  style::TransferResult<double> result = {};
  style::PictureSize size = {0, 0};
  std::vector<Row> rows = {};

  explicit Run(const style::Preset& chosen)
      : preset(chosen),
        network(style::load_vgg<double>(*shared_data("weights/vgg19-oxford-q8.safetensors"), {},
                                        chosen.network)) {}

  /// One picture, which goes on from the last one.
  void paint(std::int64_t longer, std::int64_t longer_of_style, std::int64_t iterations) {
    const auto sized = [&](const Tensor<std::uint8_t>& pixels, std::int64_t side) {
      return style::size_in_proportion(pixels.shape(), side, preset.pictures.side_rounding);
    };
    const style::PictureSize before = std::exchange(size, sized(content, longer));
    const auto pixels = style::prepare_picture<double>(content, size, preset.pictures);
    const auto goal =
        style::prepare_picture<double>(painting, sized(painting, longer_of_style), preset.pictures);
    style::MinimizerState<double> from;
    Tensor<double> start = pixels;
    if (result.image.defined()) {
      start = style::enlarge_picture(result.image, size, preset.pictures);
      from.optimizer = style::enlarge_moments(result.state.optimizer,
                                              {1, 3, before.height, before.width}, start.shape());
    }
    preset.transfer.iterations = iterations;
    const auto keep = [&](const style::Moment<double>& now) {
      rows.push_back({now.loss("content")});
      for (const std::string& layer : preset.transfer.objective.style_layers) {
        rows.back().push_back(now.terms.at("style " + layer));
      }
      rows.back().push_back(now.loss("tv"));
      rows.back().push_back(now.total);
      return true;
    };
    result = style::transfer(network, pixels, goal, start, preset.transfer, keep, from);
  }
};

/// A file of golden numbers; null, having said so, where the data are not here.
nlohmann::json golden(const std::string& name) {
  const auto path = shared_data("reference/peers/" + name + ".json");
  if (!path) {
    MESSAGE("SKIPPED: there is no ", name, ".json; set SFUMATO_SHARED to the shared data");
    return nullptr;
  }
  std::ifstream file(*path);
  return nlohmann::json::parse(file);
}

/// All terms that are not next to nothing of the total agree; says how closely.
void check_rows(const std::string& name, const std::vector<Row>& rows,
                const std::vector<Row>& expected) {
  REQUIRE(rows.size() == expected.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    for (std::size_t term = 0; term <= kTotal; ++term) {
      CAPTURE(term);
      const double wanted = expected[i].at(term);
      if (std::abs(wanted) < 1e-9 * expected[i][kTotal]) continue;
      const double error = std::abs(rows[i].at(term) / wanted - 1.0);
      CHECK(error < 1e-6);  // 1e-3 is asked for
      worst = std::max(worst, error);
    }
  }
  MESSAGE(name, ": at most ", worst, " off");
}

void check_johnson(const std::string& name, const style::Preset& preset, std::int64_t style_size) {
  const nlohmann::json numbers = golden(name);
  if (numbers.is_null()) return;
  std::vector<Row> expected;
  for (const auto& evaluation : numbers["evaluations"]) {
    Row row{evaluation["content"][0]};
    for (const double loss : evaluation["style"]) row.push_back(loss);
    row.push_back(evaluation["tv"]);
    row.push_back(evaluation["total"]);
    expected.push_back(row);
  }
  Run run(preset);
  run.paint(96, style_size, static_cast<std::int64_t>(expected.size()));
  CHECK(run.size == style::PictureSize{63, 96});
  check_rows(name, run.rows, expected);
}

void check_crowson(const std::string& name, const style::Preset& preset) {
  const nlohmann::json numbers = golden(name);
  if (numbers.is_null()) return;
  std::vector<Row> expected;
  for (const auto& row : numbers["rows"]) {
    expected.push_back(row["terms"].get<Row>());
    expected.back().push_back(row["total"]);
  }
  const auto& settings = numbers["settings"];
  Run run(preset);
  for (const std::int64_t side : style::ladder(settings["min_scale"], settings["end_scale"])) {
    run.paint(side, side, settings[run.rows.empty() ? "initial_iterations" : "iterations"]);
    const auto& row = numbers["rows"][run.rows.size() - 1];
    CHECK(run.size == style::PictureSize{row["h"], row["w"]});
  }
  check_rows(name, run.rows, expected);
  const auto path = shared_data("reference/peers/" + name + "-image.npy");
  if (!path) return;
  const auto picture = io::read_npy<double>(*path).to_vector();
  const auto image = run.result.image.to_vector();
  double worst = 0.0;
  for (std::size_t i = 0; i < image.size(); ++i) {
    const std::size_t c = i / (image.size() / 3);
    const double shown = image[i] * style::kImageNetDeviation[c] + style::kImageNetMean[c];
    worst = std::max(worst, std::abs(std::clamp(shown, 0.0, 1.0) - picture.at(i)));
  }
  CHECK(worst < 1e-5);
  MESSAGE(name, ": pixels at most ", worst, " off");
}

}  // namespace

TEST_CASE("johnson is neural-style") {
  const style::Preset lbfgs = style::preset("johnson");
  check_johnson("johnson-lbfgs", lbfgs, 96);
  style::Preset adam = lbfgs;
  adam.transfer.optimizer = style::Optimizer::kAdam;
  check_johnson("johnson-adam", adam, 96);
  check_johnson("johnson-style-scale", adam, 72);
  adam.network.pooling = nn::Pooling::kAverage;
  check_johnson("johnson-average-pooling", adam, 96);
}

TEST_CASE("crowson is style-transfer-pytorch") {
  const style::Preset preset = style::preset("crowson");
  style::Preset other = preset;
  other.network.pooling = nn::Pooling::kAverage;
  check_crowson("w2-multiscale-average-pooling", other);
  other = preset;
  other.transfer.optimizer = style::Optimizer::kLbfgs;
  check_crowson("w2-multiscale-lbfgs", other);
  check_crowson("w2-multiscale", preset);
}

}  // namespace sfumato::style_peers_test
