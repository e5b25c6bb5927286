#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "distillation.hpp"

/// The slim network before its training: what least squares make of the full one.
namespace distill {

/// Which of the channels stand best for all, by their Gram matrix: in turn, the one whose
/// multiples explain most of what those before it have left of the others. How much that is counts
/// by `metric`, a quadratic form: what the next layer makes of them, say.
inline std::vector<Eigen::Index> select_channels(Eigen::MatrixXd gram,
                                                 const Eigen::MatrixXd& metric,
                                                 std::int64_t count) {
  std::vector<Eigen::Index> selected;
  const double tiny = 1e-9 * gram.trace() / static_cast<double>(gram.rows());
  Eigen::MatrixXd weighted = metric * gram;
  for (std::int64_t i = 0; i < count; ++i) {
    Eigen::VectorXd explained = (weighted.cwiseProduct(gram).colwise().sum().transpose().array() /
                                 gram.diagonal().array().max(tiny));
    for (const Eigen::Index taken : selected) explained[taken] = -1.0;
    Eigen::Index best = 0;
    explained.maxCoeff(&best);
    selected.push_back(best);
    const Eigen::VectorXd column = gram.col(best);
    const Eigen::VectorXd share = column / std::max(column[best], tiny);
    const Eigen::VectorXd weighted_column = weighted.col(best);
    gram -= column * share.transpose();
    weighted -= weighted_column * share.transpose();
  }
  return selected;
}

/// The matrices of least squares: what is known with itself, and with what is wanted.
struct NormalEquations {
  Eigen::MatrixXd known;
  Eigen::MatrixXd wanted;

  /// Adds known values (a, n) and wanted ones (b, n).
  void add(const Variable<float>& inputs, const Variable<float>& outputs) {
    accumulate(known, sfumato::ops::matmul(inputs, inputs, {.transpose_b = true}).value());
    accumulate(wanted, sfumato::ops::matmul(outputs, inputs, {.transpose_b = true}).value());
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
  static void accumulate(Eigen::MatrixXd& total, const Tensor<float>& products) {
    const Eigen::Index rows = products.shape()[0];
    const Eigen::Index columns = products.shape()[1];
    if (total.size() == 0) total = Eigen::MatrixXd::Zero(rows, columns);
    total += ConstRows(products.data(), rows, columns).cast<double>();
  }
};

/// Features (n, c, h, w) as a matrix (c, n h w).
inline Variable<float> channel_rows(const Variable<float>& x) {
  return sfumato::ops::reshape(sfumato::ops::transpose(x, 0, 1), {x.shape()[1], -1});
}

/// What a 3 × 3 convolution with padding sees, (9 c + 1, n h w): for each of its taps in turn the
/// input's channels there, and a one for the bias.
inline Variable<float> convolution_inputs(const Variable<float>& x) {
  using namespace sfumato;
  const std::int64_t h = x.shape()[2];
  const std::int64_t w = x.shape()[3];
  const auto padded = ops::pad(x, {1, 1, 1, 1});
  std::vector<Variable<float>> parts;
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto lines = ops::slice(padded, 2, {.start = i, .stop = i + h});
    for (std::int64_t j = 0; j < 3; ++j) {
      parts.push_back(ops::slice(lines, 3, {.start = j, .stop = j + w}));
    }
  }
  parts.emplace_back(Tensor<float>::ones({x.shape()[0], 1, h, w}));
  return channel_rows(ops::cat(parts, 1));
}

/// The teacher's filters for an input of which `decoder` makes the teacher's; a row for each, laid
/// out as convolution_inputs().
inline Eigen::MatrixXd folded_filters(const Tensor<float>& weight, const Tensor<float>& bias,
                                      const Eigen::MatrixXd& decoder) {
  const Eigen::Index channels = decoder.cols();
  Eigen::MatrixXd filters(weight.shape()[0], 9 * channels + 1);
  for (Eigen::Index o = 0; o < filters.rows(); ++o) {
    const ConstRows filter(weight.data() + o * decoder.rows() * 9, decoder.rows(), 9);
    const Eigen::MatrixXd folded = decoder.transpose() * filter.cast<double>();
    for (Eigen::Index tap = 0; tap < 9; ++tap) {
      filters.row(o).segment(tap * channels, channels) = folded.col(tap).transpose();
    }
    filters(o, 9 * channels) = static_cast<double>(bias.data()[o]);
  }
  return filters;
}

/// How much of a convolution's outputs a change of its inputs makes, as a quadratic form.
inline Eigen::MatrixXd sensitivity(const Tensor<float>& weight) {
  const Eigen::Index channels = weight.shape()[1];
  Eigen::MatrixXd total = Eigen::MatrixXd::Zero(channels, channels);
  for (std::int64_t o = 0; o < weight.shape()[0]; ++o) {
    const ConstRows filter(weight.data() + o * channels * 9, channels, 9);
    total += Eigen::MatrixXf(filter * filter.transpose()).cast<double>();
  }
  return total;
}

/// What the student's channels are to be of the teacher's, (narrow, wide): those which stand best
/// for all, as long as what they stand for. Of conv5_1, after which nothing is compared, they are
/// the principal directions, which keep distances.
inline Eigen::MatrixXd choose_channels(const std::string& layer, const NormalEquations& rectified,
                                       const NormalEquations& linear, const Eigen::MatrixXd& metric,
                                       std::int64_t narrow) {
  if (layer == "conv5_1") {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(linear.known);
    return solver.eigenvectors().rightCols(narrow).rowwise().reverse().transpose();
  }
  const auto selected = select_channels(rectified.known, metric, narrow);
  const Eigen::VectorXd lengths = linear.among(selected).solve().colwise().norm();
  Eigen::MatrixXd channels = Eigen::MatrixXd::Zero(narrow, linear.known.rows());
  for (Eigen::Index i = 0; i < narrow; ++i) {
    channels(i, selected[static_cast<std::size_t>(i)]) = lengths[i];
  }
  return channels;
}

/// A convolution's weight and bias from `filters`, laid out as convolution_inputs().
inline void assign_filters(const Eigen::MatrixXd& filters, Tensor<float> weight,
                           Tensor<float> bias) {
  const std::int64_t channels = weight.shape()[1];
  for (std::int64_t o = 0; o < weight.shape()[0]; ++o) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        weight.data()[(o * channels + c) * 9 + tap] =
            static_cast<float>(filters(o, tap * channels + c));
      }
    }
    bias.data()[o] = static_cast<float>(filters(o, 9 * channels));
  }
}

/// Makes the student of channels of the teacher, layer by layer from the input on: each convolution
/// takes over those channels that stand best for all, and makes them of what the student's layers
/// before it see by least squares over `batches` of images, which allows for what those layers get
/// wrong; where images tell little, filters stay the teacher's. No gradient is needed for this, and
/// it leaves less to training than random weights do.
inline void fit_student(Network& teacher, const std::vector<Tensor<float>>& batches,
                        Student& student) {
  using namespace sfumato;
  const std::vector<std::size_t> layers = convolution_layers(teacher);
  std::vector<Variable<float>> wide(batches.begin(), batches.end());  // what each network has made
  std::vector<Variable<float>> slim = wide;                           // of the images so far
  const auto parameters = student.network.named_parameters();
  const auto teacher_parameters = teacher.named_parameters();
  Eigen::MatrixXd decoder = Eigen::MatrixXd::Identity(3, 3);  // of slim into wide
  student.projections.clear();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const Tensor<float> wide_weight = teacher_parameters[2 * layer].second.value();
    const Tensor<float> wide_bias = teacher_parameters[2 * layer + 1].second.value();
    Variable<float> weight = parameters[2 * layer].second;
    Variable<float> bias = parameters[2 * layer + 1].second;

    NormalEquations rectified;
    NormalEquations linear;
    NormalEquations convolution;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      wide[i] = ops::conv2d(wide[i], Variable<float>(wide_weight), Variable<float>(wide_bias),
                            {.padding = 1});
      const auto outputs = channel_rows(wide[i]);
      const auto after = ops::relu(outputs);
      rectified.add(after, after);
      linear.add(outputs, outputs);
      convolution.add(convolution_inputs(slim[i]), outputs);
    }
    const bool last = layer + 1 == layers.size();
    const Eigen::MatrixXd metric =
        last ? Eigen::MatrixXd::Identity(wide_weight.shape()[0], wide_weight.shape()[0])
             : sensitivity(teacher_parameters[2 * layer + 2].second.value());
    const Eigen::MatrixXd channels = choose_channels(teacher.layer_names()[layers[layer]],
                                                     rectified, linear, metric, weight.shape()[0]);
    convolution.wanted = Eigen::MatrixXd(channels * convolution.wanted);
    const Eigen::MatrixXd filters =
        convolution.solve(1e-3, channels * folded_filters(wide_weight, wide_bias, decoder));
    assign_filters(filters, weight.mutable_value(), bias.mutable_value());

    NormalEquations projection;
    NormalEquations decoding;
    const bool pooled = !last && layers[layer + 1] != layers[layer] + 2;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      slim[i] = ops::conv2d(slim[i], weight, bias, {.padding = 1});
      projection.add(channel_rows(slim[i]), channel_rows(wide[i]));
      slim[i] = ops::relu(slim[i]);
      wide[i] = ops::relu(wide[i]);
      decoding.add(channel_rows(slim[i]), channel_rows(wide[i]));
      if (!pooled) continue;
      slim[i] = ops::max_pool2d(slim[i]);
      wide[i] = ops::max_pool2d(wide[i]);
    }
    decoder = decoding.solve();
    const Eigen::MatrixXd decoded = projection.solve();
    auto values = Tensor<float>::empty({decoded.rows(), decoded.cols()});
    Rows(values.data(), decoded.rows(), decoded.cols()) = decoded.cast<float>();
    student.projections.emplace_back(std::move(values), true);
  }
}

}  // namespace distill
