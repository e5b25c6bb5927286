// How well a slim VGG-19 stands for the full one: do both find the same pictures alike in style,
// and how good are the slim one's pictures in the eyes of the full one? A slim network of random
// weights is the control. weights/README.md has the results.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "../../examples/find_weights.hpp"
#include "channel_scales.hpp"
#include "distillation.hpp"
#include "loss_scales.hpp"
#include "neighbor_loss.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"
#include "sfumato/style/weights.hpp"
#include "training_pictures.hpp"

namespace {

using namespace sfumato;
using namespace distill;

struct Arguments {
  std::string full;
  std::string slim;
  std::string pictures;
  std::string output;
  std::vector<std::string> transfers;
  std::int64_t crop = 192;
  std::int64_t size = 256;
  std::uint64_t seed = 1;
  int threads = 0;
  // Those of examples/demo.sh.
  style::TransferOptions transfer{.objective = {.content_weight = 0.05, .style_weight = 10000.0},
                                  .iterations = 300,
                                  .learning_rate = 0.05};
};

void add_options(CLI::App& app, Arguments& a) {
  app.option_defaults()->always_capture_default();
  app.add_option("FULL", a.full, "Weights of the full VGG-19")->required();
  app.add_option("SLIM", a.slim, "Weights of the slim one")->required();
  app.add_option("PICTURES", a.pictures,
                 "What distill_vgg19 was trained with; the held-out pictures are compared by style")
      ->required();
  app.add_option("--transfers", a.transfers, "Pictures to paint: CONTENT STYLE CONTENT STYLE …");
  app.add_option("-o,--output", a.output, "Folder for the painted pictures");
  app.add_option("--crop", a.crop, "Pixels a side of the pictures that are compared")
      ->check(CLI::Range(32, 4096));
  app.add_option("--size", a.size, "Longer side of what is painted")->check(CLI::Range(32, 4096));
  app.add_option("--iterations", a.transfer.iterations, "Steps of the optimiser")
      ->check(CLI::Range(2, 1000000));
  app.add_option("--learning-rate", a.transfer.learning_rate, "Of Adam, a tenth after two thirds")
      ->check(CLI::PositiveNumber);
  app.add_option("--content-weight", a.transfer.objective.content_weight,
                 "Of the full network's content loss")
      ->check(CLI::PositiveNumber);
  app.add_option("--style-weight", a.transfer.objective.style_weight, "Of each style loss")
      ->check(CLI::PositiveNumber);
  app.add_option("--tv-weight", a.transfer.objective.tv_weight, "Of the total variation loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", a.seed, "Of the random network and the crops");
  app.add_option("--threads", a.threads, "Threads on the CPU (default: all)")
      ->check(CLI::Range(1, 1024));
}

/// The networks that are compared.
struct Networks {
  explicit Networks(const Arguments& a)
      : random_source(a.seed),
        full(style::load_vgg<float>(a.full, examples::print_note)),
        slim(style::load_vgg<float>(a.slim, examples::print_note)),
        control(style::vgg_options_of(a.slim), random_source),
        slim_scales(style::loss_scales_of(a.slim)) {
    for (Network* network : {&full, &slim, &control}) network->freeze();
  }
  Random random_source;
  Network full;
  Network slim;
  Network control;  ///< of the slim one's size, with random weights
  LossScales slim_scales;
  LossScales control_scales;
};

/// Style distances between all pairs of images, for each style tap and then in total, to which each
/// tap gives the same share.
std::vector<std::vector<double>> style_distances(Network& network,
                                                 const std::vector<Tensor<float>>& images) {
  std::vector<std::size_t> taps;
  for (const std::string& name : style::ObjectiveOptions{}.style_layers) {
    taps.push_back(network.layer_index(name));
  }
  std::vector<std::vector<Tensor<float>>> grams(taps.size());
  for (const Tensor<float>& image : images) {
    network.visit_features(Variable<float>(image), taps, [&](std::size_t i, const auto& features) {
      grams[i].push_back(losses::gram_matrix(features).value());
    });
  }
  std::vector<std::vector<double>> distances(taps.size());
  std::vector<double> total(images.size() * (images.size() - 1) / 2, 0.0);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    for (std::size_t j = 0; j < images.size(); ++j) {
      for (std::size_t k = 0; k < j; ++k) {
        distances[i].push_back(gram_distance(grams[i][j], grams[i][k]));
      }
    }
    const double sum = std::accumulate(distances[i].begin(), distances[i].end(), 0.0);
    for (std::size_t pair = 0; pair < total.size(); ++pair) total[pair] += distances[i][pair] / sum;
  }
  distances.push_back(std::move(total));
  return distances;
}

void compare_distances(Networks& networks, const std::vector<Tensor<float>>& images) {
  const auto full = style_distances(networks.full, images);
  std::printf(
      "\nCorrelation of style distances with the full network's, %zu pairs of %zu held-out "
      "pictures\n\n| network |",
      full[0].size(), images.size());
  std::string line = "| --- |";
  for (const std::string& name : style::ObjectiveOptions{}.style_layers) {
    std::printf(" %s |", name.c_str());
    line += " --- |";
  }
  std::printf(" total |\n%s --- |\n", line.c_str());
  for (const auto& [name, network] :
       {std::pair{"slim", &networks.slim}, std::pair{"random", &networks.control}}) {
    const auto slim = style_distances(*network, images);
    std::printf("| %s |", name);
    for (std::size_t i = 0; i < full.size(); ++i) {
      std::printf(" %.3f |", correlation(full[i], slim[i]));
    }
    std::printf("\n");
  }
}

/// How differently the networks tell places apart where neighbours are looked for: neighbor_loss of
/// a few images at a time, its mean.
void compare_places(Networks& networks, const std::vector<Tensor<float>>& images) {
  constexpr std::ptrdiff_t kTogether = 4;
  const std::vector<std::size_t> layers = neighbor_layers(networks.full);
  std::printf("\nHow differently places are told apart\n\n| network |");
  std::string line = "| --- |";
  for (const std::size_t layer : layers) {
    std::printf(" %s |", networks.full.layer_names()[layer].c_str());
    line += " --- |";
  }
  std::printf("\n%s\n", line.c_str());
  for (const auto& [name, network] :
       {std::pair{"slim", &networks.slim}, std::pair{"random", &networks.control}}) {
    std::vector<double> sums(layers.size(), 0.0);
    std::size_t batches = 0;
    for (auto begin = images.begin(); images.end() - begin >= kTogether; begin += kTogether) {
      const std::vector<Variable<float>> some(begin, begin + kTogether);
      const auto batch = ops::cat(some, 0);
      const Features full = networks.full.features(batch, layers);
      const Features other = network->features(batch, layers);
      for (std::size_t i = 0; i < layers.size(); ++i) {
        const std::int64_t apart = steps_apart(networks.full, layers[i]);
        sums[i] += static_cast<double>(neighbor_loss(full[i], other[i], apart, Random(1)).item());
      }
      ++batches;
    }
    std::printf("| %s |", name);
    for (const double sum : sums) std::printf(" %.3f |", sum / static_cast<double>(batches));
    std::printf("\n");
  }
}

/// A picture in the eyes of the full network.
struct Judgement {
  double style = 0.0;
  double content = 0.0;
};

/// The pictures side by side.
Tensor<std::uint8_t> strip(const std::vector<Tensor<std::uint8_t>>& pictures) {
  const std::int64_t height = pictures[0].shape()[0];
  const std::int64_t width = pictures[0].shape()[1];
  const auto count = static_cast<std::int64_t>(pictures.size());
  auto all = Tensor<std::uint8_t>::empty({height, width * count, 3});
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t k = 0; k < count; ++k) {
      std::copy_n(pictures[static_cast<std::size_t>(k)].data() + i * width * 3, width * 3,
                  all.data() + (i * count + k) * width * 3);
    }
  }
  return all;
}

struct Painting {
  double content_weight;
  Tensor<std::uint8_t> picture;
  Judgement judgement;
  double seconds;  ///< an iteration
};

/// What `paint` makes with the least content weight from `content_weight` on that the content
/// distance allows, found by doubling it and then halving the last step three times, in proportion;
/// after the last doubling whatever it is.
template <class Paint>
Painting paint_faithfully(const Paint& paint, double content_weight, double allowed) {
  constexpr int kMostDoublings = 9;
  constexpr int kHalvings = 3;
  Painting best = paint(content_weight);
  double too_little = 0.0;
  for (int i = 0; best.judgement.content > allowed && i < kMostDoublings; ++i) {
    too_little = best.content_weight;
    best = paint(2.0 * too_little);
  }
  if (too_little == 0.0 || best.judgement.content > allowed) return best;
  for (int i = 0; i < kHalvings; ++i) {
    const Painting between = paint(std::sqrt(too_little * best.content_weight));
    if (between.judgement.content <= allowed) {
      best = between;
    } else {
      too_little = between.content_weight;
    }
  }
  return best;
}

/// Paints one pair with each network. The slim ones get more content weight until the full network
/// finds no less of the content in their picture than in its own.
void compare_pictures(Networks& networks, const Arguments& a, std::size_t number) {
  const auto pixels = io::read_image(a.transfers[2 * number]);
  const double scale = static_cast<double>(a.size) /
                       static_cast<double>(std::max(pixels.shape()[0], pixels.shape()[1]));
  const auto side = [&](std::int64_t extent) {
    return std::max<std::int64_t>(32, std::llround(static_cast<double>(extent) * scale));
  };
  const auto prepare = [&](const Tensor<std::uint8_t>& picture) {
    return io::resize(picture, side(pixels.shape()[0]), side(pixels.shape()[1]));
  };
  const auto content_pixels = prepare(pixels);
  const auto style_pixels = prepare(io::read_image(a.transfers[2 * number + 1]));
  const auto content = style::normalize<float>(content_pixels);
  const auto style = style::normalize<float>(style_pixels);

  const auto judge = style::gatys_objective(networks.full, content, style,
                                            {.content_weight = 1.0, .style_weight = 1.0});
  const auto judged = [&](const Tensor<float>& picture) {
    return no_grad([&] {
      const auto losses = judge(Variable<float>(picture));
      Judgement judgement;
      for (const auto& loss : losses.of("content")) {
        judgement.content += static_cast<double>(loss.item());
      }
      for (const auto& loss : losses.of("style"))
        judgement.style += static_cast<double>(loss.item());
      return judgement;
    });
  };
  const double start = judged(content).style;
  double allowed = std::numeric_limits<double>::infinity();  // content distance
  std::vector<Tensor<std::uint8_t>> pictures{content_pixels, style_pixels};
  for (const auto& [name, network] :
       {std::pair{"full", &networks.full}, std::pair{"slim", &networks.slim},
        std::pair{"random", &networks.control}}) {
    style::TransferOptions options = a.transfer;
    if (network == &networks.slim) networks.slim_scales.apply_to(options.objective, *network);
    if (network == &networks.control) networks.control_scales.apply_to(options.objective, *network);
    const auto paint = [&, network = network](double content_weight) {
      options.objective.content_weight = content_weight;
      const auto result = style::transfer(*network, content, style, content, options);
      // As it is written: clipped and rounded.
      const auto picture = style::denormalize(result.image);
      return Painting{content_weight, picture, judged(style::normalize<float>(picture)),
                      result.history.back().seconds / static_cast<double>(result.history.size())};
    };
    const Painting best = paint_faithfully(paint, a.transfer.objective.content_weight, allowed);
    if (network == &networks.full) allowed = best.judgement.content;
    pictures.push_back(best.picture);
    std::printf("| %zu | %s | %.3g | %.1f %% | %.3f | %.3f |\n", number + 1, name,
                best.content_weight, 100.0 * best.judgement.style / start, best.judgement.content,
                best.seconds);
    std::fflush(stdout);
  }
  if (!a.output.empty()) {
    std::filesystem::create_directories(a.output);
    io::write_image(std::filesystem::path(a.output) / message("pair-", number + 1, ".png"),
                    strip(pictures));
  }
}

int compare(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Compares a slim VGG-19 with the full one.", "compare_networks");
  try {
    add_options(app, arguments);
    app.parse(argc, argv);
    if (arguments.transfers.size() % 2 != 0) {
      throw CLI::ValidationError("--transfers needs pictures in pairs, CONTENT STYLE");
    }
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "compare_networks: %s; see --help\n", error.what());
    return 2;
  }
  arguments.transfer.lr_decay_every =
      std::max<std::int64_t>(1, arguments.transfer.iterations * 2 / 3);
  if (arguments.threads > 0) set_thread_count(arguments.threads);
  Networks networks(arguments);
  Random random(arguments.seed);
  std::vector<Tensor<float>> images;
  for (const auto& picture : read_training_pictures(arguments.pictures, 1).held_out) {
    if (std::min(picture.shape()[0], picture.shape()[1]) < arguments.crop) continue;
    images.push_back(random_crops({picture}, 1, arguments.crop, false, random));
  }
  if (images.size() < 3) {
    throw ValueError(
        message("--crop ", arguments.crop, ": too few held-out pictures are so large"));
  }
  balance(networks.control, uniform_lengths(networks.control), images);
  networks.control_scales = measure_loss_scales(networks.full, networks.control, images);
  networks.control_scales.total_variation = networks.slim_scales.total_variation;
  networks.control_scales.neighbors_total_variation =
      networks.slim_scales.neighbors_total_variation;
  compare_distances(networks, images);
  compare_places(networks, images);
  if (!arguments.transfers.empty()) {
    std::printf("\nPictures in the eyes of the full network, %lld pixels, %lld iterations\n\n",
                static_cast<long long>(arguments.size),
                static_cast<long long>(arguments.transfer.iterations));
    std::printf(
        "| pair | network | content weight | style loss left | content distance | seconds "
        "an iteration |\n| --- | --- | --- | --- | --- | --- |\n");
    for (std::size_t i = 0; i < arguments.transfers.size() / 2; ++i) {
      compare_pictures(networks, arguments, i);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return compare(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare_networks: %s\n", error.what());
    return 1;
  }
}
