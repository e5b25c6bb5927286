#!/usr/bin/env bash
# Guess:   LittleCMS converts pictures of 16 bits as exactly as those of 8 bits, or better.
# Seen:    from Display P3, Adobe RGB and ProPhoto RGB to sRGB 8 bits are right to 0.75 levels of 255, and 16 bits are
#          up to 27 levels off: 8 bits go through curves and a matrix, 16 bits by default through a table of colours
#          that knows the edge of sRGB only roughly. With cmsFLAGS_NOOPTIMIZE they are right to 0.003 levels.
# Version: LittleCMS 2.14 (Debian's liblcms2 2.14-2+deb12u1)
# Matters: whoever takes 16 bits to be careful gets saturated colours, where sRGB ends, visibly wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q liblcms2-dev=2.14-2+deb12u1 liblcms2-2=2.14-2+deb12u1 > log 2>&1
for package in *.deb; do dpkg -x "$package" lcms; done
cat > convert.cpp <<'END'
#include <lcms2.h>
#include <algorithm>
#include <cmath>
#include <cstdio>

cmsHPROFILE profile(const cmsCIExyYTRIPLE& primaries, double gamma) {
  const cmsCIExyY white = {0.3127, 0.3290, 1};
  cmsToneCurve* const curve = cmsBuildGamma(nullptr, gamma);
  cmsToneCurve* const curves[3] = {curve, curve, curve};
  return cmsCreateRGBProfile(&white, &primaries, curves);
}

int main() {
  const cmsHPROFILE from[] = {profile({{0.68, 0.32, 1}, {0.265, 0.69, 1}, {0.15, 0.06, 1}}, 2.2),
                              profile({{0.64, 0.33, 1}, {0.21, 0.71, 1}, {0.15, 0.06, 1}}, 2.2),
                              profile({{0.7347, 0.2653, 1}, {0.1596, 0.8404, 1}, {0.0366, 0.0001, 1}}, 1.8)};
  const cmsHPROFILE to = cmsCreate_sRGBProfile();
  for (int i = 0; i < 3; ++i) {
    const auto made = [&](auto type, auto flag) { return cmsCreateTransform(from[i], type, to, type, 1, flag); };
    const auto bytes = made(TYPE_RGB_8, 0), words = made(TYPE_RGB_16, 0);
    const auto careful = made(TYPE_RGB_16, cmsFLAGS_NOOPTIMIZE), exactly = made(TYPE_RGB_DBL, cmsFLAGS_NOOPTIMIZE);
    double off[3] = {};
    for (int colour = 0; colour < 52 * 52 * 52; ++colour) {
      unsigned char x8[3], y8[3];
      unsigned short x16[3], y16[3], z16[3];
      double x[3], y[3];
      for (int c = 0, rest = colour; c < 3; ++c, rest /= 52) {
        x8[c] = 5 * (rest % 52), x16[c] = 257 * x8[c], x[c] = x8[c] / 255.0;
      }
      cmsDoTransform(bytes, x8, y8, 1), cmsDoTransform(words, x16, y16, 1);
      cmsDoTransform(careful, x16, z16, 1), cmsDoTransform(exactly, x, y, 1);
      for (int c = 0; c < 3; ++c) {
        const double right = 255 * std::clamp(y[c], 0.0, 1.0), found[] = {y8[c] + 0.0, y16[c] / 257.0, z16[c] / 257.0};
        for (int k = 0; k < 3; ++k) off[k] = std::max(off[k], std::abs(found[k] - right));
      }
    }
    const char* const names[] = {"Display P3", "Adobe RGB", "ProPhoto RGB"};
    std::printf("%s: 8 bits off by %.2f, 16 bits by %.2f, carefully %.3f\n", names[i], off[0], off[1], off[2]);
    if (off[0] > 0.75 || off[1] < 9 || off[2] > 0.01) return 1;
  }
}
END
g++ -std=c++17 -w -O1 -Ilcms/usr/include convert.cpp lcms/usr/lib/*/liblcms2.so.2 -o convert
LD_LIBRARY_PATH=$(echo lcms/usr/lib/*) ./convert
echo "as described"
