#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "channel_scales.hpp"
#include "distillation.hpp"
#include "sfumato/sfumato.hpp"

namespace distill {

/// How far the student is from the teacher on crops of pictures that it is not trained with.
class Validation {
 public:
  struct Result {
    double features = 0.0;             ///< |full - decoded|² / |full|², mean over the taps
    double gram = 0.0;                 ///< the same of Gram matrices, mean over the style taps
    std::vector<double> correlations;  ///< of style distances between crops, per style tap
  };

  /// Crops (1, 3, h, w).
  Validation(Network& teacher, std::vector<Tensor<float>> crops)
      : taps_(training_taps(teacher)), crops_(std::move(crops)) {
    sfumato::no_grad([&] {
      for (const Tensor<float>& crop : crops_) {
        full_.push_back(teacher.features(Variable<float>(crop), layers_of(taps_)));
      }
    });
  }

  Result operator()(Student& student) const {
    Result result;
    sfumato::no_grad([&] { compare_features(student, result); });
    return result;
  }

 private:
  void compare_features(Student& student, Result& result) const {
    const auto count = static_cast<double>(crops_.size());
    std::vector<std::vector<Tensor<float>>> full_grams(taps_.size());
    std::vector<std::vector<Tensor<float>>> slim_grams(taps_.size());
    for (std::size_t k = 0; k < crops_.size(); ++k) {
      const auto slim = student.network.features(Variable<float>(crops_[k]), layers_of(taps_));
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
  std::vector<Features> full_;
};

}  // namespace distill
