#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "reporter.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/style/colors.hpp"
#include "sfumato/style/masks.hpp"
#include "sfumato/style/opacity.hpp"

namespace neural_style {

/// A file that a picture is painted from, and the option that names it.
struct SourceFile {
  std::string option;
  std::string path;
  double weight = 1.0;  ///< of a style
};

/// The pictures that a folder holds, by their endings, in the order of their names. Throws IoError
/// for none.
inline std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> pictures;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string ending = sfumato::io::detail::image_extension(entry->path());
    const bool known = ending == ".jpg" || ending == ".jpeg" || ending == ".png" ||
                       ending == ".webp" || ending == ".bmp";
    if (known && !entry->path().filename().string().starts_with('.')) {
      pictures.push_back(entry->path());
    }
  }
  if (failure) throw sfumato::IoError(folder.string() + ": " + failure.message());
  if (pictures.empty()) {
    throw sfumato::IoError(
        folder.string() +
        ": this folder holds no picture whose name ends in .jpg, .png, .webp or .bmp");
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

/// The files of the styles: the pictures of a folder share its weight.
inline std::vector<SourceFile> style_files(const Arguments& a) {
  std::vector<SourceFile> files;
  std::error_code ignored;
  for (const NamedStyle& style : a.styles) {
    const bool is_folder = std::filesystem::is_directory(style.path, ignored);
    const std::vector<std::filesystem::path> pictures =
        is_folder ? pictures_in(style.path) : std::vector<std::filesystem::path>{style.path};
    constexpr std::size_t kMost = 100;
    if (pictures.size() > kMost) {
      throw sfumato::IoError(sfumato::message(style.path, ": this folder holds ", pictures.size(),
                                              " pictures; take one of at most ", kMost));
    }
    for (const std::filesystem::path& picture : pictures) {
      files.push_back({files.empty() ? "STYLE" : "--style", picture.string(),
                       style.weight / static_cast<double>(pictures.size())});
    }
  }
  return files;
}

/// All pictures that a run reads, in the order in which options name them.
inline std::vector<SourceFile> source_files(const Arguments& a) {
  std::vector<SourceFile> files{{"CONTENT", a.content}};
  const std::vector<SourceFile> styles = style_files(a);
  files.insert(files.end(), styles.begin(), styles.end());
  if (names_file(*find_option("--init"), a.initial)) files.push_back({"--init", a.initial});
  if (!a.content_mask.empty()) files.push_back({"--content-mask", a.content_mask});
  for (const std::string& mask : a.style_masks) files.push_back({"--style-mask", mask});
  return files;
}

/// A style as it was read: the file, its pixels (height, width, 3), and its regions
/// (height, width, r), undefined without masks.
struct StyleSource {
  SourceFile file;
  sfumato::Tensor<std::uint8_t> pixels;
  sfumato::Tensor<std::uint8_t> regions = {};
};

/// What a picture is painted from: pixels (height, width, 3).
struct Sources {
  sfumato::Tensor<std::uint8_t> content;
  sfumato::Tensor<std::uint8_t> opacity;  ///< of the content, (height, width, 1), if it is kept
  sfumato::Tensor<std::uint8_t> content_regions;  ///< (height, width, r); undefined without masks
  std::vector<StyleSource> styles;
  sfumato::Tensor<std::uint8_t> initial;  ///< undefined where --init names no file
};

namespace detail {

/// A mask whose proportions are those of its picture. Throws IoError.
inline sfumato::Tensor<std::uint8_t> read_mask(const std::string& path,
                                               const sfumato::Tensor<std::uint8_t>& picture) {
  constexpr double kAlike = 0.02;
  auto mask = sfumato::io::read_image(path);
  const auto proportion = [](const auto& pixels) {
    return static_cast<double>(pixels.shape()[1]) / static_cast<double>(pixels.shape()[0]);
  };
  if (std::abs(proportion(mask) / proportion(picture) - 1.0) <= kAlike) return mask;
  throw sfumato::IoError(sfumato::message(path, ": a mask of ", mask.shape()[1], " x ",
                                          mask.shape()[0], " does not lie on a picture of ",
                                          picture.shape()[1], " x ", picture.shape()[0],
                                          "; give it the same proportions"));
}

}  // namespace detail

/// Reads the masks that are given. Throws ValueError unless all styles have one, and IoError for
/// what is no mask, or masks whose colours differ.
inline void read_masks(const Arguments& a, Sources& sources) {
  namespace style = sfumato::style;
  if (a.content_mask.empty()) return;
  if (a.style_masks.size() != sources.styles.size()) {
    throw sfumato::ValueError(
        sfumato::message("there are ", sources.styles.size(), " styles, but --style-mask names ",
                         a.style_masks.size(), "; name a mask for each, in their order"));
  }
  const auto content = detail::read_mask(a.content_mask, sources.content);
  std::vector<sfumato::Tensor<std::uint8_t>> masks;
  for (std::size_t i = 0; i < a.style_masks.size(); ++i) {
    masks.push_back(detail::read_mask(a.style_masks[i], sources.styles[i].pixels));
  }
  std::vector<style::Color> colors;
  try {
    colors = style::colors_of_masks(content, masks);
  } catch (const sfumato::ValueError& error) {
    throw sfumato::IoError(sfumato::message(a.content_mask, ": ", error.what()));
  }
  sources.content_regions = style::regions_of_mask(content, colors);
  for (std::size_t i = 0; i < masks.size(); ++i) {
    sources.styles[i].regions = style::regions_of_mask(masks[i], colors);
  }
}

/// Reads them and says their sizes. Throws IoError for what can't be read, and ValueError for an
/// --init that is neither a word nor a file.
inline Sources read_sources(const Arguments& a, const Reporter& report) {
  namespace io = sfumato::io;
  const auto read = [&](const char* name, const std::string& path,
                        io::Alpha alpha = io::Alpha::kOverWhite) {
    auto pixels = io::read_image(path, alpha);
    report.say("%s %s: %lld x %lld\n", name, path.c_str(),
               static_cast<long long>(pixels.shape()[0]),
               static_cast<long long>(pixels.shape()[1]));
    return pixels;
  };
  Sources sources;
  if (a.keep_alpha) {
    const auto both = sfumato::style::split_opacity(read("content", a.content, io::Alpha::kKeep));
    sources.content = both.first;
    sources.opacity = both.second;
  } else {
    sources.content = read("content", a.content);
  }
  for (const SourceFile& file : style_files(a)) {
    sources.styles.push_back({file, read("style", file.path)});
    if (a.original_colors != "statistics") continue;
    auto& pixels = sources.styles.back().pixels;
    pixels = sfumato::style::match_colors(pixels, sources.content);
  }
  const Option& init = *find_option("--init");
  if (names_file(init, a.initial)) {
    std::error_code ignored;
    if (!std::filesystem::exists(a.initial, ignored)) {  // perhaps a word was meant
      throw sfumato::ValueError(
          sfumato::message("--init must be ", init.value.wanted, ", not '", a.initial, "'"));
    }
    sources.initial = read("start", a.initial);
  }
  read_masks(a, sources);
  return sources;
}

}  // namespace neural_style
