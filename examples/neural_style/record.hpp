#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "environment.hpp"
#include "options.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/sha256.hpp"
#include "sources.hpp"

namespace neural_style {

/// A file that a picture was made of.
struct Input {
  std::string option;  ///< which it was given for: "CONTENT", "--weights"
  std::string name;    ///< without its folder
  std::uint64_t bytes = 0;
  std::string sha256;
  std::string weight = {};  ///< of a style, if that is not 1
};

/// How a picture came about: what it takes to paint it again.
struct Record {
  Environment environment;
  Settings options;  ///< that the command line gave and that the picture depends on
  std::vector<Input> inputs;
  std::string seed;
  std::int64_t stopped_after = 0;  ///< iterations, where the run was ended before its end; else 0
};

/// Under which a PNG keeps its record.
inline constexpr const char* kRecordKeyword = "neural_style";

/// Whether the picture depends on an option. Those of groups that are not named here never count,
/// so that a record, which anybody may have written, can't set what a run reads and writes.
inline bool is_of_picture(const Option& option) {
  constexpr std::array<std::string_view, 5> kGroups{"Pictures", "Size", "Optimiser", "Objective",
                                                    "Network and machine"};
  constexpr std::array<std::string_view, 5> kOthers{"--output", "--no-metadata", "--save-stages",
                                                    "--threads", "--max-memory"};
  const auto holds = [](const auto& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return holds(kGroups, option.group) && !holds(kOthers, option.name);
}

/// Whether a value of it names a file that the picture depends on.
inline bool is_input(const Option& option, const std::string& text) {
  return is_of_picture(option) && names_file(option, text);
}

namespace detail {

inline Input input_of(const std::string& option, const std::filesystem::path& path) {
  return {option, path.filename().string(), sfumato::io::FileReader(path).size(),
          sfumato::io::sha256_of_file(path)};
}

/// A member of a JSON object that is a text of at most `most` bytes. Throws IoError.
inline std::string text_of(const nlohmann::json& object, const char* name, std::size_t most) {
  const auto found = object.find(name);
  const auto* const text =
      found == object.end() ? nullptr : found->get_ptr<const nlohmann::json::string_t*>();
  if (text == nullptr || text->size() > most) {
    throw sfumato::IoError(sfumato::message("its record has no right ", sfumato::excerpt(name)));
  }
  return *text;
}

/// A member that is a number from 0 to 2^53. Throws IoError.
inline std::int64_t number_of(const nlohmann::json& object, const char* name) {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  const auto found = object.find(name);
  const bool whole = found != object.end() && found->is_number_unsigned();
  if (!whole || found->get<std::uint64_t>() > kMost) {
    throw sfumato::IoError(sfumato::message("its record has no right ", name));
  }
  return found->get<std::int64_t>();
}

}  // namespace detail

/// That of a run with these weights, whatever it takes to read its inputs. Throws IoError.
inline Record record_of(const Arguments& a, const std::filesystem::path& weights) {
  Record record;
  record.environment = environment(a.device);
  record.seed = find_option("--seed")->value.show(a);
  for (const Setting& setting : a.given) {
    const Option& option = *find_option(setting.option);
    if (!is_of_picture(option) || is_input(option, setting.text)) continue;
    Arguments read;  // "064" is 64
    option.value.read(read, setting.text);
    record.options.push_back({setting.option, option.value.show(read)});
  }
  for (const SourceFile& file : source_files(a)) {
    record.inputs.push_back(detail::input_of(file.option, file.path));
    if (file.weight != 1.0) record.inputs.back().weight = detail::show_number(file.weight);
  }
  record.inputs.push_back(detail::input_of("--weights", weights));
  return record;
}

/// As JSON, the same for the same record.
inline std::string to_json(const Record& record) {
  nlohmann::json json{{"seed", record.seed}, {"stopped_after", record.stopped_after}};
  for (const auto& [name, value] : record.environment) json["environment"][name] = value;
  json["options"] = nlohmann::json::object();
  for (const Setting& setting : record.options) json["options"][setting.option] = setting.text;
  for (const Input& input : record.inputs) {
    json["inputs"].push_back({{"option", input.option},
                              {"name", input.name},
                              {"bytes", input.bytes},
                              {"sha256", input.sha256}});
    if (!input.weight.empty()) json["inputs"].back()["weight"] = input.weight;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What to_json() was given, out of JSON that anybody may have written. Throws IoError for what is
/// no record, and for options and inputs that are none of a picture's.
inline Record record_from(const nlohmann::json& json) {
  using detail::text_of;
  constexpr std::size_t kMost = 1000;  // of anything
  const auto member = [&](const char* name, bool is_object) -> const nlohmann::json& {
    const bool there = json.is_object() && json.contains(name);
    if (!there || json[name].size() > kMost ||
        !(is_object ? json[name].is_object() : json[name].is_array())) {
      throw sfumato::IoError(sfumato::message("its record has no right ", name));
    }
    return json[name];
  };
  const auto refuse = [](const std::string& name) {
    throw sfumato::IoError(
        sfumato::message("its record sets ", sfumato::excerpt(name), ", which no picture needs"));
  };
  Record record;
  for (const auto& [name, value] : member("environment", true).items()) {
    record.environment.emplace_back(sfumato::excerpt(name),
                                    text_of(json["environment"], name.c_str(), kMost));
  }
  for (const auto& [name, value] : member("options", true).items()) {
    const Option* const option = find_option(name);
    const std::string text_of_option = text_of(json["options"], name.c_str(), kMost);
    if (option == nullptr || !is_of_picture(*option) || is_input(*option, text_of_option)) {
      refuse(name);
    }
    record.options.push_back({name, text_of_option});
  }
  for (const nlohmann::json& input : member("inputs", false)) {
    const bool weighted = input.is_object() && input.contains("weight");
    Input read{text_of(input, "option", kMost), text_of(input, "name", kMost),
               static_cast<std::uint64_t>(detail::number_of(input, "bytes")),
               text_of(input, "sha256", 64), weighted ? text_of(input, "weight", kMost) : ""};
    const Option* const option = find_option(read.option);
    if (option == nullptr || !is_input(*option, "")) refuse(read.option);
    record.inputs.push_back(std::move(read));
  }
  record.seed = text_of(json, "seed", kMost);
  record.stopped_after = detail::number_of(json, "stopped_after");
  return record;
}

/// What is another in the second of two environments: "instruction set: avx512 there, avx2 here".
inline std::vector<std::string> differences(const Environment& there, const Environment& here) {
  const auto value_of = [](const Environment& environment, const std::string& name) {
    for (const auto& [known, value] : environment) {
      if (known == name) return sfumato::excerpt(value);
    }
    return std::string("unknown");
  };
  std::vector<std::string> all;
  for (const auto& [name, value] : here) {
    const std::string before = value_of(there, name);
    if (before == value) continue;
    all.push_back(sfumato::message(name, ": ", before, " there, ", value, " here"));
  }
  return all;
}

}  // namespace neural_style
