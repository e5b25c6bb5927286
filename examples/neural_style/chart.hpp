#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "curves.hpp"
#include "markup.hpp"

namespace neural_style {

namespace detail {

/// Where things are in a drawing of curves, in its own units.
struct Plot {
  static constexpr double kWidth = 640.0;
  static constexpr double kHeight = 400.0;
  static constexpr double kLeft = 72.0;
  static constexpr double kTop = 20.0;
  static constexpr double kRight = kWidth - 20.0;
  static constexpr double kBottom = kHeight - 60.0;

  double last = 1.0;    ///< iteration
  double lowest = 0.0;  ///< common logarithms of losses
  double highest = 1.0;

  double x(double iteration) const { return kLeft + (kRight - kLeft) * iteration / last; }
  double y(double logarithm) const {
    return kBottom - (kBottom - kTop) * (logarithm - lowest) / (highest - lowest);
  }
};

template <class... Values>
std::string formatted(const char* format, const Values&... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

/// The axes' ends. Left out are losses that are next to nothing, as a content's at the start of a
/// picture that is painted from it: they would leave no room for the others.
inline Plot plot_of(const Curves& curves) {
  constexpr double kNothing = 1e-6;
  double most = 0.0;
  for (const auto& [name, values] : curves.losses) {
    for (const double value : values) most = std::max(most, value);
  }
  double least = most;
  for (const auto& [name, values] : curves.losses) {
    for (const double value : values) {
      if (value > kNothing * most) least = std::min(least, value);
    }
  }
  Plot plot;
  if (most > 0.0) {
    plot.highest = std::log10(most);
    plot.lowest = std::log10(least);
    const double room = std::max(0.05 * (plot.highest - plot.lowest), 0.02);
    plot.highest += room;
    plot.lowest -= room;
  }
  if (!curves.iterations.empty()) {
    plot.last = std::max(1.0, static_cast<double>(curves.iterations.back()));
  }
  return plot;
}

/// Lines of a grid with their numbers: powers of ten, and what is between where those are few.
inline std::string loss_axis(const Plot& plot) {
  std::string text;
  const double decades = plot.highest - plot.lowest;
  const std::vector<double> steps = decades > 3.0   ? std::vector<double>{1.0}
                                    : decades > 0.7 ? std::vector<double>{1.0, 2.0, 5.0}
                                                    : std::vector<double>{1, 1.5, 2, 3, 4, 5, 6, 8};
  for (int power = static_cast<int>(std::floor(plot.lowest)); power <= plot.highest; ++power) {
    for (const double step : steps) {
      const double y = power + std::log10(step);
      if (y < plot.lowest || y > plot.highest) continue;
      text += formatted(
          "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>"
          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
          Plot::kLeft, plot.y(y), Plot::kRight, Plot::kLeft - 8.0, plot.y(y) + 5.0,
          step * std::pow(10.0, power));
    }
  }
  return text;
}

inline std::string iteration_axis(const Plot& plot) {
  constexpr double kTicks = 5.0;
  const double power = std::pow(10.0, std::floor(std::log10(plot.last / kTicks)));
  double step = power;
  for (const double times : {2.0, 5.0, 10.0}) {
    if (plot.last / step > kTicks) step = times * power;
  }
  step = std::max(step, 1.0);
  std::string text;
  for (double tick = 0.0; tick <= plot.last; tick += step) {
    text += formatted(
        "<path class=\"axis\" d=\"M%.1f %.1fv5\"/>"
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n",
        plot.x(tick), Plot::kBottom, plot.x(tick), Plot::kBottom + 22.0, tick);
  }
  return text + formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">iteration</text>\n",
                          (Plot::kLeft + Plot::kRight) / 2.0, Plot::kBottom + 44.0);
}

/// A line through the losses above 0, which begins anew with each stage.
inline std::string line_of(const Plot& plot, const Curves& curves,
                           const std::vector<double>& values) {
  std::string path;
  bool drawn = false;  // the point before
  auto end = curves.stages.begin();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t iteration = curves.iterations[i];
    for (; end != curves.stages.end() && *end < iteration; ++end) drawn = false;
    if (values[i] > 0.0) {
      path += formatted("%c%.1f %.1f", drawn ? 'L' : 'M', plot.x(static_cast<double>(iteration)),
                        std::min(plot.y(std::log10(values[i])), 9999.0));
    }
    drawn = values[i] > 0.0;
  }
  return path;
}

inline constexpr std::size_t kStyles = 8;  // of colours, and of dashes

/// How a curve is drawn. Those of the second eight have the colours of the first, but other dashes.
inline std::string class_of(std::size_t number) {
  return formatted("class=\"line k%zu d%zu\"", number % kStyles,
                   (number + number / kStyles) % kStyles);
}

/// A dot where a line ends; nothing where that is not to be seen.
inline std::string end_of(const Plot& plot, const Curves& curves, const std::vector<double>& values,
                          std::size_t number) {
  const double y = plot.y(std::log10(values.empty() ? 0.0 : values.back()));
  if (!(y >= Plot::kTop && y <= Plot::kBottom)) return "";
  return formatted("<circle class=\"dot k%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                   number % kStyles, plot.x(static_cast<double>(curves.iterations.back())), y);
}

}  // namespace detail

/// The style sheet of drawings of curves, for light and dark. Curves differ by their dashes, too.
inline const char* chart_styles() {
  return R"(.chart { --paper: #fff; --ink: #222; --grid: #ddd;
  --c0: #0063b1; --c1: #c2410c; --c2: #00795a; --c3: #a8327d; --c4: #8a5a00; --c5: #1d8fb8; --c6: #555; --c7: #7a3ff2;
  font: 15px system-ui, sans-serif; }
@media screen and (prefers-color-scheme: dark) { .chart { --paper: #16181c; --ink: #e6e6e6; --grid: #3a3d44;
  --c0: #6cb6ff; --c1: #ff9a5c; --c2: #3fd3a4; --c3: #f29bd0; --c4: #f0c14b; --c5: #7fe0ff; --c6: #bbb; --c7: #b79bff; } }
.chart text { fill: var(--ink); }
.chart .paper { fill: var(--paper); }
.chart .grid { stroke: var(--grid); fill: none; }
.chart .axis, .chart .stage { stroke: var(--ink); fill: none; }
.chart .stage { stroke-dasharray: 2 4; }
.chart .line { fill: none; stroke: currentColor; stroke-width: 2.2; stroke-linejoin: round; }
.chart .dot { fill: currentColor; }
.chart .k0 { color: var(--c0); }
.chart .k1 { color: var(--c1); }
.chart .d1 { stroke-dasharray: 9 4; }
.chart .k2 { color: var(--c2); }
.chart .d2 { stroke-dasharray: 9 4 2 4; }
.chart .k3 { color: var(--c3); }
.chart .d3 { stroke-dasharray: 2 3; }
.chart .k4 { color: var(--c4); }
.chart .d4 { stroke-dasharray: 14 4; }
.chart .k5 { color: var(--c5); }
.chart .d5 { stroke-dasharray: 14 3 2 3 2 3; }
.chart .k6 { color: var(--c6); }
.chart .d6 { stroke-dasharray: 5 5; }
.chart .k7 { color: var(--c7); }
.chart .d7 { stroke-dasharray: 1 2; }
)";
}

/// How every drawing begins.
inline constexpr std::string_view kPlotBegin = "<svg class=\"chart\"";

/// Losses by the iteration, on a logarithmic axis, as an SVG element of the class "chart", whose
/// style sheet is chart_styles(). A legend stands below.
inline std::string chart(const Curves& curves) {
  using detail::formatted;
  using detail::Plot;
  constexpr std::size_t kColumns = 2;
  constexpr double kRow = 26.0;
  constexpr double kLabel = 84.0;
  const Plot plot = detail::plot_of(curves);
  // A loss of the weight 0 has nothing that could be drawn.
  const auto is_drawn = [](const auto& loss) {
    return std::any_of(loss.second.begin(), loss.second.end(), [](double v) { return v > 0.0; });
  };
  const auto drawn = std::count_if(curves.losses.begin(), curves.losses.end(), is_drawn);
  const auto rows =
      static_cast<double>((static_cast<std::size_t>(drawn) + kColumns - 1) / kColumns);
  const double height = Plot::kHeight + kRow * rows;
  std::string text(kPlotBegin);
  text += formatted(
      " xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
      "role=\"img\" aria-label=\"Losses by the iteration, on a logarithmic axis\">\n",
      Plot::kWidth, height);
  text +=
      formatted("<rect class=\"paper\" width=\"%.0f\" height=\"%.0f\"/>\n", Plot::kWidth, height);
  text += detail::loss_axis(plot) + detail::iteration_axis(plot);
  text += formatted("<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", Plot::kLeft, Plot::kTop,
                    Plot::kBottom, Plot::kRight);
  double free = Plot::kLeft;  // of labels
  for (const std::int64_t end : curves.stages) {
    const double x = plot.x(static_cast<double>(end));
    if (x > Plot::kRight) continue;
    text +=
        formatted("<path class=\"stage\" d=\"M%.1f %.1fV%.1f\"/>", x, Plot::kTop, Plot::kBottom);
    if (x < free || x + kLabel > Plot::kRight) continue;
    free = x + kLabel;
    text +=
        formatted("<text x=\"%.1f\" y=\"%.1f\">next stage</text>\n", x + 6.0, Plot::kTop + 12.0);
  }
  // A window of its own cuts off what is below the axis.
  text += formatted(
      "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" viewBox=\"%.1f %.1f %.1f "
      "%.1f\">\n",
      Plot::kLeft, Plot::kTop, Plot::kRight - Plot::kLeft, Plot::kBottom - Plot::kTop, Plot::kLeft,
      Plot::kTop, Plot::kRight - Plot::kLeft, Plot::kBottom - Plot::kTop);
  std::size_t number = 0;
  std::string legend;  // and what may stick out of the window
  for (const auto& loss : curves.losses) {
    if (!is_drawn(loss)) continue;
    const auto& [name, values] = loss;
    text += "<path " + detail::class_of(number) + " d=\"" + detail::line_of(plot, curves, values) +
            "\"/>\n";
    legend += detail::end_of(plot, curves, values, number);
    const double x = Plot::kLeft + (Plot::kRight - Plot::kLeft) / kColumns *
                                       static_cast<double>(number % kColumns);
    const double y = Plot::kHeight + kRow * static_cast<double>(number / kColumns);
    legend += "<path " + detail::class_of(number) + formatted(" d=\"M%.1f %.1fh40\"/>", x, y) +
              formatted("<text x=\"%.1f\" y=\"%.1f\">", x + 48.0, y + 5.0) + markup(name) +
              "</text>\n";
    ++number;
  }
  return text + "</svg>\n<g class=\"legend\">\n" + legend + "</g>\n</svg>\n";
}

/// The same as a file of its own.
inline std::string chart_file(const Curves& curves) {
  std::string text = chart(curves);
  const std::size_t inside = text.find('\n') + 1;
  return text.insert(inside, std::string("<style>") + chart_styles() + "</style>\n");
}

}  // namespace neural_style
