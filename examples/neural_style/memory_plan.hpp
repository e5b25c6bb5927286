#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "checkpoint.hpp"
#include "expected_memory.hpp"
#include "memory.hpp"
#include "options.hpp"
#include "reporter.hpp"
#include "settings.hpp"
#include "sfumato/core/division.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/core/processors.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/style/gatys.hpp"
#include "sfumato/style/pictures.hpp"
#include "sources.hpp"
#include "stages.hpp"

namespace neural_style {

namespace detail {

/// The side of the smallest tiles that are tried: of smaller ones, nearly all is halo.
inline constexpr std::int64_t kSmallestTile = 192;

/// Has all stages painted in tiles of at most this side, or in one piece where that is 0. In tiles,
/// the largest features are computed again, where the network's type allows that.
inline void set_tile(const Arguments& a, std::int64_t side, std::vector<Stage>& stages) {
  for (Stage& stage : stages) {
    stage.transfer.objective.tile = side;
    stage.transfer.objective.low_memory = a.memory == "low" || (side > 0 && a.precision != "bf16");
  }
}

/// What is expected of the stage that needs most.
template <class Network>
double expected_of(const Network& network, const Sources& sources,
                   const std::vector<Stage>& stages) {
  namespace style = sfumato::style;
  double most = 0.0;
  for (const Stage& stage : stages) {
    const std::int64_t least = style::deepest_pixel(network, stage.transfer.objective);
    std::vector<style::PictureSize> of_styles;
    for (const StyleSource& source : sources.styles) {
      of_styles.push_back(
          style::style_size(source.pixels.shape(), stage.size, stage.pictures, least));
    }
    most = std::max(most, expected_memory(network, stage, of_styles));
  }
  return most;
}

/// Tries tiles that are smaller and smaller until `bytes` suffice. Returns the side, that of the
/// smallest where no others do; 0 for pictures that are no larger than those.
template <class Network>
std::int64_t find_tile(const Arguments& a, const Network& network, const Sources& sources,
                       double bytes, std::vector<Stage>& stages) {
  std::int64_t longer = 0;
  for (const Stage& stage : stages) {
    longer = std::max({longer, stage.size.height, stage.size.width});
  }
  std::int64_t side = 0;
  for (std::int64_t count = 2; longer > kSmallestTile * (count - 1); ++count) {
    constexpr std::int64_t kUnit = 16;
    side = sfumato::round_up(sfumato::ceil_div(longer, count), kUnit);
    set_tile(a, side, stages);
    if (expected_of(network, sources, stages) <= bytes) break;
  }
  return side;
}

}  // namespace detail

/// Decides whether the stages are painted in tiles, says what memory they are expected to take, and
/// refuses what can't be had; `more` bytes may be kept beside it for the pictures to come. Returns
/// the side of the tiles; 0 for none. Throws ValueError for what can't be tiled and would need more
/// than --max-memory, and ResourceError where the memory does not suffice.
template <class Device, class Stored>
std::int64_t plan_memory(const Arguments& a, const sfumato::nn::Vgg<Stored, Device>& network,
                         const Sources& sources, const Reporter& report, double more,
                         std::vector<Stage>& stages) {
  std::int64_t tile = a.tile.value_or(0);
  if (!a.tile && !a.resume.empty()) tile = tile_of_checkpoint(a.resume);
  detail::set_tile(a, tile, stages);
  if constexpr (!std::same_as<Device, sfumato::Cpu>) {
    if (a.max_memory) {
      throw sfumato::ValueError("--max-memory is of the memory of the CPU; take --device cpu");
    }
    return tile;
  } else {
    std::optional<MemoryLimit> limit = memory_limit();
    if (a.max_memory) limit = {*a.max_memory, *a.max_memory, "allowed by --max-memory"};
    sfumato::Pool<sfumato::Cpu>::shared().trim();  // of what the picture before has left
    const double before = memory_now() + more;
    double expected = before + detail::expected_of(network, sources, stages);
    if (tile == 0 && limit && expected > limit->bytes && a.resume.empty()) {
      const std::string why = exclusion_of(*find_option("--tile"), a, true);
      if (!why.empty() && a.max_memory) {
        throw sfumato::ValueError(sfumato::message("about ", readable_bytes(expected),
                                                   " are needed, more than --max-memory, and ", why,
                                                   "; take a smaller --size"));
      }
      if (why.empty()) {
        const double whole = expected;
        tile = detail::find_tile(a, network, sources, limit->bytes - before, stages);
        expected = before + detail::expected_of(network, sources, stages);
        if (expected >= whole) {  // as of a small picture
          tile = 0;
          expected = whole;
          detail::set_tile(a, tile, stages);
        }
      }
      if (expected > limit->bytes && a.max_memory) {
        const bool remembers = a.transfer.optimizer != sfumato::style::Optimizer::kAdam;
        throw sfumato::ResourceError(
            sfumato::message("not enough memory: ", tile > 0 ? "even in tiles " : "", "about ",
                             readable_bytes(expected), " are needed, more than --max-memory",
                             remembers ? ", most of it for what --optimizer lbfgs remembers" : ""));
      }
    }
    check_memory(expected, limit, memory_remedy(a, sfumato::usable_processors()), report);
    if (tile > 0) report.say("painted in tiles of %lld pixels\n", static_cast<long long>(tile));
    return tile;
  }
}

}  // namespace neural_style
