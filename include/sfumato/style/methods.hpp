#pragma once

#include "sfumato/style/borders.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/pixels.hpp"
#include "sfumato/style/presets.hpp"

namespace sfumato::style {

/// The options that suit a way of comparing styles: for kGram the library's defaults; for
/// kWasserstein those of the preset crowson, but with whole borders; for kNeighbors what
/// docs/pictures.md tells of.
inline Preset method(StyleLoss loss) {
  if (loss == StyleLoss::kGram) return {.network = {.rescale_pooling = true}};
  Preset method = preset("crowson");
  method.pictures = {.enlarging = Enlarging::kBicubic};
  TransferOptions& transfer = method.transfer;
  transfer.borders = Borders::kExtend;
  transfer.objective.root_gradient = ops::RootGradient::kInverse;  // half of the roots' work
  if (loss == StyleLoss::kWasserstein) return method;
  method.network = {.rescale_pooling = true};
  method.min_size = 64;
  method.first_iterations.reset();
  transfer.iterations = 25;
  method.final_passes = 2;
  transfer.pyramid_levels = 6;
  transfer.learning_rate = 0.01;  // of each level: large areas change by all of them
  transfer.average_decay = 0.9;
  transfer.objective = {.content_layers = {"relu4_2"},
                        .style_layers = {"relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1",
                                         "relu3_3", "relu4_1", "relu4_3"},
                        .content_weight = 0.0,
                        .style_weight = 1.0,
                        .tv_weight = 0.15,
                        .style_loss = StyleLoss::kNeighbors};
  return method;
}

}  // namespace sfumato::style
