#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "parse.hpp"
#include "record.hpp"
#include "settings.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/core/version.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/sha256.hpp"
#include "sfumato/io/write_target.hpp"
#include "sources.hpp"

namespace neural_style {

/// A line of a file of jobs: what the command line would have to say for that picture alone.
struct Job {
  std::size_t line = 0;
  Arguments arguments;
};

namespace detail {

/// The option that a member of a job is named after: "content", "output", "style-weight".
inline const Option& option_of_job(const std::string& name) {
  const Option* option = find_option("--" + name);
  if (name == "content") option = find_option("CONTENT");
  if (name == "style") option = find_option("STYLE");
  if (option == nullptr || option->group == kAnswers) {
    throw sfumato::ValueError(sfumato::message("there is no option '", sfumato::excerpt(name),
                                               "'; a job has content, style, output, and options "
                                               "by their names without hyphens in front"));
  }
  if (option->group == kMachine || option->name == "--jobs" || option->name == "--shard") {
    throw sfumato::ValueError(option->name + " is of all jobs: give it on the command line");
  }
  if (option->name == "--grid") {
    throw sfumato::ValueError("--grid is no job's: a grid is painted by a command of its own");
  }
  return *option;
}

/// A member's value as the command line has it; nothing for a flag that is not set.
inline std::optional<std::string> text_of_job(const Option& option, const nlohmann::json& value) {
  const auto refuse = [&](const char* wanted) {
    throw sfumato::ValueError(sfumato::message(
        option.name, " must be ", wanted, ", not ",
        value.is_structured() ? value.type_name() : sfumato::excerpt(value.dump())));
  };
  if (option.is_flag()) {
    if (!value.is_boolean()) refuse("true or false");
    return value.get<bool>() ? std::optional<std::string>("") : std::nullopt;
  }
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  constexpr const char* kWanted = "a text, a number or a list of them";
  if (!value.is_array()) refuse(kWanted);
  std::string list;
  for (const nlohmann::json& word : value) {
    if (!word.is_string() && !word.is_number()) refuse(kWanted);
    list += (list.empty() ? "" : ",") + (word.is_string() ? word.get<std::string>() : word.dump());
  }
  return list;
}

inline Job job_of(const std::string& text, std::size_t line, const Settings& of_all) {
  std::set<std::string> names;
  const auto is_new = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& name) {
    const bool is_member = depth == 1 && event == nlohmann::json::parse_event_t::key;
    if (is_member && !names.insert(name.get<std::string>()).second) {
      throw sfumato::ValueError(
          sfumato::message("it has '", sfumato::excerpt(name.get<std::string>()), "' twice"));
    }
    return true;
  };
  const nlohmann::json json = nlohmann::json::parse(text, is_new, false);
  if (!json.is_object()) throw sfumato::ValueError("this is no JSON object");
  Settings settings = of_all;
  for (const auto& [name, value] : json.items()) {
    const Option& option = option_of_job(name);
    settings = without(std::move(settings), {option.name});
    const bool is_style = option.name == "STYLE";
    if (value.is_array() && (is_style || option.repeats)) {
      for (const nlohmann::json& each : value) {
        const bool further = is_style && is_given(settings, "STYLE");
        const Option& which = further ? *find_option("--style") : option;
        settings.push_back({which.name, text_of_job(which, each).value_or("")});
      }
    } else if (const auto words = text_of_job(option, value)) {
      settings.push_back({option.name, *words});
    }
  }
  for (const char* const needed : {"CONTENT", "STYLE", "--output"}) {
    if (!is_given(settings, needed)) {
      throw sfumato::ValueError(sfumato::message("it has no ", needed));
    }
  }
  return {line, check(settings)};
}

/// One name of a file that has several, through links; nothing of what can't be replaced.
inline std::string place_of(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  try {
    const fs::path place =
        fs::weakly_canonical(fs::absolute(sfumato::io::detail::follow_links(path)), ignored);
    const bool kept = !fs::exists(place, ignored) || fs::is_regular_file(place, ignored);
    return kept ? place.string() : "";
  } catch (const sfumato::IoError&) {
    return "";  // what is wrong with it is said when it is that job's turn
  }
}

/// Refuses a job that would destroy what another one has written, or what an earlier one reads; a
/// later one may read what an earlier one writes.
class OneForEach {
 public:
  /// Throws ValueError.
  void add(const Arguments& a, std::size_t line) {
    for (const std::string& path :
         {a.output, a.losses, a.plot, a.report, a.animation, a.checkpoint}) {
      const std::string place = path.empty() ? "" : place_of(path);
      if (place.empty()) continue;
      const auto writer = written_.emplace(place, line).first;
      if (writer->second != line) {
        throw sfumato::ValueError(
            sfumato::message("it writes ", path, " as line ", writer->second, " does"));
      }
      if (const auto reader = read_.find(place); reader != read_.end()) {
        throw sfumato::ValueError(
            sfumato::message("it writes ", path, ", which line ", reader->second, " reads"));
      }
    }
    try {
      for (const SourceFile& file : source_files(a)) read_.emplace(place_of(file.path), line);
    } catch (const sfumato::IoError&) {  // of a folder; it is said when it is that job's turn
    }
  }

 private:
  std::map<std::string, std::size_t> written_;  // lines, by the place
  std::map<std::string, std::size_t> read_;
};

}  // namespace detail

/// The jobs of --jobs. Options of the command line are defaults of all. Throws IoError for a file
/// that can't be read, and ValueError, which names the line, for what no command line may say, and
/// for a job that would destroy what another one writes or reads.
inline std::vector<Job> read_jobs(const Arguments& a) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 26;
  const sfumato::io::FileReader file(a.jobs);
  const std::vector<std::uint8_t> bytes = file.read_all(kMostBytes);
  const Settings of_all = without(a.given, {"--jobs", "--shard"});
  std::vector<Job> jobs;
  detail::OneForEach files;
  std::size_t number = 0;
  std::istringstream text(std::string(bytes.begin(), bytes.end()));
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      jobs.push_back(detail::job_of(line, number, of_all));
      files.add(jobs.back().arguments, number);
    } catch (const sfumato::ValueError& error) {
      throw sfumato::ValueError(sfumato::message(a.jobs, ", line ", number, ": ", error.what()));
    }
  }
  return jobs;
}

/// Where it is kept that a picture is done.
inline std::string done_path(const std::string& output) {
  return output + ".done";
}

/// What a picture was made of, by which it is known later that the same job is done: the options
/// that it depends on, and its inputs by their contents, the weights by name and size.
inline std::string done_mark(const Arguments& a, const std::filesystem::path& weights) {
  nlohmann::json mark{
      {"sfumato", SFUMATO_VERSION},
      {"weights", {weights.filename().string(), sfumato::io::FileReader(weights).size()}}};
  for (const Setting& setting : a.given) {
    const Option& option = *find_option(setting.option);
    if (!is_of_picture(option) || is_input(option, setting.text)) continue;
    mark["options"][option.name] = setting.text;
  }
  for (const SourceFile& file : source_files(a)) {
    mark["inputs"].push_back(
        {file.option, sfumato::io::sha256_of_file(file.path), detail::show_number(file.weight)});
  }
  return mark.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Whether a picture is there that was made so.
inline bool is_done(const std::string& output, const std::string& mark) {
  std::error_code ignored;
  const std::string path = done_path(output);
  if (!std::filesystem::is_regular_file(output, ignored)) return false;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  const sfumato::io::FileReader file(path);
  if (file.size() != mark.size()) return false;
  const std::vector<std::uint8_t> bytes = file.read_all(mark.size());
  return std::equal(bytes.begin(), bytes.end(), mark.begin(), [](std::uint8_t byte, char letter) {
    return byte == static_cast<std::uint8_t>(letter);
  });
}

}  // namespace neural_style
