#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "../find_weights.hpp"
#include "../loss_scales.hpp"
#include "arguments.hpp"
#include "device.hpp"
#include "paint.hpp"
#include "reporter.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "signals.hpp"
#include "stages.hpp"
#ifdef SFUMATO_WITH_CUDA
#include "sfumato/cuda.hpp"
#endif

namespace neural_style {

inline void write_losses(const std::string& path,
                         const std::vector<sfumato::style::Iteration>& history) {
  std::string text = "iteration,content,style,tv,total,seconds\n";
  for (const sfumato::style::Iteration& row : history) {
    char line[256];
    std::snprintf(line, sizeof(line), "%lld,%.9g,%.9g,%.9g,%.9g,%.6f\n",
                  static_cast<long long>(row.number), row.content, row.style, row.tv, row.total,
                  row.seconds);
    text += line;
  }
  sfumato::io::write_file_atomically(path, text);
}

/// The path of the weights, having said which they are.
inline std::filesystem::path choose_weights(const Arguments& a, const char* program,
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
  using namespace sfumato;
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

  const std::vector<Stage> stages = plan_stages(a, content_pixels.shape());
  const Painting<Device> painting =
      paint(a, stages, network, scales, content_pixels, style_pixels, report);
  io::write_image(a.output, style::denormalize(painting.picture, a.pictures.rounding));
  if (!a.losses.empty()) write_losses(a.losses, painting.history);
  report.say("%s%s\n", interrupted != 0 ? "\ninterrupted; wrote what there is to " : "wrote ",
             a.output.c_str());
  constexpr int kInterruptedStatus = 130;
  return interrupted != 0 ? kInterruptedStatus : 0;
}

template <class Device>
int run(const Arguments& a, const char* program) {
  return a.precision == "bf16" ? run<Device, sfumato::BFloat16>(a, program)
                               : run<Device, float>(a, program);
}

/// Runs where --device says. Returns the exit status.
inline int run_on_device(const Arguments& a, const char* program) {
  const std::optional<int> gpu = choose_gpu(a.device);
#ifdef SFUMATO_WITH_CUDA
  if (gpu) {
    sfumato::cuda::select_device(*gpu);
    // bf16 has 8 bits itself.
    sfumato::cuda::options().allow_tf32 = a.tf32 || a.precision == "bf16";
    return run<sfumato::Cuda>(a, program);
  }
#else
  static_cast<void>(gpu);
#endif
  return run<sfumato::Cpu>(a, program);
}

}  // namespace neural_style
