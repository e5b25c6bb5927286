#pragma once

#include <lcms2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "sfumato/io/picture.hpp"

namespace sfumato::io::detail {

using ColourContext = std::unique_ptr<std::remove_pointer_t<cmsContext>, void (*)(cmsContext)>;
using ColourProfile = std::unique_ptr<void, cmsBool (*)(cmsHPROFILE)>;
using ColourTransform = std::unique_ptr<void, void (*)(cmsHTRANSFORM)>;

/// A context of our own: the profile's faults are not printed, nor mixed up with the host
/// program's use of LittleCMS.
inline ColourContext colour_context() {
  ColourContext context(cmsCreateContext(nullptr, nullptr), cmsDeleteContext);
  cmsSetLogErrorHandlerTHR(context.get(), [](cmsContext, cmsUInt32Number, const char*) {});
  return context;
}

/// LittleCMS' name for the four bytes of a pixel.
inline cmsUInt32Number colour_format(PixelKind kind) {
  if (kind == PixelKind::kCmyk) return TYPE_CMYK_8;
  if (kind == PixelKind::kRgb) return TYPE_RGBA_8;
  return COLORSPACE_SH(PT_GRAY) | EXTRA_SH(3) | CHANNELS_SH(1) | BYTES_SH(1);
}

/// Whether a transform leaves greys, and if it is one from RGB the other colours too, as they are,
/// but for rounding: then the profile is sRGB under one of its many names.
inline bool is_identity(cmsHTRANSFORM transform, PixelKind kind) {
  constexpr unsigned kStep = 15;
  std::vector<std::uint8_t> colours;
  for (unsigned red = 0; red <= 255 && kind == PixelKind::kRgb; red += kStep) {
    for (unsigned green = 0; green <= 255; green += kStep) {
      for (unsigned blue = 0; blue <= 255; blue += kStep) {
        for (const unsigned value : {red, green, blue, 255U}) {
          colours.push_back(static_cast<std::uint8_t>(value));
        }
      }
    }
  }
  for (unsigned grey = 0; grey <= 255; ++grey) {
    for (const unsigned value : {grey, grey, grey, 255U}) {
      colours.push_back(static_cast<std::uint8_t>(value));
    }
  }
  std::vector<std::uint8_t> converted = colours;
  cmsDoTransform(transform, colours.data(), converted.data(),
                 static_cast<cmsUInt32Number>(colours.size() / 4));
  return std::equal(colours.begin(), colours.end(), converted.begin(),
                    [](int before, int after) { return std::abs(before - after) <= 1; });
}

/// CMYK without a profile becomes RGB by Pillow's formula, (1 − ink) (1 − black) in bytes.
inline void cmyk_to_rgb(Picture& picture) {
  for (std::size_t i = 0; i < picture.pixels.size(); i += 4) {
    const int white = 255 - picture.pixels[i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int product = picture.pixels[i + c] * white + 128;
      picture.pixels[i + c] =
          static_cast<std::uint8_t>(std::max(0, white - ((product + (product >> 8)) >> 8)));
    }
  }
}

/// Converts the pixels to sRGB by the picture's colour profile, relative to its white (relative
/// colorimetric, without black point compensation); what is sRGB already stays as it is, bit for
/// bit. A profile that is damaged, or not for pixels of this kind, is ignored, as viewers do.
inline void convert_to_srgb(Picture& picture) {
  bool is_converted = false;
  if (!picture.profile.empty()) {
    const ColourContext context = colour_context();
    const ColourProfile from(
        cmsOpenProfileFromMemTHR(context.get(), picture.profile.data(),
                                 static_cast<cmsUInt32Number>(picture.profile.size())),
        cmsCloseProfile);
    const ColourProfile to(cmsCreate_sRGBProfileTHR(context.get()), cmsCloseProfile);
    const cmsColorSpaceSignature space = picture.kind == PixelKind::kCmyk   ? cmsSigCmykData
                                         : picture.kind == PixelKind::kGrey ? cmsSigGrayData
                                                                            : cmsSigRgbData;
    if (from != nullptr && to != nullptr && cmsGetColorSpace(from.get()) == space) {
      const ColourTransform transform(
          cmsCreateTransformTHR(context.get(), from.get(), colour_format(picture.kind), to.get(),
                                TYPE_RGBA_8, INTENT_RELATIVE_COLORIMETRIC, 0),
          cmsDeleteTransform);
      if (transform != nullptr &&
          (picture.kind == PixelKind::kCmyk || !is_identity(transform.get(), picture.kind))) {
        for (std::int64_t y = 0; y < picture.height; ++y) {  // in place: opacity stays
          cmsDoTransform(transform.get(), picture.row(y), picture.row(y),
                         static_cast<cmsUInt32Number>(picture.width));
        }
        is_converted = true;
      }
    }
  }
  if (picture.kind != PixelKind::kCmyk) return;
  if (!is_converted) cmyk_to_rgb(picture);
  for (std::size_t i = 3; i < picture.pixels.size(); i += 4) picture.pixels[i] = 255;
}

/// A profile as a file; empty if LittleCMS can't write it.
inline std::vector<std::uint8_t> saved_profile(const ColourProfile& profile) {
  std::vector<std::uint8_t> bytes;
  cmsUInt32Number size = 0;
  if (profile == nullptr || !cmsSaveProfileToMem(profile.get(), nullptr, &size)) return bytes;
  bytes.resize(size);
  if (!cmsSaveProfileToMem(profile.get(), bytes.data(), &size)) return {};
  return bytes;
}

/// What the code points of ITU-T H.273 for primaries and transfer, as in PNG's cICP, mean as a
/// profile, which is empty for sRGB; nothing for those that aren't known. The curves of video are
/// taken for that of sRGB, as players do: ffmpeg marks frames with them.
inline std::optional<std::vector<std::uint8_t>> coded_profile(int primaries, int transfer) {
  constexpr cmsCIExyY kD65{0.3127, 0.3290, 1.0};
  cmsCIExyYTRIPLE colours{};
  if (primaries == 1) colours = {{0.64, 0.33, 1.0}, {0.30, 0.60, 1.0}, {0.15, 0.06, 1.0}};
  if (primaries == 9) colours = {{0.708, 0.292, 1.0}, {0.170, 0.797, 1.0}, {0.131, 0.046, 1.0}};
  if (primaries == 12) colours = {{0.68, 0.32, 1.0}, {0.265, 0.69, 1.0}, {0.15, 0.06, 1.0}};
  const bool is_srgb_curve = transfer == 1 || transfer == 6 || (transfer >= 13 && transfer <= 15);
  const double gamma = transfer == 4 ? 2.2 : transfer == 5 ? 2.8 : transfer == 8 ? 1.0 : 0.0;
  if (colours.Red.Y == 0.0 || (!is_srgb_curve && gamma == 0.0)) return std::nullopt;
  if (primaries == 1 && is_srgb_curve) return std::vector<std::uint8_t>{};

  constexpr double kSrgb[] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  constexpr int kPowerAndLine = 4;  // LittleCMS' number of the formula with these five parameters
  const ColourContext context = colour_context();
  cmsToneCurve* const curve = is_srgb_curve
                                  ? cmsBuildParametricToneCurve(context.get(), kPowerAndLine, kSrgb)
                                  : cmsBuildGamma(context.get(), gamma);
  if (curve == nullptr) return std::nullopt;
  cmsToneCurve* const curves[] = {curve, curve, curve};
  const ColourProfile profile(cmsCreateRGBProfileTHR(context.get(), &kD65, &colours, curves),
                              cmsCloseProfile);
  cmsFreeToneCurve(curve);
  return saved_profile(profile);
}

/// sRGB as a profile, to be written into pictures.
inline std::vector<std::uint8_t> srgb_profile() {
  constexpr std::size_t kDateAt = 24;
  constexpr std::size_t kDateBytes = 12;
  constexpr double kVersion = 2.1;  // which every viewer knows
  const ColourContext context = colour_context();
  const ColourProfile profile(cmsCreate_sRGBProfileTHR(context.get()), cmsCloseProfile);
  if (profile == nullptr) return {};
  cmsSetProfileVersion(profile.get(), kVersion);
  std::vector<std::uint8_t> bytes = saved_profile(profile);
  if (bytes.empty()) return bytes;
  // The date of making would give each file other bytes.
  constexpr std::uint8_t kDate[kDateBytes] = {7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
  std::copy_n(kDate, kDateBytes, bytes.begin() + kDateAt);
  return bytes;
}

}  // namespace sfumato::io::detail
