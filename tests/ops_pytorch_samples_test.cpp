// Every operation against PyTorch, on the sample inputs that PyTorch tests its own operators with:
// values, first and second derivatives, also through checkpoint(). pytorch_samples/make.py makes
// the files and tells what is in them.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/device.hpp"

namespace sfumato::tested::ops_pytorch_samples {

namespace {

using Var = Variable<double>;
using Vars = std::vector<Var>;

/// One line of cases.txt.
struct Case {
  std::string line;
  std::string operation;
  std::vector<double> numbers;
  std::size_t constants = 0;
  std::vector<Shape> inputs;
  Shape result;
  std::string second;  ///< "1": given, "0": all zero, "-": not known
  std::string pytorch_name;

  int integer(std::size_t i) const { return static_cast<int>(numbers[i]); }
  ops::Axes axes(std::size_t first) const {
    ops::Axes axes;
    for (std::size_t i = first; i < numbers.size(); ++i) axes.push_back(integer(i));
    return axes;
  }
  ops::Size2d size(std::size_t first) const { return {integer(first), integer(first + 1)}; }
};

Shape shape_from(const std::string& text) {
  Shape shape;
  if (text == "scalar") return shape;
  std::istringstream extents(text);
  for (std::string extent; std::getline(extents, extent, 'x');) shape.push_back(std::stoll(extent));
  return shape;
}

Case case_from(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    if (word == ";") {
      fields.emplace_back();
    } else {
      if (fields.empty()) fields.emplace_back();
      fields.back() += (fields.back().empty() ? "" : " ") + word;
    }
  }
  Case c;
  c.line = line;
  std::istringstream call(fields.at(0));
  call >> c.operation;
  for (std::string number; call >> number;) c.numbers.push_back(std::stod(number));
  c.constants = std::stoul(fields.at(1));
  std::istringstream shapes(fields.at(2));
  for (std::string shape; shapes >> shape;) c.inputs.push_back(shape_from(shape));
  c.result = shape_from(fields.at(3));
  c.second = fields.at(4);
  c.pytorch_name = fields.at(5);
  return c;
}

Var scalar(double value) {
  return Var(Tensor<double>::scalar(value));
}

/// a · b, where vectors are rows on the left and columns on the right.
Var product(const Var& a, const Var& b, const Shape& result) {
  const Var left = a.rank() == 1 ? ops::reshape(a, {1, -1}) : a;
  const Var right = b.rank() == 1 ? ops::reshape(b, {-1, 1}) : b;
  return ops::reshape(ops::matmul(left, right), result);
}

Var slices(Var x, const Case& c) {
  const auto bound = [](double value) {
    return std::isnan(value) ? std::optional<std::int64_t>() : static_cast<std::int64_t>(value);
  };
  for (std::size_t i = 0; i < c.numbers.size(); i += 4) {
    x = ops::slice(x, c.integer(i),
                   {.start = bound(c.numbers[i + 1]),
                    .stop = bound(c.numbers[i + 2]),
                    .step = c.integer(i + 3)});
  }
  return ops::reshape(x, c.result);
}

Var padded(const Var& x, const Case& c) {
  const ops::PaddingMode modes[] = {ops::PaddingMode::kZeros, ops::PaddingMode::kReplicate,
                                    ops::PaddingMode::kReflect, ops::PaddingMode::kCircular};
  std::vector<std::int64_t> amounts;
  for (std::size_t i = 2; i < c.numbers.size(); ++i) amounts.push_back(c.integer(i));
  if (c.numbers[1] != 0.0) return ops::pad(x, amounts, c.numbers[1]);
  return ops::pad(x, amounts, modes[c.integer(0)]);
}

/// (…, w) as (…, 1, w) where an operation of PyTorch's is one-dimensional; else as it is.
Var as_image(const Var& x, const Case& c) {
  return c.pytorch_name.ends_with("1d") ? ops::unsqueeze(x, -2) : x;
}

Var convolution(const Vars& in, const Case& c) {
  const ops::Conv2dOptions options{
      .stride = c.size(0), .padding = c.size(2), .dilation = c.size(4), .groups = c.integer(6)};
  const Var bias = in.size() > 2 ? in[2] : Var();
  const Var y =
      c.operation.starts_with("conv_transpose")
          ? ops::conv_transpose2d(as_image(in[0], c), as_image(in[1], c), bias, options, c.size(7))
          : ops::conv2d(as_image(in[0], c), as_image(in[1], c), bias, options);
  return ops::reshape(y, c.result);
}

Var max_pool(const Vars& in, const Case& c) {
  return ops::reshape(ops::max_pool2d(as_image(in[0], c), {.kernel = c.size(0),
                                                           .stride = c.size(2),
                                                           .padding = c.size(4),
                                                           .dilation = c.size(6),
                                                           .ceil_mode = c.numbers[8] != 0.0}),
                      c.result);
}

Var avg_pool(const Vars& in, const Case& c) {
  return ops::reshape(ops::avg_pool2d(as_image(in[0], c), {.kernel = c.size(0),
                                                           .stride = c.size(2),
                                                           .padding = c.size(4),
                                                           .ceil_mode = c.numbers[6] != 0.0,
                                                           .count_include_pad = c.numbers[7] != 0.0,
                                                           .divisor_override = c.integer(8)}),
                      c.result);
}

Var interpolated(const Vars& in, const Case& c) {
  const ops::Interpolation modes[] = {ops::Interpolation::kNearest, ops::Interpolation::kBilinear,
                                      ops::Interpolation::kBicubic};
  return ops::interpolate(in[0], {.size = c.size(1),
                                  .scale_factor = c.numbers[3],
                                  .mode = modes[c.integer(0)],
                                  .align_corners = c.numbers[4] != 0.0,
                                  .antialias = c.numbers[5] != 0.0});
}

Tensor<std::int64_t> indices(const Var& x) {
  return x.value().cast<std::int64_t>();
}

Var cross_entropy(const Vars& in, const Case& c) {
  losses::CrossEntropyOptions options{.ignore_index = c.integer(0),
                                      .label_smoothing = c.numbers[1]};
  options.class_weights.assign(c.numbers.begin() + 2, c.numbers.end());
  return losses::cross_entropy(in[0], indices(in[1]), options);
}

/// Weight and bias of a normalization, of which the case says whether they are there.
Var factor(const Vars& in, const Case& c, std::size_t flag, std::size_t first) {
  if (c.numbers[flag] == 0.0) return {};
  return in[first];
}

Var normalized(const Vars& in, const Case& c) {
  const double epsilon = c.numbers[1];
  const Var weight = factor(in, c, 2, 1);
  const Var bias = factor(in, c, 3, weight.defined() ? 2 : 1);
  if (c.operation == "group_norm") {
    return ops::group_norm(in[0], c.integer(0), weight, bias, epsilon);
  }
  Shape shape;
  for (int i = -c.integer(0); i < 0; ++i) shape.push_back(in[0].size(i));
  return ops::layer_norm(in[0], shape, weight, bias, epsilon);
}

Var rolled(Var x, const Case& c) {
  for (std::size_t i = 0; i < c.numbers.size(); i += 2) {
    x = ops::roll(x, c.integer(i), c.integer(i + 1));
  }
  return x;
}

/// PyTorch takes vectors, too.
Var solved(const Vars& in, const Case& c) {
  if (in[1].rank() == in[0].rank()) return ops::solve(in[0], in[1]);
  return ops::reshape(ops::solve(in[0], ops::unsqueeze(in[1], -1)), c.result);
}

Var repeated(const Var& x, const Case& c) {
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i < c.numbers.size(); ++i) counts.push_back(c.integer(i));
  return ops::repeat(x, counts);
}

Var chosen(const Vars& in) {
  return ops::where(in[2].value().cast<std::uint8_t>(), in[0], in[1]);
}

using Call = std::function<Var(const Vars&, const Case&)>;

/// What make.py's names stand for.
const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> all{
      {"neg", [](auto& in, auto&) { return -in[0]; }},
      {"exp", [](auto& in, auto&) { return ops::exp(in[0]); }},
      {"exp2", [](auto& in, auto&) { return ops::pow(scalar(2.0), in[0]); }},
      {"log", [](auto& in, auto&) { return ops::log(in[0]); }},
      {"sqrt", [](auto& in, auto&) { return ops::sqrt(in[0]); }},
      {"rsqrt", [](auto& in, auto&) { return ops::rsqrt(in[0]); }},
      {"square", [](auto& in, auto&) { return ops::square(in[0]); }},
      {"abs", [](auto& in, auto&) { return ops::abs(in[0]); }},
      {"sign", [](auto& in, auto&) { return ops::sign(in[0]); }},
      {"tanh", [](auto& in, auto&) { return ops::tanh(in[0]); }},
      {"sigmoid", [](auto& in, auto&) { return ops::sigmoid(in[0]); }},
      {"gelu", [](auto& in, auto& c) { return ops::gelu(in[0], c.numbers[0] != 0.0); }},
      {"relu", [](auto& in, auto&) { return ops::relu(in[0]); }},
      {"silu", [](auto& in, auto&) { return ops::silu(in[0]); }},
      {"softsign", [](auto& in, auto&) { return in[0] / (ops::abs(in[0]) + 1.0); }},
      {"tanhshrink", [](auto& in, auto&) { return in[0] - ops::tanh(in[0]); }},
      {"leaky_relu", [](auto& in, auto& c) { return ops::leaky_relu(in[0], c.numbers[0]); }},
      {"clamp", [](auto& in, auto& c) { return ops::clamp(in[0], c.numbers[0], c.numbers[1]); }},
      {"plus", [](auto& in, auto& c) { return in[0] + c.numbers[0]; }},
      {"minus", [](auto& in, auto& c) { return in[0] - c.numbers[0]; }},
      {"reversed_minus", [](auto& in, auto& c) { return c.numbers[0] - in[0]; }},
      {"times", [](auto& in, auto& c) { return in[0] * c.numbers[0]; }},
      {"divided", [](auto& in, auto& c) { return in[0] / c.numbers[0]; }},
      {"over", [](auto& in, auto& c) { return c.numbers[0] / in[0]; }},
      {"power", [](auto& in, auto& c) { return ops::pow(in[0], c.numbers[0]); }},
      {"add", [](auto& in, auto& c) { return in[0] + in[1] * c.numbers[0]; }},
      {"sub", [](auto& in, auto& c) { return in[0] - in[1] * c.numbers[0]; }},
      {"rsub", [](auto& in, auto& c) { return in[1] - in[0] * c.numbers[0]; }},
      {"mul", [](auto& in, auto&) { return in[0] * in[1]; }},
      {"div", [](auto& in, auto&) { return in[0] / in[1]; }},
      {"rdiv", [](auto& in, auto&) { return in[1] / in[0]; }},
      {"pow", [](auto& in, auto&) { return ops::pow(in[0], in[1]); }},
      {"maximum", [](auto& in, auto&) { return ops::maximum(in[0], in[1]); }},
      {"minimum", [](auto& in, auto&) { return ops::minimum(in[0], in[1]); }},
      {"where", [](auto& in, auto&) { return chosen(in); }},
      {"sum", [](auto& in, auto& c) { return ops::sum(in[0], c.axes(1), c.numbers[0] != 0.0); }},
      {"mean", [](auto& in, auto& c) { return ops::mean(in[0], c.axes(1), c.numbers[0] != 0.0); }},
      {"max", [](auto& in, auto& c) { return ops::max(in[0], c.axes(1), c.numbers[0] != 0.0); }},
      {"min", [](auto& in, auto& c) { return ops::min(in[0], c.axes(1), c.numbers[0] != 0.0); }},
      {"var",
       [](auto& in, auto& c) {
         return ops::var(in[0], c.axes(2), c.numbers[0] != 0.0, c.integer(1));
       }},
      {"std",
       [](auto& in, auto& c) {
         return ops::std(in[0], c.axes(2), c.numbers[0] != 0.0, c.integer(1));
       }},
      {"softmax", [](auto& in, auto& c) { return ops::softmax(in[0], c.integer(0)); }},
      {"softmin", [](auto& in, auto& c) { return ops::softmax(-in[0], c.integer(0)); }},
      {"log_softmax", [](auto& in, auto& c) { return ops::log_softmax(in[0], c.integer(0)); }},
      {"permute", [](auto& in, auto& c) { return ops::permute(in[0], c.axes(0)); }},
      {"transpose",
       [](auto& in, auto& c) { return ops::transpose(in[0], c.integer(0), c.integer(1)); }},
      {"reshape", [](auto& in, auto& c) { return ops::reshape(in[0], c.result); }},
      {"broadcast_to", [](auto& in, auto& c) { return ops::broadcast_to(in[0], c.result); }},
      {"sum_to", [](auto& in, auto& c) { return ops::sum_to(in[0], c.result); }},
      {"slice", [](auto& in, auto& c) { return slices(in[0], c); }},
      {"cat", [](auto& in, auto& c) { return ops::cat(in, c.integer(0)); }},
      {"stack", [](auto& in, auto& c) { return ops::stack(in, c.integer(0)); }},
      {"diff",
       [](auto& in, auto& c) {
         Var x = in[0];
         for (std::size_t i = 0; i < c.numbers.size(); ++i) x = ops::diff(x, c.integer(i));
         return x;
       }},
      {"pad", [](auto& in, auto& c) { return padded(in[0], c); }},
      {"matmul", [](auto& in, auto& c) { return product(in[0], in[1], c.result); }},
      {"product",
       [](auto& in, auto&) {
         Var x = in[0];
         for (std::size_t i = 1; i < in.size(); ++i) x = ops::matmul(x, in[i]);
         return x;
       }},
      {"outer", [](auto& in, auto&) { return ops::outer(in[0], in[1]); }},
      {"addmm",
       [](auto& in, auto& c) {
         return in[0] * c.numbers[0] + ops::matmul(in[1], in[2]) * c.numbers[1];
       }},
      {"linear",
       [](auto& in, auto& c) {
         const Var x = in[0].rank() == 1 ? ops::reshape(in[0], {1, -1}) : in[0];
         const Var weight = in[1].rank() == 1 ? ops::reshape(in[1], {1, -1}) : in[1];
         const Var y = ops::reshape(ops::matmul(x, weight, {.transpose_b = true}), c.result);
         return in.size() > 2 ? y + in[2] : y;
       }},
      {"conv2d", convolution},
      {"conv1d", convolution},
      {"conv_transpose2d", convolution},
      {"conv_transpose1d", convolution},
      {"max_pool", max_pool},
      {"avg_pool", avg_pool},
      {"adaptive_avg_pool",
       [](auto& in, auto& c) {
         return ops::reshape(ops::adaptive_avg_pool2d(as_image(in[0], c), c.size(0)), c.result);
       }},
      {"adaptive_max_pool",
       [](auto& in, auto& c) { return ops::adaptive_max_pool2d(in[0], c.size(0)); }},
      {"interpolate", interpolated},
      {"sin", [](auto& in, auto&) { return ops::sin(in[0]); }},
      {"cos", [](auto& in, auto&) { return ops::cos(in[0]); }},
      {"tan", [](auto& in, auto&) { return ops::tan(in[0]); }},
      {"erf", [](auto& in, auto&) { return ops::erf(in[0]); }},
      {"log1p", [](auto& in, auto&) { return ops::log1p(in[0]); }},
      {"expm1", [](auto& in, auto&) { return ops::expm1(in[0]); }},
      {"floor", [](auto& in, auto&) { return ops::floor(in[0]); }},
      {"round", [](auto& in, auto&) { return ops::round(in[0]); }},
      {"elu", [](auto& in, auto& c) { return ops::elu(in[0], c.numbers[0]); }},
      {"clamp_between", [](auto& in, auto&) { return ops::clamp(in[0], in[1], in[2]); }},
      {"prod", [](auto& in, auto& c) { return ops::prod(in[0], c.axes(1), c.numbers[0] != 0.0); }},
      {"cumsum", [](auto& in, auto& c) { return ops::cumsum(in[0], c.integer(0)); }},
      {"logsumexp",
       [](auto& in, auto& c) { return ops::logsumexp(in[0], c.axes(1), c.numbers[0] != 0.0); }},
      {"norm",
       [](auto& in, auto& c) {
         return ops::norm(in[0], c.numbers[0], c.axes(2), c.numbers[1] != 0.0);
       }},
      {"masked_fill",
       [](auto& in, auto& c) {
         return ops::masked_fill(in[0], in[1].value().template cast<std::uint8_t>(), c.numbers[0]);
       }},
      {"gather",
       [](auto& in, auto& c) { return ops::gather(in[0], c.integer(0), indices(in[1])); }},
      {"index_select",
       [](auto& in, auto& c) { return ops::index_select(in[0], c.integer(0), indices(in[1])); }},
      {"scatter_add",
       [](auto& in, auto& c) {
         return ops::scatter_add(in[0], c.integer(0), indices(in[2]), in[1]);
       }},
      {"roll", [](auto& in, auto& c) { return rolled(in[0], c); }},
      {"roll_all",
       [](auto& in, auto& c) {
         return ops::reshape(ops::roll(ops::flatten(in[0]), c.integer(0), 0), c.result);
       }},
      {"flip", [](auto& in, auto& c) { return ops::flip(in[0], c.axes(0)); }},
      {"repeat", [](auto& in, auto& c) { return repeated(in[0], c); }},
      {"flatten",
       [](auto& in, auto& c) { return ops::flatten(in[0], c.integer(0), c.integer(1)); }},
      {"unsqueeze", [](auto& in, auto& c) { return ops::unsqueeze(in[0], c.integer(0)); }},
      {"layer_norm", normalized},
      {"group_norm", normalized},
      {"cholesky", [](auto& in, auto&) { return ops::cholesky(in[0]); }},
      {"solve", [](auto& in, auto& c) { return solved(in, c); }},
      {"mv", [](auto& in, auto&) { return ops::mv(in[0], in[1]); }},
      {"dot", [](auto& in, auto&) { return ops::dot(in[0], in[1]); }},
      {"mse_loss", [](auto& in, auto&) { return losses::mse_loss(in[0], in[1]); }},
      {"mean_absolute_error", [](auto& in, auto&) { return ops::mean(ops::abs(in[0] - in[1])); }},
      {"cross_entropy", [](auto& in, auto& c) { return cross_entropy(in, c); }},
  };
  return all;
}

/// Where sfumato means to differ from PyTorch, and why: in these operators, at inputs that are NaN,
/// which are left out.
const std::map<std::string, std::string> kOtherAtNaN{
    {"abs", "the gradient is NaN and shows where that came from; PyTorch's is 0"},
    {"sign", "the result is NaN; PyTorch's is 0"},
    {"nn.functional.elu", "the gradient is NaN and shows where that came from; PyTorch's is 1"},
    {"nn.functional.hardtanh", "clamp's gradient passes; PyTorch's is 0"},
    {"nn.functional.relu6", "clamp's gradient passes; PyTorch's is 0"},
};

/// make.py's weights().
Var weights(std::size_t first, const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<double>((first + i) * 37 % 64) - 31.5) / 32.0;
  }
  return Var(Tensor<double>::from(values, shape));
}

/// The numbers of one case after the other.
class Numbers {
 public:
  explicit Numbers(std::vector<double> all) : all_(std::move(all)) {}
  std::span<const double> take(std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    REQUIRE(place_ + size <= all_.size());
    const std::span<const double> taken(all_.data() + place_, size);
    place_ += size;
    return taken;
  }
  bool at_end() const { return place_ == all_.size(); }

 private:
  std::vector<double> all_;
  std::size_t place_ = 0;
};

/// What a case should give.
struct Expected {
  std::vector<double> value;
  std::vector<std::vector<double>> first;
  std::vector<std::vector<double>> second;  ///< empty where it is not known
};

/// The first difference of more than 1e-9 (of the number, if that is above 1), or nothing.
/// Leaves out where `without` is given and NaN.
std::string difference(const std::string& what, const std::vector<double>& found,
                       std::span<const double> expected, const std::vector<double>& without) {
  if (found.size() != expected.size()) return message(what, " has ", found.size(), " elements");
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i < without.size() && std::isnan(without[i])) continue;
    const bool same = found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]));
    const bool close =
        std::isfinite(expected[i]) &&
        std::abs(found[i] - expected[i]) <= 1e-9 * std::max(1.0, std::abs(expected[i]));
    if (!same && !close) {
      return message(what, " [", i, "] is ", found[i], ", PyTorch's ", expected[i]);
    }
  }
  return "";
}

/// The first thing in which a function of the inputs is not as expected, or nothing.
std::string difference(const Case& c, const Vars& inputs, const Expected& expected,
                       const std::function<Var(const Vars&)>& function) {
  const Var value = function(inputs);
  if (value.shape() != c.result) return message("the shape is ", value.shape());
  const std::vector<double> without =
      kOtherAtNaN.contains(c.pytorch_name) ? inputs[0].value().to_vector() : std::vector<double>();
  std::string found = difference("the value", value.value().to_vector(), expected.value, without);
  const Vars wanted(inputs.begin(), inputs.end() - static_cast<std::ptrdiff_t>(c.constants));
  auto place = static_cast<std::size_t>(value.numel());
  const Vars first = grad({value}, wanted, {.create_graph = true}, {weights(0, c.result)});
  Var total = scalar(0.0);
  for (std::size_t i = 0; i < first.size() && found.empty(); ++i) {
    found = difference(message("gradient ", i), first[i].value().to_vector(), expected.first[i],
                       without);
    total = total + ops::sum(first[i] * weights(place, first[i].shape()));
    place += static_cast<std::size_t>(first[i].numel());
  }
  if (!found.empty() || expected.second.empty()) return found;
  const Vars second = total.requires_grad() ? grad({total}, wanted) : Vars();
  for (std::size_t i = 0; i < wanted.size() && found.empty(); ++i) {
    const std::vector<double> none(static_cast<std::size_t>(wanted[i].numel()), 0.0);
    found = difference(message("second derivative ", i),
                       second.empty() ? none : second[i].value().to_vector(), expected.second[i],
                       without);
  }
  return found;
}

std::vector<double> read_numbers(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<double> numbers(bytes.size() / sizeof(double));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(double));
  return numbers;
}

}  // namespace

TEST_CASE("operations agree with PyTorch on its own samples, to the second derivative") {
  const std::string folder = std::string(SFUMATO_SOURCE_DIR) + "/tests/pytorch_samples/";
  std::ifstream lines(folder + "cases.txt");
  Numbers numbers(read_numbers(folder + "numbers.f64"));
  std::size_t cases = 0;
  std::map<std::string, int> names;
  for (std::string line; std::getline(lines, line); ++cases) {
    const Case c = case_from(line);
    CAPTURE(line);
    ++names[c.operation];
    const auto copy = [](std::span<const double> span) {
      return std::vector<double>(span.begin(), span.end());
    };
    Vars inputs;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      inputs.emplace_back(Tensor<double>::from(numbers.take(c.inputs[i].numel()), c.inputs[i]),
                          i + c.constants < c.inputs.size());
    }
    Expected expected{copy(numbers.take(c.result.numel())), {}, {}};
    const std::size_t wanted = inputs.size() - c.constants;
    for (std::size_t i = 0; i < wanted; ++i) {
      expected.first.push_back(copy(numbers.take(c.inputs[i].numel())));
    }
    for (std::size_t i = 0; i < wanted && c.second != "-"; ++i) {
      expected.second.push_back(c.second == "1" ? copy(numbers.take(c.inputs[i].numel()))
                                                : std::vector<double>(expected.first[i].size()));
    }

    const auto found = calls().find(c.operation);
    REQUIRE(found != calls().end());
    const auto function = [&](const Vars& in) { return found->second(in, c); };
    std::string plain;
    std::string again;
    try {
      plain = difference(c, inputs, expected, function);
      again =
          difference(c, inputs, expected, [&](const Vars& in) { return checkpoint(function, in); });
    } catch (const Error& error) {
      plain += error.what();
    }
    CHECK(plain == "");
    CHECK(again == "");
  }
  CHECK(numbers.at_end());
  CHECK(cases >= 2000);
  CHECK(names.size() == calls().size());
}

}  // namespace sfumato::tested::ops_pytorch_samples
