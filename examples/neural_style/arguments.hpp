#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// What the command line says: defaults, then what a preset sets, then what was given.
struct Arguments {
  std::string content;
  std::string style;
  std::string output;
  std::string weights;
  std::string losses;
  std::string preset;
  std::string initial = "content";
  std::string device = "auto";
  std::string precision = "float32";
  std::string memory = "normal";
  std::optional<std::int64_t> height;
  std::optional<std::int64_t> width;
  std::optional<std::int64_t> size;
  std::uint64_t seed = 0;
  int threads = 0;
  std::int64_t report_every = 10;
  bool quiet = false;
  bool save_stages = false;
  bool tf32 = false;
  sfumato::style::TransferOptions transfer;
};

}  // namespace neural_style
