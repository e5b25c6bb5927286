#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "channel_scales.hpp"
#include "distillation.hpp"
#include "sfumato/sfumato.hpp"

namespace examples {

/// How far the student is from the teacher on crops of pictures that it is not trained with.
class Validation {
 public:
  struct Result {
    double features = 0.0;             ///< |full - decoded|² / |full|², mean over the taps
    double gram = 0.0;                 ///< the same of Gram matrices, mean over the style taps
    std::vector<double> correlations;  ///< of style distances between crops, per style tap
    std::vector<double> slopes;        ///< cosines between slopes, per tap
  };

  /// Crops (1, 3, h, w). A few of them are enough for the slopes, which take longer.
  Validation(Network& teacher, std::vector<Tensor<float>> crops)
      : taps_(training_taps(teacher)), crops_(std::move(crops)), few_(first_crops()) {
    for (const Tensor<float>& crop : crops_) {
      full_.push_back(
          sfumato::no_grad([&] { return teacher.taps(Variable<float>(crop), layers_of(taps_)); }));
    }
    for (const auto& slope : slopes(teacher)) full_slopes_.push_back(slope.detach());
  }

  Result operator()(Student& student) const {
    student.network.freeze();
    Result result;
    sfumato::no_grad([&] { compare_features(student, result); });
    const auto slim = slopes(student.network);
    for (std::size_t i = 0; i < slim.size(); ++i) {
      result.slopes.push_back(
          1.0 - static_cast<double>(slope_loss(full_slopes_[i], slim[i].detach()).item()));
    }
    student.network.unfreeze();
    return result;
  }

 private:
  Tensor<float> first_crops() const {
    constexpr std::size_t kFew = 6;
    std::vector<Variable<float>> few;
    for (std::size_t i = 0; i < std::min(kFew, crops_.size()); ++i) few.emplace_back(crops_[i]);
    return sfumato::ops::concat(few, 0).value();
  }

  std::vector<Variable<float>> slopes(Network& network) const {
    const Variable<float> images(few_, true);
    const auto features = network.taps(images, layers_of(taps_));
    std::vector<Variable<float>> all;
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      if (taps_[i].slope) {
        all.push_back(slope(features[i], images, taps_[i].style, {.retain_graph = true}));
      }
    }
    return all;
  }

  void compare_features(Student& student, Result& result) const {
    const auto count = static_cast<double>(crops_.size());
    std::vector<std::vector<Tensor<float>>> full_grams(taps_.size());
    std::vector<std::vector<Tensor<float>>> slim_grams(taps_.size());
    for (std::size_t k = 0; k < crops_.size(); ++k) {
      const auto slim = student.network.taps(Variable<float>(crops_[k]), layers_of(taps_));
      for (std::size_t i = 0; i < taps_.size(); ++i) {
        const TapLoss loss = tap_loss(full_[k][i], slim[i],
                                      student.projections[taps_[i].convolution], taps_[i].style);
        result.features +=
            static_cast<double>(loss.features.item()) / count / static_cast<double>(taps_.size());
        if (!taps_[i].style) continue;
        constexpr double kStyleTaps = 5.0;
        result.gram += static_cast<double>(loss.gram.item()) / count / kStyleTaps;
        full_grams[i].push_back(sfumato::losses::gram_matrix(full_[k][i]).value());
        slim_grams[i].push_back(sfumato::losses::gram_matrix(slim[i]).value());
      }
    }
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      if (!taps_[i].style) continue;
      result.correlations.push_back(
          correlation(distances(full_grams[i]), distances(slim_grams[i])));
    }
  }

  static std::vector<double> distances(const std::vector<Tensor<float>>& grams) {
    std::vector<double> all;
    for (std::size_t i = 0; i < grams.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) all.push_back(gram_distance(grams[i], grams[j]));
    }
    return all;
  }

  std::vector<Tap> taps_;
  std::vector<Tensor<float>> crops_;
  Tensor<float> few_;
  std::vector<Features> full_;
  std::vector<Variable<float>> full_slopes_;
};

}  // namespace examples
