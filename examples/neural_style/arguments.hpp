#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/methods.hpp"
#include "sfumato/style/presets.hpp"
#include "sfumato/style/transfer.hpp"

namespace neural_style {

/// An option, and what it is set to, as written on the command line; an empty text for a flag.
struct Setting {
  std::string option;
  std::string text;
};
using Settings = std::vector<Setting>;

/// A picture whose style is taken, or a folder of such, and how much it counts beside others.
struct NamedStyle {
  std::string path;
  double weight = 1.0;
};

/// An option by its name without hyphens, and the values that pictures of a grid have for it.
struct GridAxis {
  std::string option;
  std::vector<std::string> values;
};

/// A part of many.
struct Part {
  std::int64_t number = 1;  ///< from 1
  std::int64_t of = 1;
};

/// What paints where neither a preset nor a method is named.
inline sfumato::style::Preset default_method() {
  return sfumato::style::method(sfumato::style::StyleLoss::kNeighbors);
}

/// What the options say (options.hpp has a row for each): the defaults unless something is set.
struct Arguments {
  std::string content;
  std::vector<NamedStyle> styles;
  std::string output;
  std::string weights;
  std::string losses;
  std::string log;
  std::string plot;
  std::string report;
  std::string animation;
  std::string jobs;
  std::string film;  ///< a file, or a folder of frames
  double temporal_weight = 30.0;
  bool studio = false;
  std::string folder;  ///< of the studio
  std::string host = "127.0.0.1";
  int port = 8320;
  std::vector<GridAxis> grid;
  Part shard;
  std::string preset;  ///< a name that find_preset() knows, or nothing
  std::string initial = "content";
  std::string original_colors = "no";
  std::string keep = "no";  ///< of how bright the content is
  bool keep_alpha = false;
  std::string content_mask;
  std::vector<std::string> style_masks;
  std::string device = "auto";
  std::string precision = "float32";
  std::string memory = "normal";
  std::optional<double> max_memory;  ///< in bytes
  std::optional<std::int64_t> tile;  ///< side in pixels
  std::optional<std::int64_t> height;
  std::optional<std::int64_t> width;
  std::optional<std::int64_t> size;
  std::optional<std::int64_t> min_size = default_method().min_size;
  std::optional<std::int64_t> first_iterations;
  std::int64_t final_passes = default_method().final_passes;
  std::uint64_t seed = 0;
  std::optional<int> threads;
  std::int64_t report_every = 10;
  std::optional<std::int64_t> save_every;
  bool quiet = false;
  bool save_stages = false;
  bool tf32 = false;
  bool no_metadata = false;
  std::string checkpoint;
  double checkpoint_every = 5.0;  ///< seconds
  std::string resume;
  sfumato::style::TransferOptions transfer = default_method().transfer;
  sfumato::style::PictureOptions pictures = default_method().pictures;
  sfumato::nn::VggOptions network = default_method().network;
  std::vector<double> style_layer_weights;  ///< in the order of the layers; or what a preset has
  double noise = 1.0;                       ///< deviation of the noise, in the numbers changed
  std::string answer;   ///< what to print instead of painting: "help", "version", "man", or a shell
  std::string repeats;  ///< the picture that is painted again, or nothing
  std::int64_t stopped_after = 0;  ///< iterations after which that was ended; 0 for none
  Settings given;                  ///< what the command line itself set, in its order
};

}  // namespace neural_style
