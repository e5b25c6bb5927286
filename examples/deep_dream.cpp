// Deep dream (Mordvintsev, Olah and Tyka, 2015): a picture is changed until a layer of a network
// sees more of whatever it sees there.
//   deep_dream PICTURE OUT [LAYER] [LONGER SIDE]

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include "find_weights.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"

using namespace sfumato;

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fputs("usage: deep_dream PICTURE OUT [LAYER] [LONGER SIDE]\n", stderr);
    return 2;
  }
  const std::string layer = argc > 3 ? argv[3] : "relu4_2";
  const std::int64_t longer = argc > 4 ? std::atoi(argv[4]) : 256;

  auto network = style::load_vgg<float>(examples::find_weights("", argv[0]));
  network.freeze();  // only the picture is changed

  const auto pixels = io::read_image(argv[1]);
  Tensor<float> picture;

  // Octaves: large shapes first, in a small picture; then finer ones, in that one enlarged.
  for (const double scale : {0.5, 0.7, 1.0}) {
    const auto size = style::size_in_proportion(
        pixels.shape(), static_cast<std::int64_t>(static_cast<double>(longer) * scale));
    picture = picture.defined() ? style::enlarge_picture(picture, size)
                                : style::prepare_picture<float>(pixels, size);
    Variable<float> x(picture, true);

    float first = 0, last = 0;
    for (int step = 0; step < 15; ++step) {
      x.zero_grad();
      const auto seen = network.features(x, {network.layer_index(layer)})[0].square().mean();
      seen.backward();
      (step == 0 ? first : last) = seen.item();

      // Uphill, by steps of one length whatever the slope.
      const auto slope = x.grad().value();
      const float length = std::sqrt((slope * slope).mean().item());
      x.mutable_value() = style::clip_picture(x.value() + slope * (0.02F / length));
    }
    picture = x.value();
    std::printf("%4lld x %-4lld  %s: %.2f, then %.2f\n", static_cast<long long>(size.width),
                static_cast<long long>(size.height), layer.c_str(), first, last);
  }
  io::write_image(argv[2], style::denormalize(picture));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "deep_dream: %s\n", error.what());
  return 1;
}
