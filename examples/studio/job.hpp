#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "sfumato/core/error.hpp"

namespace studio {

/// A picture that is asked for, and what has become of it.
struct Job {
  std::string id;       ///< six digits
  std::string state;    ///< "waiting", "painting", "done", "stopped" or "failed"
  std::string name;     ///< "cat in the style of suns"
  std::string content;  ///< a picture's id
  std::string style;
  nlohmann::json settings;  ///< options by their names without hyphens, as in a file of jobs
  std::string time;         ///< when it was asked for
  std::string trouble;      ///< why it failed; or nothing
  double seconds = 0.0;     ///< of painting
  double done = 0.0;        ///< of the work, from 0 to 1
  std::int64_t height = 0;  ///< of the result; 0 where there is none
  std::int64_t width = 0;
  std::int64_t version = 0;  ///< of the result, as it may be gone on with

  bool is_ended() const { return state == "done" || state == "stopped" || state == "failed"; }
};

inline nlohmann::json to_json(const Job& job) {
  return {{"id", job.id},           {"state", job.state},     {"name", job.name},
          {"content", job.content}, {"style", job.style},     {"settings", job.settings},
          {"time", job.time},       {"trouble", job.trouble}, {"seconds", job.seconds},
          {"done", job.done},       {"height", job.height},   {"width", job.width},
          {"version", job.version}};
}

/// As text, whatever bytes are in a name.
inline std::string to_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Reads what to_json() made. Throws IoError.
inline Job job_from(const nlohmann::json& json) {
  try {
    Job job;
    json.at("id").get_to(job.id);
    json.at("state").get_to(job.state);
    json.at("name").get_to(job.name);
    json.at("content").get_to(job.content);
    json.at("style").get_to(job.style);
    job.settings = json.at("settings");
    json.at("time").get_to(job.time);
    json.at("trouble").get_to(job.trouble);
    json.at("seconds").get_to(job.seconds);
    json.at("done").get_to(job.done);
    json.at("height").get_to(job.height);
    json.at("width").get_to(job.width);
    json.at("version").get_to(job.version);
    return job;
  } catch (const nlohmann::json::exception& error) {
    throw sfumato::IoError(sfumato::message("is no job: ", std::string(error.what())));
  }
}

}  // namespace studio
