#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/style/style_cache.hpp"

namespace sfumato::style {

/// A picture whose style is taken.
template <class T, class Device = Cpu>
struct StylePicture {
  Tensor<T, Device> image;  ///< normalised, (1, 3, h, w)
  double weight = 1.0;      ///< beside those of the others, above 0
  Tensor<T, Device> regions =
      {};  ///< where each is, (1, r, h, w) from 0 to 1; undefined: no regions
};

/// The pictures whose style is taken together, as if they were one in which each has a part of its
/// weight. Where regions are given, of all pictures and of the content, each region of the content
/// gets the style of the same region of the pictures.
template <class T, class Device = Cpu>
struct Styles {
  Styles(const Tensor<T, Device>& only) : pictures{{only}} {}
  Styles(std::vector<StylePicture<T, Device>> several, Tensor<T, Device> of_content = {})
      : pictures(std::move(several)), content_regions(std::move(of_content)) {}

  std::vector<StylePicture<T, Device>> pictures;
  Tensor<T, Device> content_regions;
  /// The picture painted so far, of the content's size: with StyleLoss::kNeighbors, the places of
  /// the styles that are most like that are found, and not those most like the content; in each
  /// layer by itself, and for all of its positions. Kolkin et al. (2022) call it feature splitting.
  Tensor<T, Device> painted = {};
  /// Where what is seen in the pictures is kept for the next objective; null: nowhere.
  std::shared_ptr<StyleCache<T, Device>> cache = {};

  /// What look() makes of one of the pictures, or made of it before: see StyleCache.
  template <class Look>
  std::vector<Tensor<T, Device>> look(const StylePicture<T, Device>& picture,
                                      const std::string& name, const Look& look) const {
    return cache ? cache->look(picture.image, picture.regions, name, look) : look();
  }

  /// The sum of the weights.
  double weight() const {
    double sum = 0.0;
    for (const auto& picture : pictures) sum += picture.weight;
    return sum;
  }
};

/// Throws ValueError for no styles, or weights that are none, and ShapeError for regions, or a
/// picture painted so far, that do not fit.
template <class T, class Device>
void check_styles(const Styles<T, Device>& styles, const Shape& content) {
  if (styles.pictures.empty()) {
    throw ValueError("style transfer: there is no style; name at least one picture");
  }
  if (styles.painted.defined() && styles.painted.shape() != content) {
    throw ShapeError(message("style transfer: the picture painted so far ", styles.painted.shape(),
                             " must have the content's shape ", content));
  }
  const Tensor<T, Device>& of_content = styles.content_regions;
  const auto check_regions = [&](const Tensor<T, Device>& regions, const Shape& image) {
    if (regions.defined() != of_content.defined()) {
      throw ValueError(
          "style transfer: either the content and all styles have regions, or none has");
    }
    if (!regions.defined()) return;
    const Shape wanted{1, of_content.rank() == 4 ? of_content.size(1) : 1, image[2], image[3]};
    if (regions.shape() == wanted && regions.numel() > 0) return;
    throw ShapeError(message("style transfer: regions ", regions.shape(), " of an image ", image,
                             " must be ", wanted));
  };
  check_regions(of_content, content);
  for (const StylePicture<T, Device>& picture : styles.pictures) {
    if (!(picture.weight > 0.0 && std::isfinite(picture.weight))) {
      throw ValueError(message("style transfer: a style with the weight ", picture.weight,
                               "; it must be above 0"));
    }
    check_regions(picture.regions, picture.image.shape());
  }
}

namespace detail {

/// Of a region of the content that no style has.
inline ValueError no_such_region(std::size_t region) {
  return ValueError(message("style transfer: region ", region,
                            " of the content is in no style; give it one in a style, too"));
}

}  // namespace detail

}  // namespace sfumato::style
