#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "distillation.hpp"

/// The slim network before its training: what least squares make of the full one.
namespace examples {

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

}  // namespace examples
