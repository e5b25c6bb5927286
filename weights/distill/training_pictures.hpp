#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/sfumato.hpp"

namespace distill {

/// The pictures of a folder, some of which are held out for validation.
struct TrainingPictures {
  std::vector<sfumato::Tensor<std::uint8_t>> training;
  std::vector<sfumato::Tensor<std::uint8_t>> held_out;
};

/// Reads every JPEG and PNG of a folder, in the order of their names; every eighth is held out.
/// Throws IoError for a picture that can't be read, is smaller than `smallest` pixels or when there
/// are fewer than sixteen.
inline TrainingPictures read_training_pictures(const std::filesystem::path& folder,
                                               std::int64_t smallest) {
  namespace fs = std::filesystem;
  constexpr std::size_t kHeldOut = 8;
  std::error_code error;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".jpg" || extension == ".png") paths.push_back(entry.path());
  }
  if (paths.size() < 2 * kHeldOut) {
    throw sfumato::IoError(sfumato::message(
        folder.string(), ": holds ", paths.size(),
        " pictures (.jpg, .png); at least 16 are needed: run weights/gather_pictures.sh"));
  }
  std::sort(paths.begin(), paths.end());
  TrainingPictures pictures;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    auto pixels = sfumato::io::read_image(paths[i]);
    if (std::min(pixels.shape()[0], pixels.shape()[1]) < smallest) {
      throw sfumato::IoError(sfumato::message(paths[i].string(), ": is ", pixels.shape(),
                                              " but crops have ", smallest, " pixels a side"));
    }
    (i % kHeldOut == kHeldOut - 1 ? pictures.held_out : pictures.training)
        .push_back(std::move(pixels));
  }
  return pictures;
}

/// The square of `size` pixels whose upper left corner is (row, column).
inline sfumato::Tensor<std::uint8_t> cut_square(const sfumato::Tensor<std::uint8_t>& picture,
                                                std::int64_t row, std::int64_t column,
                                                std::int64_t size) {
  auto square = sfumato::Tensor<std::uint8_t>::empty({size, size, 3});
  for (std::int64_t i = 0; i < size; ++i) {
    std::copy_n(picture.data() + ((row + i) * picture.shape()[1] + column) * 3, size * 3,
                square.data() + i * size * 3);
  }
  return square;
}

/// Writes pixels (size, size, 3) as normalised planes, changed if `jitter`: brightness, contrast,
/// saturation and the balance of the channels vary by chance, and to half of all pictures noise is
/// added. Pictures that are being painted are noisy, and a network that has never seen noise can
/// make of it what it likes.
inline void write_planes(const sfumato::Tensor<std::uint8_t>& pixels, bool jitter,
                         sfumato::Random& random, float* planes) {
  const auto plane = static_cast<std::size_t>(pixels.shape()[0] * pixels.shape()[1]);
  std::array<double, 3> gain{1.0, 1.0, 1.0};
  double contrast = 1.0;
  double saturation = 1.0;
  double noise = 0.0;
  if (jitter) {
    const double brightness = 0.15 * random.normal();
    for (double& channel : gain) channel = std::exp(brightness + 0.08 * random.normal());
    contrast = std::exp(0.2 * random.normal());
    saturation = 0.4 + random.uniform();
    noise = std::max(0.0, random.uniform() - 0.5);
  }
  for (std::size_t i = 0; i < plane; ++i) {
    const std::uint8_t* pixel = pixels.data() + i * 3;
    const double grey = (pixel[0] + pixel[1] + pixel[2]) / 3.0;
    for (std::size_t c = 0; c < 3; ++c) {
      const double colour = (grey + saturation * (pixel[c] - grey)) / 255.0;
      const double value = std::clamp(((colour - 0.5) * contrast + 0.5) * gain[c], 0.0, 1.0);
      planes[c * plane + i] =
          static_cast<float>(noise * random.normal() + (value - sfumato::style::kImageNetMean[c]) /
                                                           sfumato::style::kImageNetDeviation[c]);
    }
  }
}

/// Squares cut out of pictures by chance, normalised, shape (count, 3, size, size). Each shows a
/// part of one to four times that side, reduced; half of them are mirrored.
inline sfumato::Tensor<float> random_crops(
    const std::vector<sfumato::Tensor<std::uint8_t>>& pictures, std::int64_t count,
    std::int64_t size, bool jitter, sfumato::Random& random) {
  constexpr double kLargestPart = 4.0;
  auto crops = sfumato::Tensor<float>::empty({count, 3, size, size});
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& picture = pictures[static_cast<std::size_t>(
        random.below(static_cast<std::int64_t>(pictures.size())))];
    const std::int64_t shorter = std::min(picture.shape()[0], picture.shape()[1]);
    const double most =
        std::min(kLargestPart, static_cast<double>(shorter) / static_cast<double>(size));
    const std::int64_t part = std::clamp<std::int64_t>(
        std::llround(static_cast<double>(size) * std::pow(most, random.uniform())), size, shorter);
    const std::int64_t row = random.below(picture.shape()[0] - part + 1);
    const std::int64_t column = random.below(picture.shape()[1] - part + 1);
    const auto square = sfumato::io::resize(cut_square(picture, row, column, part), size, size);
    float* planes = crops.data() + i * 3 * size * size;
    write_planes(square, jitter, random, planes);
    if (random.uniform() < 0.5) {
      for (std::int64_t line = 0; line < 3 * size; ++line) {
        std::reverse(planes + line * size, planes + (line + 1) * size);
      }
    }
  }
  return crops;
}

}  // namespace distill
