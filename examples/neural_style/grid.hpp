#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "lettering.hpp"
#include "options.hpp"
#include "outputs.hpp"
#include "record.hpp"
#include "reporter.hpp"
#include "settings.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/core/tensor.hpp"
#include "signals.hpp"
#include "watch.hpp"

namespace neural_style {

/// A picture of a contact sheet: what the command line would have to say for it alone, at the size
/// that was asked for, and small.
struct GridCell {
  Settings large;
  Arguments small;
};

namespace detail {

/// The option whose values --grid lists. Throws ValueError for one that no two pictures of a grid
/// may differ in.
inline const Option& option_of_grid(const std::string& name) {
  const Option* const option = find_option("--" + name);
  const bool fits = option != nullptr && is_of_picture(*option) && !option->is_flag() &&
                    !option->operand.starts_with("FILE") && option->group != kMachine &&
                    name != "size" && name != "height" && name != "width";
  if (fits) return *option;
  throw sfumato::ValueError(
      sfumato::message("--grid: ", sfumato::excerpt(name),
                       " is no option in which the pictures of a grid may differ; "
                       "take one that has a value and no file, such as style-weight"));
}

}  // namespace detail

/// The pictures of --grid, row by row: of the first option's values one a row, of the second's one
/// a column. Throws ValueError for values that options do not take, or that do not go together.
inline std::vector<GridCell> plan_grid(const Arguments& a) {
  constexpr std::int64_t kSmall = 192;
  std::vector<std::string> varied;
  for (const GridAxis& axis : a.grid) varied.push_back(detail::option_of_grid(axis.option).name);
  if (varied.size() == 2 && varied[0] == varied[1]) {
    throw sfumato::ValueError("--grid: " + a.grid[0].option + " is named twice; name another");
  }
  const Settings common = without(without(a.given, varied), {"--grid", "--output"});
  const GridAxis none{"", {""}};
  const GridAxis& columns = a.grid.size() > 1 ? a.grid[1] : none;
  std::vector<GridCell> cells;
  for (const std::string& row : a.grid[0].values) {
    for (const std::string& column : columns.values) {
      GridCell cell{common, {}};
      cell.large.push_back({varied[0], row});
      if (varied.size() > 1) cell.large.push_back({varied[1], column});
      Settings small = without(cell.large, {"--size"});
      const std::int64_t longer = a.size.value_or(kDefaultSize);
      const std::int64_t shown = std::min(longer, kSmall);
      small.push_back({"--size", std::to_string(shown)});
      small.push_back({"--no-metadata", ""});
      cell.small = arguments_of(small);
      refuse_exclusions(cell.small);
      if (auto& side = cell.small.pictures.style_size) {  // as large beside the picture as there
        side = std::max(kSmallest, *side * shown / longer);
      }
      cell.small.output = a.output;
      cell.small.quiet = true;
      cells.push_back(std::move(cell));
    }
  }
  return cells;
}

/// The pictures of a grid with its values beside them; one that is undefined is left out.
inline sfumato::Tensor<std::uint8_t> contact_sheet(
    const std::vector<GridAxis>& grid, const std::vector<sfumato::Tensor<std::uint8_t>>& pictures) {
  constexpr std::int64_t kGap = 8;
  constexpr std::uint8_t kPaper = 250;
  std::int64_t height = 1;
  std::int64_t width = 1;
  for (const auto& picture : pictures) {
    if (!picture.defined()) continue;
    height = std::max(height, picture.size(0));
    width = std::max(width, picture.size(1));
  }
  const std::size_t columns = grid.size() > 1 ? grid[1].values.size() : 1;
  const auto step = [](std::int64_t side, std::size_t number) {
    return (side + kGap) * static_cast<std::int64_t>(number);
  };
  // As large as fits over a picture, and so everywhere.
  std::int64_t dot = 2;
  for (std::size_t i = 0; grid.size() > 1 && i <= columns; ++i) {
    const std::string& text = i < columns ? grid[1].values[i] : grid[1].option;
    if (width_of_line(text, dot) > width) dot = 1;
  }
  std::int64_t margin = width_of_line(grid[0].option, dot);
  for (const std::string& value : grid[0].values) {
    margin = std::max(margin, width_of_line(value, dot));
  }
  margin += 2 * kGap;
  const std::int64_t line = height_of_line(dot) + dot;
  const std::int64_t head = grid.size() > 1 ? 2 * line + kGap : kGap;
  auto sheet = sfumato::Tensor<std::uint8_t>::full(
      {head + step(height, grid[0].values.size()), margin + step(width, columns), 3}, kPaper);
  for (std::size_t j = 0; grid.size() > 1 && j < columns; ++j) {
    draw_line(sheet, kGap / 2, margin + step(width, j), grid[1].option, dot);
    draw_line(sheet, kGap / 2 + line, margin + step(width, j), grid[1].values[j], dot);
  }
  for (std::size_t i = 0; i < grid[0].values.size(); ++i) {
    const std::int64_t middle = head + step(height, i) + height / 2;
    draw_line(sheet, middle - line, kGap, grid[0].option, dot);
    draw_line(sheet, middle, kGap, grid[0].values[i], dot);
  }
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    if (!pictures[k].defined()) continue;
    const std::int64_t top = head + step(height, k / columns);
    const std::int64_t left = margin + step(width, k % columns);
    for (std::int64_t y = 0; y < pictures[k].size(0); ++y) {
      std::copy_n(pictures[k].data() + 3 * y * pictures[k].size(1), 3 * pictures[k].size(1),
                  sheet.data() + 3 * ((top + y) * sheet.size(1) + left));
    }
  }
  return sheet;
}

/// Paints the pictures of a grid into one by `paint_small(arguments)`, and says the command that
/// paints each large. One that can't be painted is left out, and the exit status is 1 then.
template <class PaintSmall>
int paint_grid(const Arguments& a, const Reporter& report, const PaintSmall& paint_small) {
  const std::vector<GridCell> cells = plan_grid(a);
  std::vector<sfumato::Tensor<std::uint8_t>> pictures(cells.size());
  std::size_t painted = 0;
  for (std::size_t i = 0; i < cells.size() && interrupted == 0; ++i) {
    report.say("%zu of %zu: %s\n", i + 1, cells.size(), detail::command_of(cells[i].large).c_str());
    try {
      pictures[i] = paint_small(cells[i].small);
      ++painted;
    } catch (const sfumato::Error& error) {
      const bool of_all = dynamic_cast<const sfumato::IoError*>(&error) != nullptr;
      if (of_all && painted == 0) throw;
      std::fprintf(stderr, "neural_style: %s: %s\n",
                   sfumato::printable(detail::command_of(cells[i].large)).c_str(),
                   sfumato::printable(error.what()).c_str());
    }
  }
  const int signal = interrupted;
  if (painted == 0) return signal != 0 ? kBySignal + signal : 1;
  const HoldSignals whole_file;
  const std::string failure = write_picture(a.output, contact_sheet(a.grid, pictures));
  if (!failure.empty()) {
    std::fprintf(stderr, "neural_style: %s\n", sfumato::printable(failure).c_str());
    return 1;
  }
  report.say("wrote %s\n", a.output.c_str());
  return signal != 0 ? kBySignal + signal : painted < cells.size() ? 1 : 0;
}

}  // namespace neural_style
