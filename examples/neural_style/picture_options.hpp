#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "option.hpp"
#include "presets.hpp"
#include "sfumato/style/transfer.hpp"
#include "values.hpp"

namespace neural_style {

inline constexpr std::int64_t kDefaultSize = 512;
inline constexpr std::int64_t kSmallest = 32;
inline constexpr std::int64_t kLargest = 16384;

/// The rows of the table of options that name pictures, and their sizes.
inline std::vector<Option> picture_options() {
  using A = Arguments;
  using T = sfumato::style::TransferOptions;
  using P = sfumato::style::PictureOptions;
  namespace style = sfumato::style;
  constexpr const char* kPictures = "Pictures";
  constexpr const char* kSize = "Size";
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
       "Another style, any number of times. Each counts by its weight (STYLE=WEIGHT works, too); "
       "the pictures of a folder share its weight",
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
       "Do not record in the PNG how it was painted. Otherwise `neural_style repeat OUT.png "
       "[FILE or FOLDER...] -o FILE` paints it again, from the same files, which it finds by their "
       "hashes",
       flag(at(&A::no_metadata))},
      {"--preset", "", "NAME", kPictures, preset_help(), choice(at(&A::preset), preset_names())},
      {"--original-colors", "", "HOW", kPictures,
       "Whose colours the picture gets. no: the style's; luminance: the content's, and the style "
       "decides only what is bright and dark; statistics: the style's, moved and turned beforehand "
       "so that their mean and covariance are the content's; matched: as luminance, but of the "
       "content's colours moved and turned so that their mean and covariance are the style's",
       choice(at(&A::original_colors), {"no", "luminance", "statistics", "matched"})},
      {"--keep", "", "WHAT", kPictures,
       "What the picture has of the content's light at the end: no; luminance, it is as bright on "
       "average; contrast, it has as much of light and dark (the luma's deviation); or both",
       choice(at(&A::keep), {"no", "luminance", "contrast", "both"})},
      {"--keep-alpha", "", "", kPictures,
       "The picture is transparent where the content is (PNG). Otherwise the content is put over "
       "white",
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

      {"--size",
       "",
       "PIXELS",
       kSize,
       "Longer side, the other in proportion (default 512)",
       number(at(&A::size), kSmallest, kLargest),
       {{{}, "--height", {}, "it sets both sides"}, {{}, "--width", {}, "it sets both sides"}}},
      {"--height", "", "PIXELS", kSize, "Height; alone, the width is in proportion",
       number(at(&A::height), kSmallest, kLargest)},
      {"--width", "", "PIXELS", kSize, "Width; alone, the height is in proportion",
       number(at(&A::width), kSmallest, kLargest)},
      {"--min-size", "", "PIXELS", kSize,
       "Paint from coarse to fine: first with this longer side, then with others √2 apart, up to "
       "the result's",
       number(at(&A::min_size), kSmallest, kLargest)},
      {"--final-passes",
       "",
       "COUNT",
       kSize,
       "That many further stages at the last size, of a quarter of --iterations each at half the "
       "learning rate, in which every layer finds by itself, for all of its positions, what the "
       "picture painted so far is most like; none unless asked for where --iterations is given",
       number(at(&A::final_passes), std::int64_t{0}, std::int64_t{100}),
       {{{}, "--method", "gram", "it finds no neighbours"},
        {{}, "--method", "wasserstein", "it finds no neighbours"},
        {{}, "--min-size", "", "without it there is one stage"}}},
      {"--pyramid",
       "",
       "LEVELS",
       kSize,
       "Have Adam change the levels of a Laplacian pyramid of the picture, each with half the "
       "sides of the one before; 0: pixels",
       number(at(&T::pyramid_levels), std::int64_t{0}, std::int64_t{12}),
       {{{}, "--optimizer", "lbfgs", "only Adam changes one"},
        {{}, "--optimizer", "scaled-lbfgs", "only Adam changes one"}}},
      {"--borders", "", "HOW", kSize,
       "extend: where a side is no multiple of 16, of 8 with --method neighbors, paint some "
       "pixels more than the picture, by reflection, and cut them off, which spares it coloured "
       "strips; plain: do not",
       meaning<decltype(at(&T::borders)), style::Borders>(
           at(&T::borders),
           {{"extend", style::Borders::kExtend}, {"plain", style::Borders::kPlain}})},
      {"--style-fit", "", "HOW", kSize,
       "keep: the style picture keeps its proportions, and gets the result's longer side; shrink: "
       "the same, but it is never enlarged; squeeze: it gets the result's height and width",
       meaning<decltype(at(&P::style_fit)), style::StyleFit>(
           at(&P::style_fit), {{"keep", style::StyleFit::kKeep},
                               {"shrink", style::StyleFit::kShrink},
                               {"squeeze", style::StyleFit::kSqueeze}})},
      {"--style-size",
       "",
       "PIXELS",
       kSize,
       "The style's longer side, whatever the result's; in earlier stages in proportion",
       number(at(&P::style_size), kSmallest, kLargest),
       {{{}, "--style-scale", {}, "it sets the same size"}}},
      {"--style-scale", "", "FACTOR", kSize,
       "The style's size beside what --style-fit makes of it: below 1 its strokes become smaller "
       "in "
       "the picture, above 1 larger",
       number(at(&P::style_scale), 0.1, 10.0)},
  };
}

}  // namespace neural_style
