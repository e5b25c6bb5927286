#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/style/borders.hpp"
#include "sfumato/style/gatys.hpp"
#include "sfumato/style/minimize.hpp"
#include "sfumato/style/options.hpp"
#include "sfumato/style/styles.hpp"
#include "sfumato/style/term.hpp"

namespace sfumato::style {

/// Neural style transfer (Gatys, Ecker and Bethge, 2016): a picture with the content of one image
/// and the style of another, or of several (Styles), found by Adam from `initial`. All are
/// normalised images (1, 3, h, w) (see preprocess.hpp); `initial` has the content's size. Freezes
/// the network, whose element type may be another one; see gatys_objective. Throws ShapeError or
/// ValueError for images or layers that do not fit, and what minimize() throws. `from` is
/// minimize()'s; its optimiser's moments may have the content's size. `picture_terms` are
/// further terms of the picture, whose targets, if they have any, are images of its size. Images
/// that are moved here are let go of as soon as they are not needed any more.
///
///     auto result = style::transfer(network, content, painting, content);
///     io::write_image("out.png", style::denormalize(result.image));
template <class Network, class T, class Device>
requires FeatureExtractor<Network, T> TransferResult<T, Device> transfer(
    Network& network, Tensor<T, Device> content, std::type_identity_t<Styles<T, Device>> styles,
    Tensor<T, Device> initial, const TransferOptions& options = {},
    const std::type_identity_t<Progress<T, Device>>& progress = {},
    MinimizerState<T, Device> from = {}, const std::vector<Term<T, Device>>& picture_terms = {}) {
  if (initial.shape() != content.shape()) {
    throw ShapeError(message("style transfer: the initial image ", initial.shape(),
                             " must have the content's shape ", content.shape()));
  }
  detail::check(options);
  network.freeze();
  const std::int64_t pixel = deepest_pixel(network, options.objective);
  const auto forget_sources = [&] {
    content = {};
    styles.pictures.clear();
    styles.content_regions = {};
    styles.painted = {};
  };
  if (options.borders == Borders::kPlain || !needs_extension(content.shape(), pixel)) {
    const auto objective =
        gatys_objective(network, content, styles, options.objective, picture_terms);
    forget_sources();
    return minimize(objective, std::move(initial), options, progress, {}, std::move(from));
  }
  const auto extended = [&](const Tensor<T, Device>& picture) {
    return extend_borders(Variable<T, Device>(picture), pixel).value();
  };
  const std::int64_t height = content.shape()[2];
  const std::int64_t width = content.shape()[3];
  View<Network, T> view;
  view.crop = [&](const Variable<T, Device>& picture) {
    return crop_borders(picture, height, width);
  };
  Styles<T, Device> of_extended = styles;
  if (styles.content_regions.defined()) {
    of_extended.content_regions = extended(styles.content_regions);
  }
  if (styles.painted.defined()) of_extended.painted = extended(styles.painted);
  std::vector<Term<T, Device>> extended_terms = picture_terms;
  for (Term<T, Device>& term : extended_terms) {
    if (term.target.defined()) term.target = extend_borders(term.target, pixel);
  }
  const auto objective =
      gatys_objective(network, extended(content), of_extended, options.objective, extended_terms);
  std::optional<Objective<Network, T>> seen;
  // Neighbours of the picture without its borders would have to be found, too.
  const bool finds_neighbors = options.objective.style_loss == StyleLoss::kNeighbors;
  if (std::min(height, width) >= pixel && !finds_neighbors) {
    seen.emplace(gatys_objective(network, content, styles, options.objective, picture_terms));
    view.objective = &*seen;
  }
  for (auto& [name, moment] : from.optimizer) {
    if (moment.shape() == content.shape()) moment = extended(moment);
  }
  initial = extended(initial);
  forget_sources();
  return minimize(objective, std::move(initial), options, progress, view, std::move(from));
}

}  // namespace sfumato::style
