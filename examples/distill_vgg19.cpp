// Trains a slim VGG-19 to see like the full one, with this library alone: weights/README.md.

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "distillation.hpp"
#include "find_weights.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/sfumato.hpp"
#include "training_pictures.hpp"

namespace {

using namespace sfumato;
using namespace examples;
namespace fs = std::filesystem;

struct Arguments {
  std::string pictures;
  std::string output;
  std::string work;
  std::string weights;
  std::vector<std::int64_t> widths{16, 32, 64, 128, 128};
  std::int64_t crop = 128;
  std::int64_t batch = 6;
  std::int64_t fit_crops = 192;
  std::int64_t steps = 1500;
  std::int64_t validate_every = 100;
  std::int64_t validation_crops = 32;
  double learning_rate = 5e-5;
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
  app.add_option("--widths", a.widths, "Channels of the five blocks")
      ->delimiter(',')
      ->expected(5)
      ->check(CLI::Range(1, 512));
  app.add_option("--crop", a.crop, "Pixels a side of what is trained with")
      ->check(CLI::Range(32, 1024));
  app.add_option("--batch", a.batch, "Crops in a step")->check(counts);
  app.add_option("--fit-crops", a.fit_crops, "Crops for the least squares that come first")
      ->check(counts);
  app.add_option("--steps", a.steps, "Steps of AdamW for all layers together; 0 leaves it at that")
      ->check(CLI::Range(0, 100000000));
  app.add_option("--learning-rate", a.learning_rate, "Of AdamW; a cosine ends at a fiftieth")
      ->check(CLI::PositiveNumber);
  app.add_option("--validate-every", a.validate_every, "Steps between two checkpoints")
      ->check(counts);
  app.add_option("--validation-crops", a.validation_crops, "Crops to validate with")
      ->check(CLI::Range(3, 10000));
  app.add_option("--seed", a.seed, "Of all that happens by chance");
  app.add_option("--threads", a.threads, "Threads on the CPU (default: all)")
      ->check(CLI::Range(1, 1024));
}

/// How far the student is from the teacher on crops of pictures that it is not trained with.
class Validation {
 public:
  struct Result {
    double loss = 0.0;
    double features = 0.0;             ///< mean over the convolutions
    double gram = 0.0;                 ///< mean over the style taps
    std::vector<double> correlations;  ///< of style distances between crops, per style tap
  };

  Validation(Network& teacher, const std::vector<Tensor<std::uint8_t>>& pictures,
             const Arguments& a)
      : names_(teacher.layer_names()), layers_(convolution_layers(teacher)) {
    Random random(a.seed + 1);
    for (std::int64_t i = 0; i < a.validation_crops; ++i) {
      images_.push_back(random_crops(pictures, 1, a.crop, false, random));
      full_.push_back(teacher.taps(Variable<float>(images_.back()), layers_));
    }
  }

  Result operator()(Student& student) const {
    return no_grad([&] {
      Result result;
      const auto count = static_cast<double>(images_.size());
      std::vector<std::vector<Tensor<float>>> full_grams(layers_.size());
      std::vector<std::vector<Tensor<float>>> slim_grams(layers_.size());
      for (std::size_t k = 0; k < images_.size(); ++k) {
        student.network.visit_taps(
            Variable<float>(images_[k]), layers_, [&](std::size_t i, const auto& slim) {
              const std::string& name = names_[layers_[i]];
              const bool style = is_style_tap(name);
              const TapLoss loss = tap_loss(full_[k][i], slim, student.projections[i], style);
              const double features = static_cast<double>(loss.features.item());
              result.features += features / count / static_cast<double>(layers_.size());
              result.loss += features * static_cast<double>(tap_weight(name)) / count;
              if (!style) return;
              const double gram = static_cast<double>(loss.gram.item());
              result.gram += gram / count / 5.0;
              result.loss += static_cast<double>(kGramWeight) * gram / count;
              full_grams[i].push_back(losses::gram_matrix(full_[k][i]).value());
              slim_grams[i].push_back(losses::gram_matrix(slim).value());
            });
      }
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        if (!full_grams[i].empty()) {
          result.correlations.push_back(
              correlation(distances(full_grams[i]), distances(slim_grams[i])));
        }
      }
      return result;
    });
  }

 private:
  static std::vector<double> distances(const std::vector<Tensor<float>>& grams) {
    std::vector<double> all;
    for (std::size_t i = 0; i < grams.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) all.push_back(gram_distance(grams[i], grams[j]));
    }
    return all;
  }

  std::vector<std::string> names_;
  std::vector<std::size_t> layers_;
  std::vector<Tensor<float>> images_;
  std::vector<Features> full_;
};

/// One training, from pictures to weights.
class Training {
 public:
  Training(const Arguments& a, const fs::path& teacher_weights)
      : a_(a),
        pictures_(read_training_pictures(a.pictures, a.crop)),
        teacher_(vgg_options_of(teacher_weights),
                 io::read_tensors<float>(teacher_weights, Network::parameter_names({}))),
        layers_(convolution_layers(teacher_)),
        student_(slim_options(a), Random(a.seed)) {
    teacher_.freeze();
    std::printf("%zu pictures to train with, %zu held out\n", pictures_.training.size(),
                pictures_.held_out.size());
    fs::create_directories(a.work);
  }

  int run() {
    const Validation validation(teacher_, pictures_.held_out, a_);
    State adam_state;
    if (fs::exists(checkpoint_path())) {
      adam_state = resume();
    } else {
      no_grad([&] { fit_student(teacher_, measuring_batches(a_.fit_crops, true), student_); });
      checkpoint("least squares", validation(student_), {});
    }
    train(adam_state, validation);
    if (interrupted != 0) return kInterruptedStatus;
    write_weights();
    return 0;
  }

 private:
  using State = std::map<std::string, Tensor<float>>;
  static constexpr int kInterruptedStatus = 130;

  static nn::VggOptions slim_options(const Arguments& a) {
    nn::VggOptions options;
    std::copy(a.widths.begin(), a.widths.end(), options.widths.begin());
    return options;
  }

  fs::path checkpoint_path() const { return fs::path(a_.work) / "checkpoint.safetensors"; }
  fs::path best_path() const { return fs::path(a_.work) / "best.safetensors"; }
  fs::path log_path() const { return fs::path(a_.work) / "log.csv"; }

  /// Every step has numbers of its own, so that a resumed training is the one it would have been.
  Random random_of(std::int64_t step) const {
    constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;
    return Random(a_.seed + kGolden * (static_cast<std::uint64_t>(step) + 1));
  }

  std::vector<Tensor<float>> measuring_batches(std::int64_t crops, bool jitter) const {
    Random random(a_.seed + 2);
    std::vector<Tensor<float>> batches;
    for (std::int64_t i = 0; i < crops; ++i) {
      batches.push_back(random_crops(pictures_.training, 1, a_.crop, jitter, random));
    }
    return batches;
  }

  /// The steps of AdamW that are left, with a checkpoint now and then.
  void train(const State& adam_state, const Validation& validation) {
    std::vector<Variable<float>> parameters = student_.network.parameters();
    parameters.insert(parameters.end(), student_.projections.begin(), student_.projections.end());
    // Few steps are few to forget early gradients in, and least squares leave weights that do not
    // bear large steps at first.
    optim::Adam<float> adam(parameters, {.learning_rate = a_.learning_rate,
                                         .beta2 = 0.99,
                                         .weight_decay = 1e-4,
                                         .decoupled_weight_decay = true});
    if (!adam_state.empty()) adam.load_state_dict(adam_state);
    const optim::CosineDecay schedule{.initial = a_.learning_rate,
                                      .total = a_.steps,
                                      .final = a_.learning_rate / 50.0,
                                      .warmup = a_.steps / 20};
    auto start = std::chrono::steady_clock::now();
    std::int64_t since = step_;
    while (step_ < a_.steps && interrupted == 0) {
      adam.set_learning_rate(schedule(step_));
      adam.zero_grad();
      Random random = random_of(step_);
      const auto loss =
          batch_loss(random_crops(pictures_.training, a_.batch, a_.crop, true, random));
      backward(loss);
      adam.step();
      running_ += (static_cast<double>(loss.item()) - running_) / (step_ == 0 ? 1.0 : 20.0);
      ++step_;
      if (step_ % a_.validate_every != 0 && step_ != a_.steps) continue;
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      checkpoint(message("step ", step_, "/", a_.steps, ", ",
                         taken.count() / static_cast<double>(step_ - since), " s a step"),
                 validation(student_), adam.state_dict());
      start = std::chrono::steady_clock::now();
      since = step_;
    }
    if (interrupted != 0) save(adam.state_dict());
  }

  Variable<float> batch_loss(const Tensor<float>& images) {
    const Features full = teacher_.taps(Variable<float>(images), layers_);
    Variable<float> total;
    student_.network.visit_taps(
        Variable<float>(images), layers_, [&](std::size_t i, const Variable<float>& slim) {
          const std::string& name = teacher_.layer_names()[layers_[i]];
          const auto loss =
              total_loss(tap_loss(full[i], slim, student_.projections[i], is_style_tap(name)),
                         tap_weight(name));
          total = total.defined() ? total + loss : loss;
        });
    return total;
  }

  State student_state() const {
    State state;
    for (const auto& [name, value] : student_.network.state_dict())
      state["student." + name] = value;
    for (std::size_t i = 0; i < student_.projections.size(); ++i) {
      state[message("projection.", i)] = student_.projections[i].value();
    }
    return state;
  }

  /// Reads student and projections; what else the file holds is returned.
  State load_student(const fs::path& path) {
    const io::SafetensorsFile file(path);
    State weights;
    State rest;
    std::vector<Tensor<float>> projections(layers_.size());
    for (const std::string& name : file.names()) {
      auto tensor = file.read<float>(name);
      if (name.starts_with("student.")) {
        weights.emplace(name.substr(sizeof("student.") - 1), std::move(tensor));
      } else {
        rest.emplace(name, std::move(tensor));
      }
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto found = rest.find(message("projection.", i));
      if (found == rest.end()) throw IoError(message(path.string(), ": has no projection ", i));
      projections[i] = found->second;
      rest.erase(found);
    }
    student_.network.load_state_dict(weights);
    student_.projections.clear();
    for (auto& projection : projections) student_.projections.emplace_back(projection, true);
    return rest;
  }

  void checkpoint(const std::string& what, const Validation::Result& result, const State& adam) {
    say(what, result);
    if (result.loss < best_) {
      best_ = result.loss;
      io::write_safetensors(best_path(), student_state());
    }
    save(adam);
  }

  void save(const State& adam) const {
    State state = student_state();
    for (const auto& [name, value] : adam) state["adam." + name] = value;
    state["progress"] = Tensor<float>::from(
        {static_cast<float>(step_), static_cast<float>(best_), static_cast<float>(running_)}, {3});
    io::write_file_atomically(log_path(), log_);
    io::write_safetensors(checkpoint_path(), state);
  }

  /// Goes back to the checkpoint and returns the optimiser's state.
  State resume() {
    State rest = load_student(checkpoint_path());
    const auto progress = rest.at("progress").to_vector();
    step_ = static_cast<std::int64_t>(progress.at(0));
    best_ = static_cast<double>(progress.at(1));
    running_ = static_cast<double>(progress.at(2));
    const auto bytes = io::FileReader(log_path()).read_all(std::uint64_t{1} << 30);
    log_.assign(bytes.begin(), bytes.end());
    std::printf("resumes after step %lld\n", static_cast<long long>(step_));
    State adam;
    for (const auto& [name, value] : rest) {
      if (name.starts_with("adam.")) adam.emplace(name.substr(sizeof("adam.") - 1), value);
    }
    return adam;
  }

  void say(const std::string& what, const Validation::Result& r) {
    std::string line = message(step_, ",", running_, ",", r.loss, ",", r.features, ",", r.gram);
    std::printf("%s: training %.4f  validation %.4f  features %.4f  gram %.4f  correlations",
                what.c_str(), running_, r.loss, r.features, r.gram);
    for (const double c : r.correlations) {
      std::printf(" %.3f", c);
      line += message(",", c);
    }
    std::printf("\n");
    log_ += line + "\n";
  }

  void write_weights() {
    load_student(best_path());
    constexpr std::int64_t kScalingCrops = 128;
    student_.network.freeze();
    const std::vector<Tensor<float>> images = measuring_batches(kScalingCrops, false);
    Random random(a_.seed + 3);
    balance(student_.network, channel_lengths(teacher_, student_, images, random), images);
    io::write_safetensors(a_.output, student_.network.state_dict(), io::StoredType::kF16,
                          {{"network", "slim VGG-19, distilled by sfumato's distill_vgg19"},
                           {"derived_from", "VGG-19 of the Oxford Visual Geometry Group"},
                           {"licence", "CC BY 4.0"}});
    std::printf("wrote %s\n", a_.output.c_str());
  }

  Arguments a_;
  TrainingPictures pictures_;
  Network teacher_;
  std::vector<std::size_t> layers_;
  Student student_;
  std::int64_t step_ = 0;
  double best_ = std::numeric_limits<double>::max();
  double running_ = 0.0;  // mean of the last losses
  std::string log_ =
      "step,training,validation,features,gram,conv1_1,conv2_1,conv3_1,conv4_1,conv5_1\n";
};

int distill(int argc, char** argv) {
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
  return Training(arguments, find_weights(arguments.weights, argv[0])).run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return distill(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "distill_vgg19: %s\n", error.what());
    return 1;
  }
}
