#pragma once

#include <cstddef>
#include <cstdio>  // before jpeglib.h, which needs both

#include <jpeglib.h>
#include <lcms2.h>
#include <png.h>
#include <webp/decode.h>
#include <zlib.h>
#if __has_include(<Eigen/Version>)
#include <Eigen/Version>
#else
#include <Eigen/src/Core/util/Macros.h>  // the version, and nothing of what takes long to compile
#endif

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "device.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/version.hpp"
#include "sfumato/cpu/options.hpp"
#include "sfumato/sfumato.hpp"

// Behind the headers of the device, whose names it would hide.
#include "sfumato/cpu/kernels/choose_kernels.hpp"

namespace neural_style {

/// What the bits of a picture may depend on besides its options and inputs, by name.
using Environment = std::vector<std::pair<std::string, std::string>>;

namespace detail {

/// The instruction set that kernels are for.
inline std::string instruction_set() {
  const auto set = sfumato::cpu::chosen_instruction_set();
  return std::string(sfumato::cpu::kInstructionSetNames.at(static_cast<std::size_t>(set)));
}

inline std::string libraries() {
  const int webp = WebPGetDecoderVersion();
  std::string text = sfumato::message(
      "Eigen ", EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".", EIGEN_MINOR_VERSION,
      ", libpng ", png_get_libpng_ver(nullptr), ", zlib ", zlibVersion(), ", libwebp ", webp >> 16,
      ".", webp >> 8 & 0xFF, ".", webp & 0xFF, ", Little CMS ", cmsGetEncodedCMMversion() / 1000.0);
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
  constexpr int kMillion = 1000000;
  text += sfumato::message(", libjpeg-turbo ", LIBJPEG_TURBO_VERSION_NUMBER / kMillion, ".",
                           LIBJPEG_TURBO_VERSION_NUMBER / 1000 % 1000, ".",
                           LIBJPEG_TURBO_VERSION_NUMBER % 1000);
#else
  text += sfumato::message(", libjpeg ", JPEG_LIB_VERSION);
#endif
#ifdef SFUMATO_WITH_CUDA
  text += ", " SFUMATO_WITH_CUDA;
#endif
  return text;
}

}  // namespace detail

/// That of a run on the device that --device asks for.
inline Environment environment(const std::string& device) {
  const std::optional<int> gpu = choose_gpu(device);
#ifdef __clang__
  const std::string compiler = __VERSION__;  // "Clang 14.0.6"
#elif defined(__VERSION__)
  const std::string compiler = "GCC " __VERSION__;
#else
  const std::string compiler = "unknown";
#endif
  return {{"sfumato", SFUMATO_VERSION},
          {"device", gpu ? sfumato::message("cuda:", *gpu) : "cpu"},
          {"instruction set", detail::instruction_set()},
          {"compiler", compiler},
          {"libraries", detail::libraries()}};
}

/// What --version prints.
inline std::string version() {
  std::string text;
  for (const auto& [name, value] : environment("auto")) {
    text += (name == "sfumato" ? "neural_style, of sfumato " : name + ": ") + value + "\n";
  }
  return text;
}

}  // namespace neural_style
