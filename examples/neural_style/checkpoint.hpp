#pragma once

#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "outputs.hpp"
#include "record.hpp"
#include "reporter.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/state_tensors.hpp"
#include "signals.hpp"

namespace neural_style {

/// Where a run stands.
template <class Device>
struct Position {
  std::size_t stage = 1;                                ///< that it is in, from 1
  std::int64_t before = 0;                              ///< iterations of the stages before that
  std::vector<sfumato::style::Iteration> earlier;       ///< their losses, as Painting has them
  sfumato::style::MinimizerState<float, Device> state;  ///< in the stage
  sfumato::Tensor<float, Device> start;                 ///< what a stage that looks anew began with
};

namespace detail {

inline constexpr const char* kChecksum = "checksum";
inline constexpr const char* kStart = "start";  // a tensor beside those of the minimiser

/// Of all that a checkpoint holds: what is damaged by chance would go unnoticed otherwise.
inline std::string checksum_of(const std::map<std::string, sfumato::Tensor<float>>& tensors,
                               const std::string& text) {
  uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size());
  for (const auto& [name, tensor] : tensors) {
    const std::vector<float> values = tensor.to_vector();
    sum = crc32_z(sum, reinterpret_cast<const Bytef*>(name.data()), name.size());
    sum =
        crc32_z(sum, reinterpret_cast<const Bytef*>(values.data()), values.size() * sizeof(float));
  }
  return std::to_string(sum);
}

/// What is another in two records: "--size: 64 there, 96 here".
inline std::vector<std::string> differences(const Record& there, const Record& here) {
  std::vector<std::string> all = neural_style::differences(there.environment, here.environment);
  std::map<std::string, std::pair<std::string, std::string>> values;
  for (const Setting& setting : there.options) values[setting.option].first = setting.text;
  for (const Setting& setting : here.options) values[setting.option].second = setting.text;
  const auto add = [](auto& text, const Input& input) {
    text += (text.empty() ? "" : ", ") + input.name + " (" + input.sha256.substr(0, 8) + ")" +
            (input.weight.empty() ? "" : "=" + input.weight);
  };
  for (const Input& input : there.inputs) add(values[input.option].first, input);
  for (const Input& input : here.inputs) add(values[input.option].second, input);
  for (const auto& [name, both] : values) {
    const auto shown = [](const std::string& text) {
      return text.empty() ? "not given" : sfumato::excerpt(text);
    };
    if (both.first == both.second) continue;
    all.push_back(
        sfumato::message(name, ": ", shown(both.first), " there, ", shown(both.second), " here"));
  }
  return all;
}

}  // namespace detail

/// Writes where a run stands, whole or not at all. Throws IoError.
template <class Device>
void write_checkpoint(const std::string& path, const Record& record,
                      const Position<Device>& position) {
  auto state = position.state;
  state.history.insert(state.history.begin(), position.earlier.begin(), position.earlier.end());
  auto tensors = sfumato::style::to_tensors(state);
  if (position.start.defined()) {
    tensors[detail::kStart] = position.start.template to<sfumato::Cpu>();
  }
  const nlohmann::json json{{"record", nlohmann::json::parse(to_json(record))},
                            {"stage", position.stage},
                            {"before", position.before},
                            {"earlier", position.earlier.size()}};
  const std::string text = json.dump();
  sfumato::io::write_safetensors(
      path, tensors, sfumato::io::StoredType::kF32,
      {{detail::kCheckpoint, text}, {detail::kChecksum, detail::checksum_of(tensors, text)}});
}

/// The side of the tiles in which the run of a checkpoint is painted; 0 for none, also where the
/// file can't be read: read_checkpoint() says why.
inline std::int64_t tile_of_checkpoint(const std::string& path) {
  Arguments a;
  try {
    const sfumato::io::SafetensorsFile file(path);
    const auto text = file.metadata().find(detail::kCheckpoint);
    if (text == file.metadata().end()) return 0;
    const nlohmann::json json = nlohmann::json::parse(text->second, nullptr, false);
    if (!json.is_object() || !json.contains("record")) return 0;
    for (const Setting& setting : record_from(json["record"]).options) {
      if (setting.option == "--tile") find_option("--tile")->value.read(a, setting.text);
    }
  } catch (const sfumato::IoError&) {
  }
  return a.tile.value_or(0);
}

/// Reads what write_checkpoint() wrote, or anybody. Throws IoError for what is none, is damaged, or
/// is of another run than that of `record`; and ValueError for a state that is none.
template <class Device>
Position<Device> read_checkpoint(const std::string& path, const Record& record) {
  const auto fail = [&](const std::string& what) {
    throw sfumato::IoError(sfumato::message(path, ": ", what));
  };
  const sfumato::io::SafetensorsFile file(path);
  const auto text = file.metadata().find(detail::kCheckpoint);
  const auto sum = file.metadata().find(detail::kChecksum);
  if (text == file.metadata().end() || sum == file.metadata().end()) {
    fail("is no checkpoint of neural_style");
  }
  const nlohmann::json json = nlohmann::json::parse(text->second, nullptr, false);
  if (!json.is_object() || !json.contains("record")) fail("is no checkpoint");
  Position<Device> position;
  std::size_t earlier = 0;
  std::vector<std::string> others;
  try {
    others = detail::differences(record_from(json["record"]), record);
    position.stage = static_cast<std::size_t>(detail::number_of(json, "stage"));
    position.before = detail::number_of(json, "before");
    earlier = static_cast<std::size_t>(detail::number_of(json, "earlier"));
  } catch (const sfumato::IoError& error) {
    fail(error.what());
  }
  std::string list;
  for (const std::string& other : others) list += (list.empty() ? "" : "; ") + other;
  if (!list.empty()) fail("is of another run: " + list);
  try {
    std::map<std::string, sfumato::Tensor<float>> tensors;
    for (const std::string& name : file.names()) tensors.emplace(name, file.read<float>(name));
    if (detail::checksum_of(tensors, text->second) != sum->second) fail("is damaged");
    if (const auto start = tensors.extract(detail::kStart)) {
      position.start = start.mapped().template to<Device>();
    }
    position.state = sfumato::style::state_from<float, Device>(std::move(tensors));
    auto& history = position.state.history;
    if (earlier > history.size()) fail("has fewer losses than it says");
    const auto end = history.begin() + static_cast<std::ptrdiff_t>(earlier);
    position.earlier.assign(history.begin(), end);
    history.erase(history.begin(), end);
  } catch (const sfumato::ValueError& error) {
    fail(error.what());
  }
  return position;
}

/// Keeps on the disk what it takes to go on with a run, and its picture as it is so far.
class Checkpoints {
 public:
  Checkpoints(const Arguments& a, std::shared_future<Record> record, const Reporter& report)
      : a_(a), record_(std::move(record)), report_(report) {
    picture_ = !a.checkpoint.empty() && !sfumato::io::detail::find_target(a.output).stream &&
               !sfumato::io::detail::find_target(a.output).descriptor;
  }

  /// An iteration is done. Says on stderr what can't be written, once until it can; the run goes
  /// on, and the last good file stays.
  template <class Device, class Painting>
  void operator()(const sfumato::style::Moment<float, Device>& now,
                  const Position<Device>& in_stage, const Painting& painting) {
    if (a_.checkpoint.empty()) return;
    const bool ends = interrupted != 0;
    if (!ends && written_ && seconds_since(*written_) < a_.checkpoint_every) return;
    const HoldSignals whole_files;
    attempt(no_checkpoint_, [&] {
      Position<Device> position = in_stage;
      position.state = now.state();
      write_checkpoint(a_.checkpoint, record_.get(), position);
    });
    if (picture_ && !ends && (!painted_ || seconds_since(*painted_) > wait_)) {
      attempt(no_picture_, [&] {
        write_picture_so_far(painting.written(painting.pixels(a_, now.picture())),
                             painting.iterations);
      });
    }
    written_ = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double seconds_since(Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  }

  /// Does it. `trouble` is why that failed the last time.
  template <class Action>
  void attempt(std::string& trouble, const Action& action) {
    std::string failure;
    try {
      action();
    } catch (const sfumato::IoError& error) {
      failure = error.what();
    }
    if (!failure.empty() && failure != trouble) report_.warn(failure);
    trouble = failure;
  }

  void write_picture_so_far(const sfumato::Tensor<std::uint8_t>& pixels, std::int64_t iterations) {
    const Clock::time_point start = Clock::now();
    std::map<std::string, std::string> texts;
    if (!a_.no_metadata) {
      Record record = record_.get();
      record.stopped_after = iterations;
      texts[kRecordKeyword] = to_json(record);
    }
    constexpr int kQuality = 95;
    sfumato::io::write_image(a_.output, pixels, kQuality, texts);
    constexpr double kShare = 20.0;  // of the run's time, one part goes into this
    painted_ = Clock::now();
    wait_ = kShare * seconds_since(start);
  }

  const Arguments& a_;
  std::shared_future<Record> record_;
  const Reporter& report_;
  std::string no_checkpoint_;  // why not, the last time; or nothing
  std::string no_picture_;
  bool picture_;
  std::optional<Clock::time_point> written_;
  std::optional<Clock::time_point> painted_;
  double wait_ = 0.0;
};

}  // namespace neural_style
