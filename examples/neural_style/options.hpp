#pragma once

#include <CLI/CLI.hpp>

#include "arguments.hpp"
#include "sfumato/style/transfer.hpp"
#include "stages.hpp"

namespace neural_style {

inline void add_options(CLI::App& app, Arguments& a) {
  app.option_defaults()->always_capture_default();
  const CLI::Range sides(kSmallest, kLargest);
  app.add_option("CONTENT", a.content, "Picture whose content is kept (JPEG, PNG or BMP)")
      ->required();
  app.add_option("STYLE", a.style, "Picture whose style is taken")->required();
  app.add_option("-o,--output", a.output, "Picture to write (.png or .jpg)")->required();
  app.add_option("--size", a.size,
                 "Longer side in pixels, the other in proportion, to 8 pixels (default 512)")
      ->check(sides);
  app.add_option("--height", a.height,
                 "Height in pixels; alone, the width is in proportion, to 8 pixels")
      ->check(sides);
  app.add_option("--width", a.width,
                 "Width in pixels; alone, the height is in proportion, to 8 pixels")
      ->check(sides);
  app.add_option("--preset", a.preset,
                 "d2l: the two stages of \"Dive into Deep Learning\", 500 iterations at 150 x 225, "
                 "then 300 at 600 x 900")
      ->check(CLI::IsMember({"d2l"}));
  app.add_flag("--save-stages", a.save_stages,
               "With a preset, also write the picture of each earlier stage (OUT-stage1.png)");

  sfumato::style::TransferOptions& t = a.transfer;
  app.add_option("--iterations", t.iterations, "Steps of the optimiser")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--learning-rate", t.learning_rate, "Of Adam")->check(CLI::PositiveNumber);
  app.add_option("--lr-decay-every", t.lr_decay_every,
                 "Iterations after which the learning rate is multiplied by --lr-decay")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--lr-decay", t.lr_decay, "See --lr-decay-every")->check(CLI::PositiveNumber);
  sfumato::style::ObjectiveOptions& o = t.objective;
  app.add_option("--content-weight", o.content_weight, "Of the content loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--style-weight", o.style_weight, "Of each layer's style loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--tv-weight", o.tv_weight, "Of the total variation loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--content-layers", o.content_layers,
                 "Layers by name (conv4_4, relu4_2, pool3) or PyTorch's index, comma-separated")
      ->delimiter(',');
  app.add_option("--style-layers", o.style_layers, "The same for style")->delimiter(',');

  app.add_option("--init", a.initial, "What the picture starts as")
      ->check(CLI::IsMember({"content", "noise"}));
  app.add_option("--seed", a.seed, "Of the noise");
  app.add_option("--weights", a.weights,
                 "VGG-19 weights (.safetensors or .pth); otherwise $SFUMATO_WEIGHTS, the "
                 "repository's weights/ and the user's cache are searched");
  app.add_option("--device", a.device,
                 "Where to compute: auto (a GPU if there is one), cpu, cuda or cuda:INDEX");
  app.add_option("--precision", a.precision,
                 "What the network's weights and features are stored in; bf16 takes less memory. "
                 "The picture, sums and losses are float32")
      ->check(CLI::IsMember({"float32", "bf16"}));
  app.add_option("--memory", a.memory,
                 "low computes the largest features again instead of keeping them (with float32)")
      ->check(CLI::IsMember({"normal", "low"}));
  app.add_flag("--tf32", a.tf32,
               "On a GPU, round the factors of products to 10 bits: faster, a little less exact "
               "(bf16 does so anyway)");
  app.add_option("--threads", a.threads, "Threads on the CPU (default: all)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--losses", a.losses, "CSV file for the losses of every iteration");
  app.add_option("--report-every", a.report_every, "Iterations between two reports")
      ->check(CLI::Range(1, 1000000));
  app.add_flag("--quiet", a.quiet, "Print nothing but errors");
  app.footer("Example: neural_style photo.jpg painting.jpg -o out.png --size 512");
}

}  // namespace neural_style
