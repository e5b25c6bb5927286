#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chart.hpp"
#include "curves.hpp"
#include "markup.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/resize.hpp"
#include "sfumato/style/pictures.hpp"

namespace neural_style {

/// A picture of a page, and what it shows.
struct PagePicture {
  std::vector<std::uint8_t> jpeg;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::string caption;
};

/// A row of a table.
struct PageRow {
  std::string name;
  std::string value;
  std::string remark;
};

/// What a report tells of a run.
struct Page {
  std::string title;
  std::vector<PagePicture> inputs;  ///< the content, then styles
  PagePicture result;
  std::vector<PagePicture> frames;  ///< from the start to the result
  Curves curves;
  std::vector<PageRow> run;
  std::vector<PageRow> settings;
  std::string command;  ///< that repeats the run
};

/// Pixels (height, width, 3) as a picture of a page, no side longer than `longest`.
inline PagePicture page_picture(const sfumato::Tensor<std::uint8_t>& pixels, std::int64_t longest,
                                int quality, const std::string& caption) {
  namespace io = sfumato::io;
  sfumato::Tensor<std::uint8_t> shown = pixels;
  if (std::max(pixels.shape()[0], pixels.shape()[1]) > longest) {
    const auto size = sfumato::style::size_in_proportion(pixels.shape(), longest);
    shown = io::resize(pixels, size.height, size.width, io::Filter::kBilinear);
  }
  const std::int64_t height = shown.shape()[0];
  const std::int64_t width = shown.shape()[1];
  return {io::detail::encode_jpeg(shown.data(), height, width, quality, io::detail::srgb_profile()),
          height, width, caption};
}

/// How every report begins.
inline constexpr std::string_view kReportBegin =
    "<!doctype html>\n<!-- A report of neural_style. -->\n";

namespace detail {

// A policy that lets the page load nothing stands first.
inline constexpr std::string_view kPageHead = R"(<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
)";

inline constexpr std::string_view kPageStyles = R"(
:root { --back: #fff; --ink: #222; --soft: #5c5c5c; --line: #ddd; --block: #f4f4f2; }
@media screen and (prefers-color-scheme: dark) { :root { --back: #16181c; --ink: #e6e6e6; --soft: #a9adb5; --line: #3a3d44; --block: #22252b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--back); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 0.75rem; }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: 0.875rem; padding-top: 0.25rem; overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; }
.result img { width: 100%; max-height: 85vh; object-fit: contain; object-position: left; }
.inputs { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1rem; margin-top: 1rem; }
.inputs img { max-height: 20rem; }
.slider input { display: block; width: 100%; height: 2rem; margin: 0.25rem 0 0; accent-color: #0063b1; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: 0.5rem; }
.strip img { width: 100%; cursor: pointer; }
.strip figcaption { font-size: 0.75rem; }
.chart { display: block; width: 100%; max-width: 46rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; width: 30%; }
td:nth-child(3) { color: var(--soft); white-space: nowrap; width: 1%; padding-right: 0; }
pre { background: var(--block); padding: 0.75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
[hidden] { display: none; }
@media (max-width: 34rem) { .chart text { font-size: 19px; } }
@page { margin: 15mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .slider { display: none !important; }
  figure, tr, .chart, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  .result img { max-height: 15cm; }
  .inputs img { max-height: 6cm; }
}
)";

// Without scripts there is no slider, and the strip is what there is. The last picture is the
// result.
inline constexpr std::string_view kPageScript = R"(
const pictures = [...document.querySelectorAll('.strip img')];
const slider = document.querySelector('.slider input');
const shown = document.querySelector('.result img');
const result = {src: shown.src, alt: shown.alt};
const show = (place) => {
  const picture = place == pictures.length - 1 ? result : pictures[place];
  slider.value = place;
  shown.src = picture.src;
  shown.alt = document.querySelector('.result figcaption').textContent = picture.alt;
  slider.setAttribute('aria-valuetext', picture.alt);
};
slider.addEventListener('input', () => show(slider.value));
pictures.forEach((picture, place) => picture.addEventListener('click', () => { show(place); shown.scrollIntoView({block: 'nearest'}); }));
addEventListener('beforeprint', () => show(pictures.length - 1));
document.querySelector('.slider').hidden = false;
)";

inline std::string image_of(const PagePicture& picture) {
  return sfumato::message("<img src=\"data:image/jpeg;base64,", base64(picture.jpeg), "\" width=\"",
                          picture.width, "\" height=\"", picture.height, "\" alt=\"",
                          markup(picture.caption), "\">");
}

inline std::string figure_of(const PagePicture& picture) {
  return "<figure>" + image_of(picture) + "<figcaption>" + markup(picture.caption) +
         "</figcaption></figure>\n";
}

inline std::string table_of(const std::vector<PageRow>& rows) {
  bool remarks = false;
  for (const PageRow& row : rows) remarks = remarks || !row.remark.empty();
  std::string text = "<table>\n";
  for (const PageRow& row : rows) {
    text += "<tr><th scope=\"row\">" + markup(row.name) + "</th><td>" + markup(row.value) +
            "</td>" + (remarks ? "<td>" + markup(row.remark) + "</td>" : "") + "</tr>\n";
  }
  return text + "</table>\n";
}

}  // namespace detail

/// The report as one HTML page that needs nothing but itself.
inline std::string html(const Page& page) {
  using namespace detail;
  std::string text(kReportBegin);
  text += kPageHead;
  text += "<title>" + markup(page.title) + "</title>\n<style>" + chart_styles();
  text += kPageStyles;
  text += "</style>\n</head>\n<body>\n<h1>" + markup(page.title) + "</h1>\n<main>\n";
  text += "<section class=\"result\">\n" + figure_of(page.result);
  if (page.frames.size() > 1) {
    const std::string last = std::to_string(page.frames.size() - 1);
    text +=
        "<div class=\"slider\" hidden><input type=\"range\" aria-label=\"Iteration\" min=\"0\" "
        "max=\"" +
        last + "\" value=\"" + last + "\"></div>\n";
  }
  text += "</section>\n<section class=\"inputs\">\n";
  for (const PagePicture& input : page.inputs) text += figure_of(input);
  text += "</section>\n";
  if (page.frames.size() > 1) {
    text += "<section>\n<h2>How it came about</h2>\n<div class=\"strip\">\n";
    for (const PagePicture& frame : page.frames) text += figure_of(frame);
    text += "</div>\n</section>\n";
  }
  text += "<section>\n<h2>Losses</h2>\n" + chart(page.curves) + "</section>\n";
  text += "<section>\n<h2>The run</h2>\n" + table_of(page.run) + "</section>\n";
  text += "<section>\n<h2>Settings</h2>\n" + table_of(page.settings) + "</section>\n";
  text += "<section>\n<h2>To paint it again</h2>\n<pre>" + markup(page.command) +
          "</pre>\n</section>\n</main>\n";
  if (page.frames.size() > 1) {
    text += "<script>";
    text += kPageScript;
    text += "</script>\n";
  }
  return text + "</body>\n</html>\n";
}

}  // namespace neural_style
