// Neural style transfer: a picture with the content of one image and the style of another.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "find_weights.hpp"
#include "loss_scales.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"
#ifdef SFUMATO_WITH_CUDA
#include "sfumato/cuda.hpp"
#endif

namespace {

using namespace sfumato;

struct Arguments {
  std::string content;
  std::string style;
  std::string output;
  std::string weights;
  std::string losses;
  std::string preset;
  std::string initial = "content";
  std::string device = "auto";
  std::string precision = "float32";
  std::string memory = "normal";
  std::optional<std::int64_t> height;
  std::optional<std::int64_t> width;
  std::optional<std::int64_t> size;
  std::uint64_t seed = 0;
  int threads = 0;
  std::int64_t report_every = 10;
  bool quiet = false;
  bool save_stages = false;
  bool tf32 = false;
  style::TransferOptions transfer;
};

/// One run of the optimiser; a preset may have several, each starting from the last one's picture.
struct Stage {
  std::int64_t height;
  std::int64_t width;
  style::TransferOptions transfer;
};

constexpr std::int64_t kDefaultSize = 512;
constexpr std::int64_t kSmallest = 32;
constexpr std::int64_t kLargest = 16384;

volatile std::sig_atomic_t interrupted = 0;

void add_options(CLI::App& app, Arguments& a) {
  app.option_defaults()->always_capture_default();
  const CLI::Range sides(kSmallest, kLargest);
  app.add_option("CONTENT", a.content, "Picture whose content is kept (JPEG, PNG or BMP)")
      ->required();
  app.add_option("STYLE", a.style, "Picture whose style is taken")->required();
  app.add_option("-o,--output", a.output, "Picture to write (.png or .jpg)")->required();
  app.add_option("--size", a.size,
                 "Longer side in pixels, the other in proportion, to 8 pixels (default 512)")
      ->check(sides);
  app.add_option("--height", a.height,
                 "Height in pixels; alone, the width is in proportion, to 8 pixels")
      ->check(sides);
  app.add_option("--width", a.width,
                 "Width in pixels; alone, the height is in proportion, to 8 pixels")
      ->check(sides);
  app.add_option("--preset", a.preset,
                 "d2l: the two stages of \"Dive into Deep Learning\", 500 iterations at 150 x 225, "
                 "then 300 at 600 x 900")
      ->check(CLI::IsMember({"d2l"}));
  app.add_flag("--save-stages", a.save_stages,
               "With a preset, also write the picture of each earlier stage (OUT-stage1.png)");

  style::TransferOptions& t = a.transfer;
  app.add_option("--iterations", t.iterations, "Steps of the optimiser")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--learning-rate", t.learning_rate, "Of Adam")->check(CLI::PositiveNumber);
  app.add_option("--lr-decay-every", t.lr_decay_every,
                 "Iterations after which the learning rate is multiplied by --lr-decay")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--lr-decay", t.lr_decay, "See --lr-decay-every")->check(CLI::PositiveNumber);
  style::ObjectiveOptions& o = t.objective;
  app.add_option("--content-weight", o.content_weight, "Of the content loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--style-weight", o.style_weight, "Of each layer's style loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--tv-weight", o.tv_weight, "Of the total variation loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--content-layers", o.content_layers,
                 "Layers by name (conv4_4, relu4_2, pool3) or PyTorch's index, comma-separated")
      ->delimiter(',');
  app.add_option("--style-layers", o.style_layers, "The same for style")->delimiter(',');

  app.add_option("--init", a.initial, "What the picture starts as")
      ->check(CLI::IsMember({"content", "noise"}));
  app.add_option("--seed", a.seed, "Of the noise");
  app.add_option("--weights", a.weights,
                 "VGG-19 weights (.safetensors or .pth); otherwise $SFUMATO_WEIGHTS, the "
                 "repository's weights/ and the user's cache are searched");
  app.add_option("--device", a.device,
                 "Where to compute: auto (a GPU if there is one), cpu, cuda or cuda:INDEX");
  app.add_option("--precision", a.precision,
                 "What the network's weights and features are stored in; bf16 takes less memory. "
                 "The picture, sums and losses are float32")
      ->check(CLI::IsMember({"float32", "bf16"}));
  app.add_option("--memory", a.memory,
                 "low computes the largest features again instead of keeping them (with float32)")
      ->check(CLI::IsMember({"normal", "low"}));
  app.add_flag("--tf32", a.tf32,
               "On a GPU, round the factors of products to 10 bits: faster, a little less exact "
               "(bf16 does so anyway)");
  app.add_option("--threads", a.threads, "Threads on the CPU (default: all)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--losses", a.losses, "CSV file for the losses of every iteration");
  app.add_option("--report-every", a.report_every, "Iterations between two reports")
      ->check(CLI::Range(1, 1000000));
  app.add_flag("--quiet", a.quiet, "Print nothing but errors");
  app.footer("Example: neural_style photo.jpg painting.jpg -o out.png --size 512");
}

/// Height and width of the result: what was given, and the content's proportions for the rest.
Stage single_stage(const Arguments& a, const Shape& content) {
  const auto height = static_cast<double>(content[0]);
  const auto width = static_cast<double>(content[1]);
  // In eights of pixels: poolings leave out the last row or column of what they can't halve, and
  // where the last layers don't look, the first ones draw lines.
  const auto in_proportion = [](std::int64_t other, double ratio) {
    constexpr std::int64_t kUnit = 8;
    const double units = static_cast<double>(other) * ratio / static_cast<double>(kUnit);
    return std::clamp<std::int64_t>(kUnit * std::llround(units), kSmallest, kLargest);
  };
  Stage stage{0, 0, a.transfer};
  if (a.height && a.width) {
    stage.height = *a.height;
    stage.width = *a.width;
  } else if (a.height || (!a.width && height > width)) {
    stage.height = a.height.value_or(a.size.value_or(kDefaultSize));
    stage.width = in_proportion(stage.height, width / height);
  } else {
    stage.width = a.width.value_or(a.size.value_or(kDefaultSize));
    stage.height = in_proportion(stage.width, height / width);
  }
  return stage;
}

std::vector<Stage> plan_stages(const Arguments& a, const Shape& content) {
  if (a.preset.empty()) return {single_stage(a, content)};
  Stage small{150, 225, a.transfer};
  small.transfer.iterations = 500;
  small.transfer.lr_decay_every = 200;
  Stage large{600, 900, a.transfer};
  large.transfer.iterations = 300;
  large.transfer.lr_decay_every = 100;
  return {small, large};
}

/// Prints the losses as they come: one line that is rewritten on a terminal, plain lines in a pipe.
class Reporter {
 public:
  explicit Reporter(const Arguments& a)
      : quiet_(a.quiet), every_(a.report_every), terminal_(isatty(STDOUT_FILENO) != 0) {}

  void operator()(const style::Iteration& now, std::int64_t last) const {
    if (quiet_ || (now.number % every_ != 0 && now.number != last)) return;
    const double each = now.seconds / static_cast<double>(now.number);
    const long left = std::lround(each * static_cast<double>(last - now.number));
    std::printf(
        "%s%5lld/%lld  content %.4f  style %.4f  tv %.4f  total %.4f  %.3f s/it  %ld:%02ld left%s",
        terminal_ ? "\r\x1b[K" : "", static_cast<long long>(now.number),
        static_cast<long long>(last), now.content, now.style, now.tv, now.total, each, left / 60,
        left % 60, terminal_ && now.number != last ? "" : "\n");
    std::fflush(stdout);
  }

  template <class... Values>
  void say(const char* format, const Values&... values) const {
    if (!quiet_) std::printf(format, values...);
  }
  void say(const char* text) const {
    if (!quiet_) std::fputs(text, stdout);
  }

 private:
  bool quiet_;
  std::int64_t every_;
  bool terminal_;
};

void write_losses(const std::string& path, const std::vector<style::Iteration>& history) {
  std::string text = "iteration,content,style,tv,total,seconds\n";
  for (const style::Iteration& row : history) {
    char line[256];
    std::snprintf(line, sizeof(line), "%lld,%.9g,%.9g,%.9g,%.9g,%.6f\n",
                  static_cast<long long>(row.number), row.content, row.style, row.tv, row.total,
                  row.seconds);
    text += line;
  }
  io::write_file_atomically(path, text);
}

/// "out.png" to "out-stage1.png".
std::string stage_path(const std::string& output, std::size_t number) {
  const std::filesystem::path path(output);
  return (path.parent_path() /
          message(path.stem().string(), "-stage", number, path.extension().string()))
      .string();
}

/// The path of the weights, having said which they are.
std::filesystem::path choose_weights(const Arguments& a, const char* program,
                                     const Reporter& report) {
  std::filesystem::path path = examples::find_weights(a.weights, program);
  report.say("weights %s%s\n", path.c_str(),
             path.filename() == examples::kSlimWeights && a.weights.empty()
                 ? " (the slim network; weights/fetch.sh gets the full one, which paints better)"
                 : "");
  return path;
}

/// Everything but reading the command line, on one device and with a network of Stored. Returns the
/// exit status.
template <class Device, class Stored>
int run(const Arguments& a, const char* program) {
  const Reporter report(a);
  io::check_image_extension(a.output);
  for (const std::string& file : {a.output, a.losses}) {
    const auto folder = std::filesystem::path(file).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder)) {
      throw IoError(message(file, ": there is no folder ", folder.string(), " to write it to"));
    }
  }
  const Tensor<std::uint8_t> content_pixels = io::read_image(a.content);
  const Tensor<std::uint8_t> style_pixels = io::read_image(a.style);
  const auto say_size = [&](const char* name, const std::string& path, const Shape& shape) {
    report.say("%s %s: %lld x %lld\n", name, path.c_str(), static_cast<long long>(shape[0]),
               static_cast<long long>(shape[1]));
  };
  say_size("content", a.content, content_pixels.shape());
  say_size("style", a.style, style_pixels.shape());
  const std::filesystem::path weights = choose_weights(a, program, report);
  const examples::LossScales scales = examples::loss_scales_of(weights);
  auto network = examples::load_vgg<Stored, Device>(weights);

  std::vector<style::Iteration> history;
  Tensor<float, Device> picture;
  const std::vector<Stage> stages = plan_stages(a, content_pixels.shape());
  for (std::size_t number = 1; number <= stages.size() && interrupted == 0; ++number) {
    Stage stage = stages[number - 1];
    scales.apply_to(stage.transfer.objective);
    const auto prepare = [&](const Tensor<std::uint8_t>& pixels) {
      return style::normalize<float, Device>(
          io::resize(pixels, stage.height, stage.width, io::Filter::kBilinear));
    };
    const Tensor<float, Device> content = prepare(content_pixels);
    if (picture.defined()) {
      picture = ops::upsample2d(Variable<float, Device>(picture), stage.height, stage.width,
                                ops::Interpolation::kBilinear)
                    .value();
    } else if (a.initial == "noise") {
      Random random(a.seed);
      picture = Tensor<float, Device>::normal(content.shape(), random);
    } else {
      picture = content;
    }
    report.say("%lld x %lld, %lld iterations\n", static_cast<long long>(stage.height),
               static_cast<long long>(stage.width),
               static_cast<long long>(stage.transfer.iterations));
    const auto result = style::transfer(network, content, prepare(style_pixels), picture,
                                        stage.transfer, [&](const style::Iteration& now) {
                                          report(now, stage.transfer.iterations);
                                          return interrupted == 0;
                                        });
    picture = result.image;
    const style::Iteration before = history.empty() ? style::Iteration{} : history.back();
    for (style::Iteration row : result.history) {
      row.number += before.number;
      row.seconds += before.seconds;
      history.push_back(row);
    }
    if (a.save_stages && number < stages.size()) {
      io::write_image(stage_path(a.output, number), style::denormalize(picture));
    }
  }
  io::write_image(a.output, style::denormalize(picture));
  if (!a.losses.empty()) write_losses(a.losses, history);
  report.say("%s%s\n", interrupted != 0 ? "\ninterrupted; wrote what there is to " : "wrote ",
             a.output.c_str());
  constexpr int kInterruptedStatus = 130;
  return interrupted != 0 ? kInterruptedStatus : 0;
}

/// The number of the GPU that --device asks for; none for the CPU. Throws ValueError for a device
/// that there is not.
std::optional<int> choose_gpu(const std::string& device) {
  if (device == "cpu") return std::nullopt;
#ifdef SFUMATO_WITH_CUDA
  if (device == "auto") return cuda::device_count() > 0 ? std::optional<int>(0) : std::nullopt;
#else
  if (device == "auto") return std::nullopt;
#endif
  const std::string_view name = "cuda";
  const std::string_view text = device;
  int index = 0;
  if (text.starts_with(name) && text != name) {
    const char* const end = text.data() + text.size();
    const char* const digits = text.data() + name.size() + 1;
    const auto [stop, error] = std::from_chars(std::min(digits, end), end, index);
    if (text[name.size()] != ':' || error != std::errc() || stop != end || index < 0) index = -1;
  }
  if (!text.starts_with(name) || index < 0) {
    throw ValueError(message("--device ", device, " is none of auto, cpu, cuda and cuda:INDEX"));
  }
#ifndef SFUMATO_WITH_CUDA
  throw ValueError(message("--device ", device,
                           ": this program was built without CUDA; build it where the CUDA "
                           "toolkit and cuDNN are, or use --device cpu"));
#else
  return index;
#endif
}

template <class Device>
int run(const Arguments& a, const char* program) {
  return a.precision == "bf16" ? run<Device, BFloat16>(a, program) : run<Device, float>(a, program);
}

/// Runs where --device says. Returns the exit status.
int run_on_device(const Arguments& a, const char* program) {
  const std::optional<int> gpu = choose_gpu(a.device);
#ifdef SFUMATO_WITH_CUDA
  if (gpu) {
    cuda::select_device(*gpu);
    cuda::options().allow_tf32 = a.tf32 || a.precision == "bf16";  // which has 8 bits itself
    return run<Cuda>(a, program);
  }
#else
  static_cast<void>(gpu);
#endif
  return run<Cpu>(a, program);
}

/// Reads the command line and runs. Returns the exit status: 2 for bad arguments, 1 for bad files.
int run_program(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Neural style transfer (Gatys, Ecker and Bethge, 2016) with VGG-19.",
               "neural_style");
  try {
    add_options(app, arguments);
    app.parse(argc, argv);
    if (arguments.size && (arguments.height || arguments.width)) {
      throw CLI::ValidationError("--size does not go with --height or --width");
    }
    if (!arguments.preset.empty() && (arguments.size || arguments.height || arguments.width)) {
      throw CLI::ValidationError("--preset sets the sizes itself");
    }
    if (arguments.memory == "low" && arguments.precision != "float32") {
      throw CLI::ValidationError("--memory low goes with --precision float32 only");
    }
    arguments.transfer.objective.low_memory = arguments.memory == "low";
    if (arguments.threads > 0) set_thread_count(arguments.threads);
    std::signal(SIGINT, [](int) { interrupted = 1; });
    return run_on_device(arguments, argv[0]);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "neural_style: %s; see --help\n", error.what());
    return 2;
  } catch (const ValueError& error) {
    std::fprintf(stderr, "neural_style: %s\n", error.what());
    return 2;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "neural_style: %s\n", error.what());
    return 1;
  }
}
