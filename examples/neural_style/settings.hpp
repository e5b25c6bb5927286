#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "presets.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/methods.hpp"

namespace neural_style {

/// Sets options one after the other. Throws ValueError for a value that an option does not take.
inline void apply(const Settings& settings, Arguments& a) {
  for (const Setting& setting : settings) {
    const Option* const option = find_option(setting.option);
    if (option == nullptr) {
      throw sfumato::ValueError(sfumato::message("there is no option ", setting.option));
    }
    if (!option->value.read(a, setting.text)) {
      throw sfumato::ValueError(sfumato::message(option->name, " must be ", option->value.wanted,
                                                 ", not '", setting.text, "'"));
    }
  }
}

/// Whether an option is among these.
inline bool is_given(const Settings& settings, const std::string& name) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting& setting) { return setting.option == name; });
}

/// The defaults, those of the method or what a preset sets, under what one of its stages sets (if
/// it is not null), under what the command line gave.
inline Arguments arguments_of(const Settings& given,
                              const sfumato::style::PresetStage* stage = nullptr) {
  Arguments a;
  apply(given, a);
  Arguments under;
  apply(sfumato::style::method(a.transfer.objective.style_loss), under);
  if (const Preset* const preset = find_preset(a.preset)) apply(*preset, stage, under);
  apply(given, under);
  a = under;
  // A method's passes belong to its own number of iterations.
  if (is_given(given, "--iterations") && !is_given(given, "--final-passes")) a.final_passes = 0;
  sfumato::style::ObjectiveOptions& objective = a.transfer.objective;
  objective.low_memory = a.memory == "low";
  objective.tile = a.tile.value_or(0);
  if (a.transfer.optimizer != sfumato::style::Optimizer::kAdam) a.transfer.pyramid_levels = 0;
  if (!a.style_layer_weights.empty()) {
    objective.style_layer_weights.clear();
    if (a.style_layer_weights.size() != objective.style_layers.size()) {
      throw sfumato::ValueError(sfumato::message(
          "--style-layer-weights has ", a.style_layer_weights.size(), " numbers, but there are ",
          objective.style_layers.size(), " --style-layers"));
    }
  }
  a.given = given;
  return a;
}

/// The settings but those of some options.
inline Settings without(Settings settings, const std::vector<std::string>& names) {
  std::erase_if(settings, [&](const Setting& setting) {
    return std::find(names.begin(), names.end(), setting.option) != names.end();
  });
  return settings;
}

/// Why an option does not go together with the others, by the table; nothing where it does. As if
/// it were given where `supposed`.
inline std::string exclusion_of(const Option& option, const Arguments& a, bool supposed = false) {
  const auto holds = [&](const Option& one, const std::optional<std::string>& value) {
    if (supposed && &one == &option) return true;
    return value ? one.value.show(a) == *value : is_given(a.given, one.name);
  };
  const auto words = [](const std::string& name, const std::optional<std::string>& value) {
    return value ? name + " " + *value : name;
  };
  const auto of_jobs = [](const std::string& name) {
    return name == "--jobs" || name == "--shard";
  };
  for (const Exclusion& exclusion : option.not_with) {
    // Defaults of jobs go together in each job, whose line may say what they go with.
    if (!a.jobs.empty() && !of_jobs(option.name) && !of_jobs(exclusion.other)) continue;
    const Option& other = *find_option(exclusion.other);
    if (!holds(option, exclusion.value) || !holds(other, exclusion.other_value)) continue;
    return sfumato::message(words(option.name, exclusion.value),
                            exclusion.other_value == ""
                                ? " needs " + other.name
                                : " does not go with " + words(other.name, exclusion.other_value),
                            ": ", exclusion.why);
  }
  return "";
}

/// Whether an option has nothing to do in a run, whatever its value: another one that it needs is
/// not there, or has a value with which it does not go, by the table.
inline bool has_no_part(const Option& option, const Arguments& a) {
  if (option.group == kStudio) return !a.studio;
  return std::any_of(option.not_with.begin(), option.not_with.end(),
                     [&](const Exclusion& exclusion) {
                       return !exclusion.value && exclusion.other_value &&
                              find_option(exclusion.other)->value.show(a) == *exclusion.other_value;
                     });
}

/// Throws ValueError for options that do not go together.
inline void refuse_exclusions(const Arguments& a) {
  for (const Option& option : options()) {
    const std::string why = exclusion_of(option, a);
    if (!why.empty()) throw sfumato::ValueError(why);
  }
}

}  // namespace neural_style
