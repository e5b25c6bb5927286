#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/ops/linalg.hpp"
#include "sfumato/optim/adam.hpp"
#include "sfumato/optim/lbfgs.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/pixels.hpp"

namespace sfumato::style {

/// How features are compared with those of the style.
enum class StyleLoss {
  kGram,         ///< losses::style_loss
  kWasserstein,  ///< losses::wasserstein_loss
  kNeighbors,    ///< with those of the places that are most like the content's: neighbors.hpp
};

/// How a picture's smoothness is measured.
enum class Variation {
  kMean,       ///< losses::total_variation_loss of the normalised picture
  kSum,        ///< losses::total_variation_sum, where white is 255
  kNinePoint,  ///< losses::nine_point_variation, where white is 1
};

/// What a picture should be like: which layers' features are compared, and how much each loss
/// counts. The defaults are those of the PyTorch code in "Dive into Deep Learning". It names
/// convolutions, but the ReLUs behind them work in place and leave features without negative
/// values, which take colours over better (docs/presets.md); only behind conv5_1, its last layer,
/// is none.
struct ObjectiveOptions {
  std::vector<std::string> content_layers{"relu4_4"};
  std::vector<std::string> style_layers{"relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1"};
  double content_weight = 1.0;
  double style_weight = 1e3;
  double tv_weight = 10.0;
  /// What the losses of some layers are multiplied by in addition, by name ("conv5_1"); the others
  /// by 1.
  std::map<std::string, double> content_layer_weights{};
  std::map<std::string, double> style_layer_weights{};
  StyleLoss style_loss = StyleLoss::kGram;
  int root_iterations = 20;  ///< of the square roots in kWasserstein; see ops::sqrtm
  ops::RootGradient root_gradient = ops::RootGradient::kInverse;  ///< of the same
  Variation variation = Variation::kMean;
  /// Gives the gradients of the content's and the style's losses with respect to their layers the
  /// size of the losses' weights, Σ |gradient| = weight, as J. Johnson's neural-style does on
  /// request.
  bool normalize_gradients = false;
  /// Sums in the place of means, as Gatys et al. (2016) have them: ½ Σ (F - P)² of the content and
  /// Σ (G - A)² / (2 c h w)² of the style, where F and P are features, G and A sums of products.
  bool sums = false;
  /// How far the style's goal goes from the content's own features, at 0, to the style's, at 1.
  double strength = 1.0;
  /// Do not keep the features of the style layers that are as large as the first layer's, but
  /// compute them again for their gradients: smaller ones are gone when most memory is needed.
  bool low_memory = false;
  /// Not 0: pictures are looked at in tiles whose sides are at most this many pixels (multiples of
  /// deepest_pixel(), but for what is left over), so that only the features of one are in memory at
  /// a time. Losses and gradients are the same to rounding, and take about twice as long.
  std::int64_t tile = 0;
};

/// All layers that the objective asks for: the content's, then the style's.
inline std::vector<std::string> layers_of(const ObjectiveOptions& options) {
  std::vector<std::string> layers = options.content_layers;
  layers.insert(layers.end(), options.style_layers.begin(), options.style_layers.end());
  return layers;
}

/// What changes the picture.
enum class Optimizer {
  kAdam,
  kLbfgs,        ///< every evaluation of its line search is an iteration
  kScaledLbfgs,  ///< the same with FrequencyScale: half as many iterations, or fewer
};

/// How a picture is made: the objective, and how it is minimised.
struct TransferOptions {
  ObjectiveOptions objective = {};
  std::int64_t iterations = 500;
  double learning_rate = 0.01;
  std::int64_t lr_decay_every = 200;  ///< iterations after which the learning rate is multiplied …
  double lr_decay = 0.1;              ///< … by this
  optim::AdamForm adam_form = optim::AdamForm::kPaper;
  double beta1 = 0.9;    ///< Adam's
  double beta2 = 0.999;  ///< Adam's
  Optimizer optimizer = Optimizer::kAdam;
  optim::LBFGSOptions lbfgs = {};
  /// Not 0: Adam changes the levels of a Laplacian pyramid of so many (PictureParameters), in the
  /// place of pixels. Its moments are those of levels, which fit pictures of one size only.
  std::int64_t pyramid_levels = 0;
  Pixels pixels = Pixels::kNormalized;  ///< the numbers that are changed
  /// Keeps pixels between black and white, after each of Adam's steps; L-BFGS would lose its way.
  bool clip = false;
  /// Not 0: what comes out is the mean of the pictures after each step, each of which weighs this
  /// much less than the next one.
  double average_decay = 0.0;
  /// Ends as soon as the total that is reported is at most this.
  std::optional<double> until_loss = {};
  /// Whether the picture is painted larger, to sides that the network can halve at every pooling,
  /// and cut off. The losses that are reported are those of the picture that comes out: where it is
  /// cut, they take a forward pass of their own, a third more time for an iteration that has them.
  /// Only of kNeighbors, and of pictures too small for the layers (deepest_pixel()), are they the
  /// larger one's.
  Borders borders = Borders::kExtend;
  /// Iterations between two whose losses are reported; the first one's and the last one's always
  /// are.
  std::int64_t losses_every = 1;
  bool capture = true;  ///< on a device that can, capture a step once and run that again
};

namespace detail {

/// Throws ValueError for numbers that no run can have.
inline void check(const TransferOptions& options) {
  if (options.iterations < 0 || options.lr_decay_every < 1) {
    throw ValueError(message("style transfer: ", options.iterations,
                             " iterations with decay every ", options.lr_decay_every,
                             "; they must be at least 0 and 1"));
  }
  if (options.pyramid_levels < 0 ||
      (options.pyramid_levels > 0 && options.optimizer != Optimizer::kAdam)) {
    throw ValueError(message("style transfer: a pyramid of ", options.pyramid_levels,
                             " levels; it must have at least 0, and only Adam can change it"));
  }
  if (options.losses_every < 1) {
    throw ValueError(message("style transfer: losses every ", options.losses_every,
                             " iterations; it must be at least 1"));
  }
  if (!(options.average_decay >= 0.0 && options.average_decay < 1.0)) {
    throw ValueError(message("style transfer: a decay of the average of ", options.average_decay,
                             "; it must be at least 0 and less than 1"));
  }
}

}  // namespace detail

}  // namespace sfumato::style
