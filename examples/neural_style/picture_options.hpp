#pragma once

#include <string>
#include <vector>

#include "arguments.hpp"
#include "option.hpp"
#include "presets.hpp"
#include "values.hpp"

namespace neural_style {

/// The rows of the table of options that name pictures, and what they have of one another.
inline std::vector<Option> picture_options() {
  using A = Arguments;
  constexpr const char* kPictures = "Pictures";
  return {
      {"CONTENT",
       "",
       "FILE",
       kPictures,
       "Picture whose content is kept (JPEG, PNG, WebP or BMP)",
       words(at(&A::content), "a file name"),
       {},
       true},
      {"STYLE",
       "",
       "FILE",
       kPictures,
       "Picture whose style is taken, or a folder of them",
       styles(at(&A::styles)),
       {},
       true},
      {"--style",
       "",
       "FILE[=WEIGHT]",
       kPictures,
       "Another one, any number of times. They count as their weights say, STYLE=WEIGHT "
       "too; the pictures of a folder share its weight",
       styles(at(&A::styles)),
       {},
       false,
       true},
      {"--output", "-o", "FILE", kPictures,
       "Picture to write (.png or .jpg); otherwise CONTENT-STYLE.png in the current folder, by the "
       "names of both without their endings, or CONTENT-STYLE-2.png, -3 and so on where there is "
       "one",
       words(at(&A::output), "a file name")},
      {"--no-metadata", "", "", kPictures,
       "Keep nothing in the PNG of how it was painted. Otherwise `neural_style repeat OUT.png "
       "[FILE "
       "or FOLDER...] -o FILE` paints it again, from the same files, which it finds by their "
       "hashes",
       flag(at(&A::no_metadata))},
      {"--preset", "", "NAME", kPictures, preset_help(), choice(at(&A::preset), preset_names())},
      {"--original-colors", "", "HOW", kPictures,
       "Whose colours the picture gets. no: the style's; luminance: the content's, and the style "
       "decides only what is bright and dark; statistics: the style's, moved and turned beforehand "
       "so that their mean and covariance are the content's",
       choice(at(&A::original_colors), {"no", "luminance", "statistics"})},
      {"--keep", "", "WHAT", kPictures,
       "What the picture has of the content's light at the end: no; luminance, it is as bright on "
       "average; contrast, it has as much of light and dark (the luma's deviation); or both",
       choice(at(&A::keep), {"no", "luminance", "contrast", "both"})},
      {"--keep-alpha", "", "", kPictures,
       "The picture is transparent where the content is (PNG). Otherwise that is put over white",
       flag(at(&A::keep_alpha))},
      {"--content-mask",
       "",
       "FILE",
       kPictures,
       "Picture that shows by plain colours where regions of the content are, each of which is "
       "painted like the region of the style that has its colour in --style-mask. Colours between "
       "two belong to both: edges may be soft",
       words(at(&A::content_mask), "a file name"),
       {{{}, "--style-mask", "", "regions belong together by colour"}}},
      {"--style-mask",
       "",
       "FILE",
       kPictures,
       "The same of STYLE, and once more of each --style, in their order",
       files(at(&A::style_masks)),
       {{{}, "--content-mask", "", "regions belong together by colour"}},
       false,
       true},
      {"--save-stages", "", "", kPictures,
       "Where there are several stages, also write the picture of each earlier one "
       "(OUT-stage1.png)",
       flag(at(&A::save_stages))},
  };
}

}  // namespace neural_style
