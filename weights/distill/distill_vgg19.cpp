// Trains a slim VGG-19 to see like the full one, with this library alone: weights/README.md.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "../../examples/find_weights.hpp"
#include "channel_scales.hpp"
#include "distillation.hpp"
#include "distillation_validation.hpp"
#include "layer_optimizers.hpp"
#include "least_squares_student.hpp"
#include "loss_scales.hpp"
#include "neighbor_loss.hpp"
#include "painted_pictures.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"
#include "sfumato/style/weights.hpp"
#include "state.hpp"
#include "training_pictures.hpp"

namespace {

using namespace sfumato;
using namespace distill;
namespace fs = std::filesystem;

struct Arguments {
  std::string pictures;
  std::string output;
  std::string work;
  std::string weights;
  std::vector<std::int64_t> widths{16,  16,  48,  48,  64,  64, 64, 64,
                                   144, 144, 144, 144, 256, 16, 16, 16};
  std::int64_t crop = 96;
  std::int64_t batch = 4;
  std::int64_t fit_crops = 384;
  std::int64_t steps = 5000;
  std::int64_t validate_every = 250;
  std::int64_t validation_crops = 24;
  double learning_rate = 0.02;
  std::uint64_t seed = 1;
  int threads = 0;
};

volatile std::sig_atomic_t interrupted = 0;

void add_options(CLI::App& app, Arguments& a) {
  app.option_defaults()->always_capture_default();
  const CLI::Range counts(1, 100000000);
  app.add_option("PICTURES", a.pictures, "Folder of JPEGs: weights/gather_pictures.sh")->required();
  app.add_option("-o,--output", a.output, "Weights to write (.safetensors, float16)")->required();
  app.add_option("--work", a.work, "Folder for the checkpoint, from which it resumes, and the log")
      ->required();
  app.add_option("--weights", a.weights, "Weights of the full VGG-19, otherwise searched for");
  app.add_option("--widths", a.widths, "Channels of the five blocks, or of the 16 convolutions")
      ->delimiter(',')
      ->check(CLI::Range(1, 512));
  app.add_option("--crop", a.crop, "Pixels a side of what is trained with")
      ->check(CLI::Range(32, 1024));
  app.add_option("--batch", a.batch, "Crops in a step, half of them from what is being painted")
      ->check(CLI::Range(2, 1024));
  app.add_option("--fit-crops", a.fit_crops, "Crops for the least squares that come first")
      ->check(CLI::Range(3, 100000));
  app.add_option("--steps", a.steps, "Steps of AdamW for all layers together; 0 leaves it at that")
      ->check(CLI::Range(0, 100000000));
  app.add_option("--learning-rate", a.learning_rate,
                 "By about what share of itself an output may change in a step; a cosine ends at a "
                 "fiftieth")
      ->check(CLI::PositiveNumber);
  app.add_option("--validate-every", a.validate_every, "Steps between two checkpoints")
      ->check(counts);
  app.add_option("--validation-crops", a.validation_crops, "Crops to validate with")
      ->check(CLI::Range(3, 10000));
  app.add_option("--seed", a.seed, "Of all that happens by chance");
  app.add_option("--threads", a.threads, "Threads on the CPU (default: all)")
      ->check(CLI::Range(1, 1024));
}

/// One training, from pictures to weights.
class Training {
 public:
  Training(const Arguments& a, const fs::path& teacher_weights)
      : a_(a),
        pictures_(read_training_pictures(a.pictures, a.crop)),
        teacher_(style::load_vgg<float>(teacher_weights, examples::print_note)),
        taps_(training_taps(teacher_)),
        student_(slim_options(a), Random(a.seed)),
        painted_(pictures_.training, {.group_size = a.batch / 2, .size = a.crop}) {
    teacher_.freeze();
    std::printf("%zu pictures to train with, %zu held out\n", pictures_.training.size(),
                pictures_.held_out.size());
    fs::create_directories(a.work);
  }

  int run() {
    const Validation validation(teacher_, crops(pictures_.held_out, a_.validation_crops, 1));
    const bool resumes = fs::exists(checkpoint_path());
    if (resumes) {
      load_student();
    } else {
      fit();
    }
    std::vector<Variable<float>> parameters = student_.network.parameters();
    for (const Tap& tap : taps_) parameters.push_back(student_.projections[tap.convolution]);
    LayerOptimizers optimizers(parameters);
    if (resumes) {
      resume(optimizers);
    } else {
      say("least squares", validation(student_));
      save(optimizers);
    }
    train(optimizers, validation);
    if (interrupted != 0) return kInterruptedStatus;
    write_weights();
    return 0;
  }

 private:
  static constexpr int kInterruptedStatus = 130;
  static constexpr std::int64_t kBalanceCrops = 256;
  static constexpr float kNeighborShare = 0.5F;  // of each of its layers in the loss

  static nn::VggOptions slim_options(const Arguments& a) {
    nn::VggOptions options;
    options.widths = a.widths;
    return options;
  }

  fs::path checkpoint_path() const { return fs::path(a_.work) / "checkpoint.safetensors"; }
  fs::path log_path() const { return fs::path(a_.work) / "log.csv"; }

  /// Every step has numbers of its own, so that a resumed training is the one it would have been.
  Random random_of(std::int64_t step) const {
    constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;
    return Random(a_.seed + kGolden * (static_cast<std::uint64_t>(step) + 1));
  }

  std::vector<Tensor<float>> crops(const std::vector<Tensor<std::uint8_t>>& pictures,
                                   std::int64_t count, std::uint64_t stream) const {
    Random random(a_.seed + stream);
    std::vector<Tensor<float>> all;
    for (std::int64_t i = 0; i < count; ++i) {
      all.push_back(random_crops(pictures, 1, a_.crop, false, random));
    }
    return all;
  }

  /// The student that training begins with: made by least squares, and scaled.
  void fit() {
    std::vector<Tensor<float>> batches;
    Random random(a_.seed + 2);
    constexpr std::int64_t kBatch = 16;
    for (std::int64_t left = a_.fit_crops; left > 0; left -= kBatch) {
      batches.push_back(
          random_crops(pictures_.training, std::min(left, kBatch), a_.crop, true, random));
    }
    no_grad([&] { fit_student(teacher_, batches, student_); });
    scale_channels(random);
  }

  /// Scales the student's channels as they are to be in a file, without changing what it computes.
  void scale_channels(Random& random) {
    const auto images = crops(pictures_.training, kBalanceCrops, 3);
    student_.network.freeze();
    balance(student_, channel_lengths(teacher_, student_, images, random), images);
    student_.network.unfreeze();
  }

  /// The steps that are left, with a checkpoint now and then.
  void train(LayerOptimizers& optimizers, const Validation& validation) {
    const std::int64_t warmup = a_.steps / 20;
    const optim::Warmup schedule(warmup, optim::CosineDecay{.initial = a_.learning_rate,
                                                            .total = a_.steps - warmup,
                                                            .final = a_.learning_rate / 50.0});
    auto start = std::chrono::steady_clock::now();
    std::int64_t since = step_;
    while (step_ < a_.steps && interrupted == 0) {
      if (step_ % a_.validate_every == 0) scales_ = loss_scales();
      Random random = random_of(step_);
      const auto loss = batch_loss(next_batch(random), random);
      backward(loss);
      optimizers.step(schedule(step_));
      running_ += (static_cast<double>(loss.item()) - running_) / (step_ == 0 ? 1.0 : 50.0);
      ++step_;
      if (step_ % a_.validate_every != 0 && step_ != a_.steps) continue;
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      say(message("step ", step_, "/", a_.steps, ", ",
                  taken.count() / static_cast<double>(step_ - since), " s a step"),
          validation(student_));
      save(optimizers);
      start = std::chrono::steady_clock::now();
      since = step_;
    }
    if (interrupted != 0) save(optimizers);
  }

  LossScales loss_scales() {
    constexpr std::int64_t kImages = 16;
    return measure_loss_scales(teacher_, student_.network, crops(pictures_.training, kImages, 4));
  }

  Tensor<float> next_batch(Random& random) {
    const Variable<float> photographs(
        random_crops(pictures_.training, a_.batch - a_.batch / 2, a_.crop, true, random));
    style::ObjectiveOptions gram{.content_weight = 0.2, .style_weight = 3000.0};
    scales_.apply_to(gram, student_.network);
    const auto neighbors = style::method(style::StyleLoss::kNeighbors).transfer.objective;
    const Variable<float> painted(painted_.next(student_.network, {gram, neighbors}, random));
    return ops::cat({photographs, painted}, 0).value();
  }

  /// How far the student's features are from the teacher's at all taps, and how differently both
  /// tell places apart.
  Variable<float> batch_loss(const Tensor<float>& batch, const Random& random) {
    const Variable<float> images(batch);
    std::vector<std::size_t> layers = layers_of(taps_);
    const std::vector<std::size_t> places = neighbor_layers(teacher_);
    layers.insert(layers.end(), places.begin(), places.end());
    const Features full = teacher_.features(images, layers);
    const Features slim = student_.network.features(images, layers);
    Variable<float> total;
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      const auto& projection = student_.projections[taps_[i].convolution];
      const auto loss =
          total_loss(tap_loss(full[i], slim[i], projection, taps_[i].style)) * taps_[i].weight;
      total = total.defined() ? total + loss : loss;
    }
    for (std::size_t i = taps_.size(); i < layers.size(); ++i) {
      const auto loss = neighbor_loss(full[i], slim[i], steps_apart(teacher_, layers[i]), random);
      total = total + loss * kNeighborShare;
    }
    return total;
  }

  void save(const LayerOptimizers& optimizers) const {
    State state;
    insert_prefixed(state, "student.", student_.network.state_dict());
    for (std::size_t i = 0; i < student_.projections.size(); ++i) {
      state[message("projection.", i)] = student_.projections[i].value();
    }
    if (step_ > 0) insert_prefixed(state, "optimizer.", optimizers.state());
    insert_prefixed(state, "painted.", painted_.state());
    state["progress"] =
        Tensor<float>::from({static_cast<float>(step_), static_cast<float>(running_)}, {2});
    io::write_file_atomically(log_path(), log_);
    io::write_safetensors(checkpoint_path(), state, io::StoredType::kF32, to_metadata(scales_));
  }

  State read_checkpoint() const {
    const io::SafetensorsFile file(checkpoint_path());
    State state;
    for (const std::string& name : file.names()) state[name] = file.read<float>(name);
    return state;
  }

  void load_student() {
    const State state = read_checkpoint();
    student_.network.load_state_dict(select_prefixed(state, "student."));
    student_.projections.clear();
    for (std::size_t i = 0; i < convolution_layers(teacher_).size(); ++i) {
      student_.projections.emplace_back(state.at(message("projection.", i)), true);
    }
  }

  void resume(LayerOptimizers& optimizers) {
    const State state = read_checkpoint();
    const auto progress = state.at("progress").to_vector();
    step_ = static_cast<std::int64_t>(progress.at(0));
    running_ = static_cast<double>(progress.at(1));
    if (step_ > 0) optimizers.load_state(select_prefixed(state, "optimizer."));
    painted_.load_state(select_prefixed(state, "painted."));
    scales_ = style::loss_scales_of(checkpoint_path());
    const auto bytes = io::FileReader(log_path()).read_all(std::uint64_t{1} << 30);
    log_.assign(bytes.begin(), bytes.end());
    std::printf("resumes after step %lld\n", static_cast<long long>(step_));
  }

  void say(const std::string& what, const Validation::Result& r) {
    std::string line = message(step_, ",", running_, ",", r.features, ",", r.gram);
    std::printf("%s: training %.4f  features %.4f  gram %.4f", what.c_str(), running_, r.features,
                r.gram);
    std::printf("  correlations");
    for (const double value : r.correlations) {
      std::printf(" %.3f", value);
      line += message(",", value);
    }
    std::printf("\n");
    log_ += line + "\n";
  }

  void write_weights() {
    Random random(a_.seed + 5);
    scale_channels(random);
    LossScales scales = loss_scales();
    weigh_style_layers(scales);
    scales.total_variation = kSlimTotalVariation;
    scales.neighbors_total_variation = kSlimNeighborsTotalVariation;
    std::map<std::string, std::string> metadata = to_metadata(scales);
    metadata["network"] = "slim VGG-19, distilled by sfumato's distill_vgg19";
    metadata["derived_from"] = "VGG-19 of the Oxford Visual Geometry Group";
    metadata["licence"] = "CC BY 4.0";
    io::write_safetensors(a_.output, student_.network.state_dict(), io::StoredType::kF16, metadata);
    std::printf("wrote %s\n", a_.output.c_str());
  }

  Arguments a_;
  TrainingPictures pictures_;
  Network teacher_;
  std::vector<Tap> taps_;
  Student student_;
  PaintedPictures painted_;
  LossScales scales_;  // of what is being painted
  std::int64_t step_ = 0;
  double running_ = 0.0;  // mean of the last losses
  std::string log_ =
      "step,training,features,gram,"
      "correlation 1_1,correlation 2_1,correlation 3_1,correlation 4_1,correlation 5_1\n";
};

int run(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // a log may be a file that is watched
  Arguments arguments;
  CLI::App app("Trains a slim VGG-19 to see like the full one.", "distill_vgg19");
  try {
    add_options(app, arguments);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "distill_vgg19: %s; see --help\n", error.what());
    return 2;
  }
  if (arguments.threads > 0) set_thread_count(arguments.threads);
  std::signal(SIGINT, [](int) { interrupted = 1; });
  return Training(arguments, examples::find_weights(arguments.weights, argv[0])).run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "distill_vgg19: %s\n", error.what());
    return 1;
  }
}
