#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "../find_weights.hpp"
#include "arguments.hpp"
#include "parse.hpp"
#include "record.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/png_text.hpp"
#include "sfumato/io/sha256.hpp"

namespace neural_style {

/// The record that a picture carries. Throws IoError where it has none, or none that is right.
inline Record record_in(const std::string& picture) {
  constexpr std::size_t kLongest = std::size_t{1} << 16;
  const std::optional<std::string> text =
      sfumato::io::read_png_text(picture, kRecordKeyword, kLongest);
  if (!text) {
    throw sfumato::IoError(sfumato::message(
        picture,
        ": holds no record of how it was painted; was that with --no-metadata, or has "
        "another program written it?"));
  }
  try {
    return record_from(nlohmann::json::parse(*text, nullptr, false));
  } catch (const sfumato::IoError& error) {
    throw sfumato::IoError(sfumato::message(picture, ": ", error.what()));
  }
}

namespace detail {

/// The files that a path means: itself, or those that lie in the folder, that of this name first.
inline std::vector<std::filesystem::path> files_at(const std::filesystem::path& place,
                                                   const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(place, ignored)) return {place};
  std::vector<fs::path> files;
  for (auto entry = fs::directory_iterator(place, ignored); entry != fs::directory_iterator();
       entry.increment(ignored)) {
    files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  std::stable_partition(files.begin(), files.end(),
                        [&](const fs::path& file) { return file.filename() == name; });
  return files;
}

/// The first file in these places that has the input's size and hash. Throws IoError for none.
inline std::string find_input(const Input& input,
                              const std::vector<std::filesystem::path>& places) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const fs::path& place : places) {
    for (const fs::path& file : files_at(place, input.name)) {
      if (!fs::is_regular_file(file, ignored) || fs::file_size(file, ignored) != input.bytes) {
        continue;
      }
      if (sfumato::io::sha256_of_file(file) == input.sha256) return file.string();
    }
  }
  throw sfumato::IoError(sfumato::message(
      "there is no file with the hash of ", input.option, ", which was called ",
      sfumato::excerpt(input.name), " and begins with ",
      sfumato::excerpt(input.sha256.substr(0, 8)), "; name it, or its folder, after the picture"));
}

}  // namespace detail

/// Reads what follows the word `repeat`: a picture that carries its record, files and folders in
/// which its inputs are besides the picture's own folder, and options that do not change the
/// picture. The arguments are those of the run that painted it. Throws ValueError and IoError.
inline Arguments parse_repeat(std::span<const char* const> command_line,
                              const std::filesystem::path& program) {
  namespace fs = std::filesystem;
  const CommandLine line = split(command_line);
  if (!arguments_of(line.settings).answer.empty()) return check(line.settings);
  if (line.positionals.empty()) {
    throw sfumato::ValueError("repeat needs a picture: neural_style repeat PICTURE -o FILE");
  }
  for (const Setting& setting : line.settings) {
    if (!is_of_picture(*find_option(setting.option)) && setting.option != "--grid") continue;
    throw sfumato::ValueError(setting.option +
                              " does not go with repeat: the picture says how it was painted");
  }
  if (!is_given(line.settings, "--output")) {
    throw sfumato::ValueError("repeat writes only what -o names; name a file");
  }
  const std::string& picture = line.positionals.front();
  const Record record = record_in(picture);
  std::vector<fs::path> places(line.positionals.begin() + 1, line.positionals.end());
  places.push_back(fs::absolute(picture).parent_path());
  Settings given = record.options;
  for (const Input& input : record.inputs) {
    std::vector<fs::path> all = places;
    if (input.option == "--weights") {
      const char* const named = std::getenv("SFUMATO_WEIGHTS");
      if (named != nullptr && *named != '\0') all.emplace_back(named);
      const std::vector<fs::path> folders = examples::weight_folders(program);
      all.insert(all.end(), folders.begin(), folders.end());
    }
    given.push_back({input.option, detail::find_input(input, all) +
                                       (input.weight.empty() ? "" : "=" + input.weight)});
  }
  // What no GPU has painted none paints again.
  const bool on_cpu = std::count(record.environment.begin(), record.environment.end(),
                                 Environment::value_type("device", "cpu")) > 0;
  if (on_cpu && !is_given(given, "--device") && !is_given(given, "--tf32")) {
    given.push_back({"--device", "cpu"});
  }
  given.insert(given.end(), line.settings.begin(), line.settings.end());
  Arguments a = check(given);
  a.repeats = picture;
  a.stopped_after = record.stopped_after;
  for (const std::string& difference : differences(record.environment, environment(a.device))) {
    std::fprintf(stderr, "neural_style: warning: the picture may differ: %s\n", difference.c_str());
  }
  return a;
}

/// The record of a run: that of the picture that it repeats, as far as it is the same.
inline Record record_for(const Arguments& a, const std::filesystem::path& weights) {
  if (a.repeats.empty()) return record_of(a, weights);
  Record record = record_in(a.repeats);
  record.environment = environment(a.device);
  return record;
}

/// How the picture that was painted again compares with the one that there was.
inline std::string comparison(const std::string& first, const std::string& second) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 30;
  const sfumato::io::FileReader a(first);
  const sfumato::io::FileReader b(second);
  if (a.size() == b.size() && a.read_all(kMost) == b.read_all(kMost)) {
    return sfumato::message("the same as ", first, " to the byte");
  }
  const auto pixels = sfumato::io::read_image(first);
  const auto others = sfumato::io::read_image(second);
  if (pixels.shape() != others.shape()) {
    return sfumato::message("of another size than ", first);
  }
  std::int64_t different = 0;
  int most = 0;
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    const int difference = std::abs(int{pixels.data()[i]} - int{others.data()[i]});
    different += difference > 0 ? 1 : 0;
    most = std::max(most, difference);
  }
  if (different == 0) return sfumato::message("the same as ", first, " in every pixel");
  return sfumato::message("other than ", first, " in ", different, " of ", pixels.numel(),
                          " values, by ", most, " of 255 at most");
}

}  // namespace neural_style
