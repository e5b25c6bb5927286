// Colour profiles, which PNG and WebP files hold compressed or behind others' headers.

#include "picture.hpp"

using namespace sfumato;

namespace {

using io::detail::PixelKind;

io::detail::Picture picture(PixelKind kind, std::vector<std::uint8_t> profile) {
  return {2, 1, kind, {10, 20, 30, 40, 255, 0, 128, 255}, std::move(profile), 1};
}

/// The profiles of the fixtures among the JPEGs, where they stand as they are.
std::string profile_of(const std::string& name) {
  const std::string bytes = fuzz::fixture("images/" + name);
  const std::vector<std::uint8_t> file(bytes.begin(), bytes.end());
  const auto profile = io::detail::decode_jpeg(name, file).profile;
  return {profile.begin(), profile.end()};
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {profile_of("adobe.jpg"), profile_of("srgb.jpg"), profile_of("grey-linear.jpg"),
          profile_of("cmyk-profile.jpg")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const PixelKind kind : {PixelKind::kRgb, PixelKind::kGrey, PixelKind::kCmyk}) {
    fuzz::run([&] {
      auto pixels = picture(kind, {data, data + size});
      io::detail::convert_to_srgb(pixels);
    });
  }
  return 0;
}
