#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "distillation.hpp"

/// Distances between styles, and the scale of a network's channels, on which they depend.
namespace distill {

/// A length of 1 for every channel.
inline std::vector<Eigen::VectorXd> uniform_lengths(const Network& network) {
  std::vector<Eigen::VectorXd> lengths;
  for (const auto& [name, parameter] : network.named_parameters()) {
    if (parameter.rank() == 1) lengths.emplace_back(Eigen::VectorXd::Ones(parameter.numel()));
  }
  return lengths;
}

/// How long a projection's columns are: how much of the full features a slim channel stands for.
inline Eigen::VectorXd projection_lengths(const Variable<float>& projection) {
  const ConstRows matrix(projection.value().data(), projection.shape()[0], projection.shape()[1]);
  return matrix.cast<double>().colwise().norm();
}

/// The same, corrected for a style tap: lengths with which slim Gram distances between images are
/// the full network's, as far as scaling the channels allows. Gram matrices (n, c, c) of the same
/// images in both networks, at least four; found by Adam from `lengths`.
inline Eigen::VectorXd fit_lengths(const Eigen::VectorXd& lengths, const Tensor<float>& full,
                                   const Tensor<float>& slim, sfumato::Random& random) {
  using namespace sfumato;
  constexpr int kSteps = 400;
  constexpr std::int64_t kMostPairs = 64;  // compared in a step
  const std::int64_t count = slim.shape()[0];
  const std::int64_t pairs = std::min(kMostPairs, count / 2);
  const std::int64_t channels = slim.shape()[1];
  auto logarithms = Tensor<float>::empty({channels});
  for (std::int64_t i = 0; i < channels; ++i) {
    logarithms.data()[i] = static_cast<float>(std::log(lengths[i]));
  }
  Variable<float> logarithm(logarithms, true);
  const auto differences = [&](const Variable<float>& grams, std::int64_t a, std::int64_t b) {
    return ops::slice(grams, 0, {.start = a, .stop = a + pairs}) -
           ops::slice(grams, 0, {.start = b, .stop = b + pairs});
  };
  const auto norms = [](const Variable<float>& matrices) {
    return ops::sqrt(ops::sum(ops::square(matrices), {1, 2}) + 1e-12F);
  };
  const Variable<float> full_grams(full);
  const Variable<float> slim_grams(slim);
  optim::Adam<float> adam({logarithm}, {.learning_rate = 0.02});
  const optim::CosineDecay schedule{.initial = 0.02, .total = kSteps};
  for (int step = 0; step < kSteps; ++step) {
    adam.set_learning_rate(schedule(step));
    adam.zero_grad();
    // Some images, each with another one.
    const std::int64_t a = random.below(count - pairs);
    const std::int64_t b = a + 1 + random.below(count - pairs - a);
    const auto length = ops::exp(logarithm);
    const auto wanted = norms(differences(full_grams, a, b));
    const auto found =
        norms(differences(slim_grams, a, b) * (ops::reshape(length, {channels, 1}) * length));
    // As far as one factor for all makes up for.
    const auto factor = ops::sum(wanted * found) / ops::sum(ops::square(found));
    backward(losses::mse_loss(found * factor, wanted) / ops::mean(ops::square(wanted)));
    adam.step();
  }
  Eigen::VectorXd fitted(channels);
  for (std::int64_t i = 0; i < channels; ++i) {
    fitted[i] = std::exp(static_cast<double>(logarithm.value().data()[i]));
  }
  return fitted;
}

/// The lengths for balance(): of the projections at the taps of training, as fit_lengths() has
/// them where style is compared, and 1 elsewhere.
inline std::vector<Eigen::VectorXd> channel_lengths(Network& teacher, Student& student,
                                                    const std::vector<Tensor<float>>& images,
                                                    sfumato::Random& random) {
  using namespace sfumato;
  const std::vector<Tap> taps = training_taps(teacher);
  const auto grams = [&](Network& network) {
    std::vector<std::vector<Variable<float>>> all(taps.size());
    no_grad([&] {
      for (const Tensor<float>& image : images) {
        network.visit_features(Variable<float>(image), layers_of(taps),
                               [&](std::size_t i, const auto& y) {
                                 if (taps[i].style) all[i].push_back(losses::gram_matrix(y));
                               });
      }
    });
    return all;
  };
  const auto full = grams(teacher);
  const auto slim = grams(student.network);
  std::vector<Eigen::VectorXd> lengths = uniform_lengths(student.network);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    Eigen::VectorXd& length = lengths[taps[i].convolution];
    length = projection_lengths(student.projections[taps[i].convolution]);
    if (!taps[i].style) continue;
    length =
        fit_lengths(length, ops::cat(full[i], 0).value(), ops::cat(slim[i], 0).value(), random);
  }
  return lengths;
}

/// Scales channels of a network without changing what it computes, as ReLU networks allow: those of
/// each convolution by the given lengths and then all alike, so that the mean of its ReLU over
/// `batches` is 1. Returns what each channel was multiplied by.
inline std::vector<Eigen::VectorXd> balance(Network& network,
                                            const std::vector<Eigen::VectorXd>& lengths,
                                            const std::vector<Tensor<float>>& batches) {
  std::vector<std::size_t> layers = convolution_layers(network);
  for (std::size_t& layer : layers) ++layer;
  std::vector<double> means(layers.size(), 0.0);
  for (const Tensor<float>& batch : batches) {
    network.visit_features(Variable<float>(batch), layers, [&](std::size_t i, const auto& y) {
      const Tensor<float> channels = sfumato::ops::mean(y, {0, 2, 3}).value();
      const Eigen::Map<const Eigen::VectorXf> mean(channels.data(), channels.numel());
      means[i] +=
          mean.cast<double>().cwiseProduct(lengths[i]).mean() / static_cast<double>(batches.size());
    });
  }
  auto parameters = network.named_parameters();
  std::vector<Eigen::VectorXd> scales;
  Eigen::VectorXd before = Eigen::VectorXd::Ones(3);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Eigen::VectorXd scale = lengths[i] / means[i];
    float* weight = parameters[2 * i].second.mutable_value().data();
    float* bias = parameters[2 * i + 1].second.mutable_value().data();
    for (Eigen::Index o = 0; o < scale.size(); ++o) {
      bias[o] *= static_cast<float>(scale[o]);
      for (Eigen::Index c = 0; c < before.size(); ++c) {
        for (int tap = 0; tap < 9; ++tap) *weight++ *= static_cast<float>(scale[o] / before[c]);
      }
    }
    before = scale;
    scales.push_back(scale);
  }
  return scales;
}

/// The same for a student, the projections going along.
inline void balance(Student& student, const std::vector<Eigen::VectorXd>& lengths,
                    const std::vector<Tensor<float>>& batches) {
  const auto scales = sfumato::no_grad([&] { return balance(student.network, lengths, batches); });
  for (std::size_t i = 0; i < scales.size(); ++i) {
    auto values = student.projections[i].mutable_value();
    Rows projection(values.data(), values.shape()[0], values.shape()[1]);
    projection *= scales[i].cwiseInverse().cast<float>().asDiagonal();
  }
}

/// How different two styles are at a tap: √ of the style loss, so that it is a distance.
inline double gram_distance(const Tensor<float>& a, const Tensor<float>& b) {
  const auto loss = sfumato::losses::mse_loss(Variable<float>(a), Variable<float>(b));
  return std::sqrt(static_cast<double>(loss.item()));
}

/// The correlation coefficient of Pearson.
inline double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const Eigen::Map<const Eigen::VectorXd> x(a.data(), static_cast<Eigen::Index>(a.size()));
  const Eigen::Map<const Eigen::VectorXd> y(b.data(), static_cast<Eigen::Index>(b.size()));
  const Eigen::VectorXd dx = x.array() - x.mean();
  const Eigen::VectorXd dy = y.array() - y.mean();
  return dx.dot(dy) / std::sqrt(std::max(dx.squaredNorm() * dy.squaredNorm(), 1e-300));
}

}  // namespace distill
