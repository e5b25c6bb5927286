#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/sfumato.hpp"

/// How a slim VGG-19 learns to see like the full one. Each of its convolutions has a projection, a
/// matrix (wide, narrow) that is used in training only: it turns the slim network's features into
/// the full network's, decoded = projection · slim.
namespace examples {

using sfumato::Tensor;
using sfumato::Variable;
using Network = sfumato::nn::Vgg<float>;

/// A tensor's matrix as Eigen sees it.
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Rows = Eigen::Map<Matrix>;
using ConstRows = Eigen::Map<const Matrix>;

/// What the full network makes of a batch: the outputs of its convolutions, up to some layer.
using Features = std::vector<Variable<float>>;

/// The layer indices of the 16 convolutions.
inline std::vector<std::size_t> convolution_layers(const Network& network) {
  std::vector<std::size_t> layers;
  for (std::size_t i = 0; i < network.layer_names().size(); ++i) {
    if (network.layer_names()[i].starts_with("conv")) layers.push_back(i);
  }
  return layers;
}

/// Where style is compared: the first convolution of each block.
inline bool is_style_tap(const std::string& layer) {
  return layer.ends_with("_1");
}

/// How much a convolution's features count in joint training: the taps of style transfer most.
inline float tap_weight(const std::string& layer) {
  return is_style_tap(layer) || layer == "conv4_2" || layer == "conv4_4" ? 1.0F : 0.3F;
}

/// The slim network, and what it has in training only.
struct Student {
  Student(const sfumato::nn::VggOptions& options, sfumato::Random&& random)
      : network(options, random) {}

  Network network;
  std::vector<Variable<float>> projections;  ///< of each convolution, (wide, narrow)
};

/// Which of the channels stand best for all, by their Gram matrix: in turn, the one whose
/// multiples explain most of what those before it have left of the others.
inline std::vector<Eigen::Index> select_channels(Eigen::MatrixXd gram, std::int64_t count) {
  std::vector<Eigen::Index> selected;
  const double tiny = 1e-9 * gram.trace() / static_cast<double>(gram.rows());
  for (std::int64_t i = 0; i < count; ++i) {
    Eigen::VectorXd explained =
        gram.colwise().squaredNorm().transpose().cwiseQuotient(gram.diagonal().cwiseMax(tiny));
    for (const Eigen::Index taken : selected) explained[taken] = -1.0;
    Eigen::Index best = 0;
    explained.maxCoeff(&best);
    selected.push_back(best);
    const Eigen::VectorXd column = gram.col(best);
    gram -= column * column.transpose() / std::max(column[best], tiny);
  }
  return selected;
}

/// The matrices of least squares: what is known with itself, and with what is wanted.
struct NormalEquations {
  Eigen::MatrixXd known;
  Eigen::MatrixXd wanted;

  /// Adds `rows` of known values (a, n) and of wanted ones (b, n), for each image of a batch.
  void add(const Variable<float>& inputs, const Variable<float>& outputs) {
    accumulate(known, sfumato::ops::matmul(inputs, inputs, {.transpose_b = true}));
    accumulate(wanted, sfumato::ops::matmul(outputs, inputs, {.transpose_b = true}));
  }
  /// The matrix (b, a) that makes wanted values of known ones; as `prior` has it where the known
  /// values tell little.
  Eigen::MatrixXd solve(double ridge, const Eigen::MatrixXd& prior) const {
    Eigen::MatrixXd regular = known;
    regular.diagonal().array() += ridge * known.trace() / static_cast<double>(known.rows());
    const Eigen::MatrixXd missing = wanted - prior * known;
    return prior + Eigen::MatrixXd(regular.ldlt().solve(missing.transpose()).transpose());
  }
  Eigen::MatrixXd solve() const {
    return solve(1e-4, Eigen::MatrixXd::Zero(wanted.rows(), wanted.cols()));
  }
  /// The same with only some of the known values, which are also what is wanted.
  NormalEquations among(const std::vector<Eigen::Index>& selected) const {
    return {known(selected, selected), wanted(Eigen::all, selected)};
  }

 private:
  static void accumulate(Eigen::MatrixXd& total, const Variable<float>& products) {
    const Tensor<float> sum = sfumato::ops::sum(products, {0}).value();
    const Eigen::MatrixXd added =
        ConstRows(sum.data(), sum.shape()[0], sum.shape()[1]).cast<double>();
    total = total.size() == 0 ? added : Eigen::MatrixXd(total + added);
  }
};

/// What a 3 × 3 convolution with padding sees, (n, 9 c + 1, h w): for each of its taps in turn the
/// input's channels there, and a one for the bias.
inline Variable<float> convolution_inputs(const Variable<float>& x) {
  using namespace sfumato;
  const std::int64_t h = x.shape()[2];
  const std::int64_t w = x.shape()[3];
  const auto padded = ops::pad2d(x, 1, 1);
  std::vector<Variable<float>> parts;
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto lines = ops::slice(padded, 2, {.start = i, .stop = i + h});
    for (std::int64_t j = 0; j < 3; ++j) {
      parts.push_back(ops::slice(lines, 3, {.start = j, .stop = j + w}));
    }
  }
  parts.emplace_back(Tensor<float>::ones({x.shape()[0], 1, h, w}));
  return ops::reshape(ops::concat(parts, 1), {x.shape()[0], 9 * x.shape()[1] + 1, h * w});
}

/// The teacher's filters of the selected channels, for an input of which `decoder` makes the
/// teacher's; a row for each, laid out as convolution_inputs().
inline Eigen::MatrixXd folded_filters(const Tensor<float>& weight, const Tensor<float>& bias,
                                      const std::vector<Eigen::Index>& selected,
                                      const Eigen::MatrixXd& decoder) {
  const Eigen::Index channels = decoder.cols();
  Eigen::MatrixXd filters(static_cast<Eigen::Index>(selected.size()), 9 * channels + 1);
  for (Eigen::Index o = 0; o < filters.rows(); ++o) {
    const Eigen::Index from = selected[static_cast<std::size_t>(o)];
    const ConstRows filter(weight.data() + from * decoder.rows() * 9, decoder.rows(), 9);
    const Eigen::MatrixXd folded = decoder.transpose() * filter.cast<double>();
    for (Eigen::Index tap = 0; tap < 9; ++tap) {
      filters.row(o).segment(tap * channels, channels) = folded.col(tap).transpose();
    }
    filters(o, 9 * channels) = static_cast<double>(bias.data()[from]);
  }
  return filters;
}

/// Makes the student of channels of the teacher, layer by layer from the input on: each convolution
/// takes over those channels that stand best for all, and makes them of what the student's layers
/// before it see by least squares over `batches` of images, which allows for what those layers get
/// wrong; where images tell little, filters stay the teacher's. No gradient is needed for this, and
/// it leaves less to training than random weights do.
inline void fit_student(Network& teacher, const std::vector<Tensor<float>>& batches,
                        Student& student) {
  using namespace sfumato;
  const auto flat = [](const Variable<float>& x) {
    return ops::reshape(x, {x.shape()[0], x.shape()[1], -1});
  };
  const std::vector<std::size_t> layers = convolution_layers(teacher);
  std::vector<Features> full;
  std::vector<Variable<float>> inputs;  // of the student's next convolution
  for (const Tensor<float>& batch : batches) {
    full.push_back(teacher.taps(Variable<float>(batch), layers));
    inputs.emplace_back(batch);
  }
  const auto parameters = student.network.named_parameters();
  const auto teacher_parameters = teacher.named_parameters();
  Eigen::MatrixXd decoder = Eigen::MatrixXd::Identity(3, 3);  // of the convolution's input
  student.projections.clear();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    Variable<float> weight = parameters[2 * layer].second;
    Variable<float> bias = parameters[2 * layer + 1].second;
    const std::int64_t narrow = weight.shape()[0];
    const std::int64_t channels = weight.shape()[1];

    NormalEquations rectified;
    NormalEquations linear;
    NormalEquations convolution;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const auto outputs = flat(full[i][layer]);
      const auto after = ops::relu(outputs);
      rectified.add(after, after);
      linear.add(outputs, outputs);
      convolution.add(convolution_inputs(inputs[i]), outputs);
    }
    const auto selected = select_channels(rectified.known, narrow);
    Eigen::MatrixXd projection = linear.among(selected).solve();
    // Channels that stand for much of the teacher's are large.
    const Eigen::VectorXd scale = projection.colwise().norm();
    projection = projection * scale.cwiseInverse().asDiagonal();
    convolution.wanted =
        scale.asDiagonal() * Eigen::MatrixXd(convolution.wanted(selected, Eigen::all));
    const Eigen::MatrixXd filters = convolution.solve(
        1e-3, scale.asDiagonal() * folded_filters(teacher_parameters[2 * layer].second.value(),
                                                  teacher_parameters[2 * layer + 1].second.value(),
                                                  selected, decoder));
    decoder = rectified.among(selected).solve() * scale.cwiseInverse().asDiagonal();

    for (std::int64_t o = 0; o < narrow; ++o) {
      for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t tap = 0; tap < 9; ++tap) {
          weight.mutable_value().data()[(o * channels + c) * 9 + tap] =
              static_cast<float>(filters(o, tap * channels + c));
        }
      }
      bias.mutable_value().data()[o] = static_cast<float>(filters(o, 9 * channels));
    }
    auto values = Tensor<float>::empty({projection.rows(), projection.cols()});
    Rows(values.data(), projection.rows(), projection.cols()) = projection.cast<float>();
    student.projections.emplace_back(std::move(values), true);

    const bool pooled = layer + 1 < layers.size() && layers[layer + 1] != layers[layer] + 2;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      inputs[i] = ops::relu(ops::conv2d(inputs[i], weight, bias, {.padding = 1})).detach();
      if (pooled) inputs[i] = ops::max_pool2d(inputs[i]);
      full[i][layer] = {};
    }
  }
}

/// How far a convolution of the student is from the teacher's.
struct TapLoss {
  Variable<float> features;    ///< |full - decoded|² / |full|²
  Variable<float> gram;        ///< the same of the Gram matrices; undefined unless asked for
  Variable<float> similarity;  ///< how far the projection is from turning and scaling alone
};

/// Compares features (n, wide, h, w) with slim ones (n, narrow, h, w).
inline TapLoss tap_loss(const Variable<float>& full, const Variable<float>& slim,
                        const Variable<float>& projection, bool with_gram) {
  using namespace sfumato;
  const auto flat = [](const Variable<float>& x) {
    return ops::reshape(x, {x.shape()[0], x.shape()[1], -1});
  };
  const auto relative = [](const Variable<float>& a, const Variable<float>& b) {
    const float size = ops::mean(ops::square(b)).item();
    return losses::mean_squared_error(a, b) / std::max(size, 1e-12F);
  };
  TapLoss loss;
  loss.features = relative(ops::matmul(projection, flat(slim)), flat(full));
  if (with_gram) {
    // Both sums over channels, so that the projection of one can be the other.
    const auto gram = [](const Variable<float>& x) {
      return losses::gram_matrix(x) * static_cast<float>(x.shape()[1]);
    };
    const auto decoded =
        ops::matmul(ops::matmul(projection, gram(slim)), projection, {.transpose_b = true});
    loss.gram = relative(decoded, gram(full));
  }
  // Where projectionᵀ projection is a multiple of 1, slim distances are the full ones to scale.
  const std::int64_t narrow = projection.shape()[1];
  const auto product = ops::matmul(projection, projection, {.transpose_a = true});
  const auto mean_square = ops::sum(ops::square(projection)) / static_cast<float>(narrow);
  auto one = Tensor<float>::zeros({narrow, narrow});
  for (std::int64_t i = 0; i < narrow; ++i) one.set({i, i}, 1.0F);
  loss.similarity = ops::sum(ops::square(product / mean_square - Variable<float>(one))) /
                    static_cast<float>(narrow);
  return loss;
}

inline constexpr float kGramWeight = 2.0F;

/// What is minimised. A little pulls each projection towards keeping distances, without which slim
/// style losses would be of another metric.
inline Variable<float> total_loss(const TapLoss& loss, float tap_weight) {
  constexpr float kSimilarity = 0.02F;
  const auto total = loss.features * tap_weight + loss.similarity * kSimilarity;
  return loss.gram.defined() ? total + loss.gram * kGramWeight : total;
}

/// How long each projection's columns are: how much of the full features a slim channel stands for.
inline std::vector<Eigen::VectorXd> projection_lengths(const Student& student) {
  std::vector<Eigen::VectorXd> lengths;
  for (const auto& projection : student.projections) {
    const ConstRows matrix(projection.value().data(), projection.shape()[0], projection.shape()[1]);
    lengths.emplace_back(matrix.cast<double>().colwise().norm());
  }
  return lengths;
}

/// The same, corrected for a style tap: lengths with which slim Gram distances between images are
/// the full network's, as far as scaling the channels allows. Gram matrices (n, c, c) of the same
/// images in both networks; found by Adam from `lengths`.
inline Eigen::VectorXd fit_lengths(const Eigen::VectorXd& lengths, const Tensor<float>& full,
                                   const Tensor<float>& slim, sfumato::Random& random) {
  using namespace sfumato;
  constexpr int kSteps = 200;
  const std::int64_t count = slim.shape()[0];
  const std::int64_t channels = slim.shape()[1];
  auto logarithms = Tensor<float>::empty({channels});
  for (std::int64_t i = 0; i < channels; ++i) {
    logarithms.data()[i] = static_cast<float>(std::log(lengths[i]));
  }
  Variable<float> logarithm(logarithms, true);
  const auto rolled = [](const Variable<float>& x, std::int64_t by) {
    return ops::concat({ops::slice(x, 0, {.start = by}), ops::slice(x, 0, {.stop = by})}, 0);
  };
  const auto distances = [&](const Variable<float>& grams, std::int64_t by) {
    const auto squares = ops::square(grams - rolled(grams, by));
    return ops::sqrt(ops::sum(squares, {1, 2}) + 1e-12F);
  };
  const Variable<float> full_grams(full);
  const Variable<float> slim_grams(slim);
  optim::Adam<float> adam({logarithm}, {.learning_rate = 0.02});
  const optim::CosineDecay schedule{.initial = 0.02, .total = kSteps};
  for (int step = 0; step < kSteps; ++step) {
    adam.set_learning_rate(schedule(step));
    adam.zero_grad();
    // Each image with another one, at a distance in the batch that differs from step to step.
    const std::int64_t by = 1 + random.below(count - 1);
    const auto length = ops::exp(logarithm);
    const auto scaled = slim_grams * ops::reshape(length, {channels, 1}) * length;
    const auto wanted = distances(full_grams, by);
    const auto found = distances(scaled, by);
    // As far as one factor for all makes up for.
    const auto factor = ops::sum(wanted * found) / ops::sum(ops::square(found));
    backward(losses::mean_squared_error(found * factor, wanted) / ops::mean(ops::square(wanted)));
    adam.step();
  }
  Eigen::VectorXd fitted(channels);
  for (std::int64_t i = 0; i < channels; ++i) {
    fitted[i] = std::exp(static_cast<double>(logarithm.value().data()[i]));
  }
  return fitted;
}

/// The lengths for balance(): of the projections, and of the style taps as fit_lengths() has them.
inline std::vector<Eigen::VectorXd> channel_lengths(Network& teacher, Student& student,
                                                    const std::vector<Tensor<float>>& images,
                                                    sfumato::Random& random) {
  using namespace sfumato;
  const std::vector<std::size_t> layers = convolution_layers(teacher);
  const auto grams = [&](Network& network) {
    std::vector<std::vector<Variable<float>>> all(layers.size());
    no_grad([&] {
      for (const Tensor<float>& image : images) {
        network.visit_taps(Variable<float>(image), layers, [&](std::size_t i, const auto& y) {
          if (is_style_tap(network.layer_names()[layers[i]])) {
            all[i].push_back(losses::gram_matrix(y));
          }
        });
      }
    });
    return all;
  };
  const auto full = grams(teacher);
  const auto slim = grams(student.network);
  std::vector<Eigen::VectorXd> lengths = projection_lengths(student);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (full[i].empty()) continue;
    lengths[i] = fit_lengths(lengths[i], ops::concat(full[i], 0).value(),
                             ops::concat(slim[i], 0).value(), random);
  }
  return lengths;
}

/// A length of 1 for every channel.
inline std::vector<Eigen::VectorXd> uniform_lengths(const Network& network) {
  std::vector<Eigen::VectorXd> lengths;
  for (const auto& [name, parameter] : network.named_parameters()) {
    if (parameter.rank() == 1) lengths.emplace_back(Eigen::VectorXd::Ones(parameter.elements()));
  }
  return lengths;
}

/// Scales channels of a network without changing what it computes, as ReLU networks allow: those of
/// each convolution by the given lengths and then all alike, so that the mean of its ReLU over
/// `batches` is 1.
inline void balance(Network& network, const std::vector<Eigen::VectorXd>& lengths,
                    const std::vector<Tensor<float>>& batches) {
  std::vector<std::size_t> layers = convolution_layers(network);
  for (std::size_t& layer : layers) ++layer;
  std::vector<double> means(layers.size(), 0.0);
  for (const Tensor<float>& batch : batches) {
    network.visit_taps(Variable<float>(batch), layers, [&](std::size_t i, const auto& y) {
      const Tensor<float> channels = sfumato::ops::mean(y, {0, 2, 3}).value();
      const Eigen::Map<const Eigen::VectorXf> mean(channels.data(), channels.elements());
      means[i] +=
          mean.cast<double>().cwiseProduct(lengths[i]).mean() / static_cast<double>(batches.size());
    });
  }
  auto parameters = network.named_parameters();
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
  }
}

/// How different two styles are at a tap: √ of the style loss, so that it is a distance.
inline double gram_distance(const Tensor<float>& a, const Tensor<float>& b) {
  const auto loss = sfumato::losses::mean_squared_error(Variable<float>(a), Variable<float>(b));
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

}  // namespace examples
