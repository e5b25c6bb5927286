#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "byte_sizes.hpp"
#include "option.hpp"
#include "picture_options.hpp"
#include "presets.hpp"
#include "sfumato/style/transfer.hpp"
#include "values.hpp"

namespace neural_style {

/// The group of what all jobs have in common.
inline constexpr const char* kMachine = "Network and machine";

/// The group of what the studio takes besides those.
inline constexpr const char* kStudio = "The studio (neural_style studio)";

/// The group of what is printed instead of painting anything.
inline constexpr const char* kAnswers = "Instead of painting";

namespace detail {

/// The rows behind those of picture_options().
inline const std::vector<Option>& further_options() {
  using A = Arguments;
  using T = sfumato::style::TransferOptions;
  using O = sfumato::style::ObjectiveOptions;
  using N = sfumato::nn::VggOptions;
  namespace style = sfumato::style;
  namespace nn = sfumato::nn;
  namespace ops = sfumato::ops;
  constexpr std::int64_t kMany = 1000000;
  constexpr double kHeaviest = 1e38;  // losses are float
  constexpr const char* kOptimiser = "Optimiser";
  constexpr const char* kObjective = "Objective";
  constexpr const char* kJobs = "Many pictures";
  constexpr const char* kRuns = "Stopping and going on";
  constexpr const char* kReports = "Reports";
  const Exclusion not_lbfgs{{}, "--optimizer", "lbfgs", "it has no learning rate"};
  const Exclusion not_scaled{{}, "--optimizer", "scaled-lbfgs", "it has no learning rate"};
  const auto own_of_jobs = [](const char* option) {
    return Exclusion{{}, option, {}, "every job names its own"};
  };
  std::vector<Exclusion> of_one_picture{{{}, "CONTENT", {}, "a film is its own content"}};
  for (const char* const other :
       {"--jobs", "--checkpoint", "--resume", "--losses", "--plot", "--report", "--animation",
        "--save-every", "--save-stages", "--keep-alpha"}) {
    of_one_picture.push_back({{}, other, {}, "that is of one picture"});
  }
  std::vector<Exclusion> of_one_folder = of_one_picture;
  of_one_folder.push_back({{}, "--film", {}, "either is what is painted"});
  of_one_folder.push_back({{}, "--output", "", "the frames go into a folder of their own"});
  const auto of_one = [](const char* option) {
    return Exclusion{{}, option, {}, "that is for one picture alone"};
  };
  static const std::vector<Option> table{
      {"--iterations", "", "COUNT", kOptimiser, "Steps of the optimiser (of each stage)",
       number(at(&T::iterations), std::int64_t{1}, kMany)},
      {"--first-iterations",
       "",
       "COUNT",
       kOptimiser,
       "Steps of the coarsest stage (default: --iterations; of --method wasserstein and of "
       "--preset "
       "crowson 1000)",
       number(at(&A::first_iterations), std::int64_t{1}, kMany),
       {{{}, "--min-size", "", "without it there is one size"}}},
      {"--until-loss", "", "LOSS", kOptimiser,
       "End as soon as the total loss (of the last stage) is at most this; with status 3 if the "
       "iterations run out before",
       number(at(&T::until_loss), 0.0, kHeaviest)},
      {"--optimizer", "", "WHICH", kOptimiser,
       "adam; lbfgs, of which every evaluation counts as an iteration; or scaled-lbfgs, the "
       "same with each frequency of the gradient divided by itself, which takes the fewest "
       "iterations",
       meaning<decltype(at(&T::optimizer)), style::Optimizer>(
           at(&T::optimizer), {{"adam", style::Optimizer::kAdam},
                               {"lbfgs", style::Optimizer::kLbfgs},
                               {"scaled-lbfgs", style::Optimizer::kScaledLbfgs}})},
      {"--learning-rate",
       "",
       "RATE",
       kOptimiser,
       "Of Adam; half of it in final passes",
       positive(at(&T::learning_rate), 1000.0),
       {not_lbfgs, not_scaled}},
      {"--lr-decay-every",
       "",
       "COUNT",
       kOptimiser,
       "Iterations after which the learning rate is multiplied by --lr-decay",
       number(at(&T::lr_decay_every), std::int64_t{1}, kMany),
       {not_lbfgs, not_scaled}},
      {"--lr-decay",
       "",
       "FACTOR",
       kOptimiser,
       "See --lr-decay-every",
       positive(at(&T::lr_decay), 1.0),
       {not_lbfgs, not_scaled}},
      {"--init", "", "WHAT|FILE", kOptimiser,
       "What the picture starts as: content, noise, gray, style-stats (noise in the style's "
       "colours), or a picture of your own",
       words(at(&A::initial), "content, noise, gray, style-stats or a file name",
             {"content", "noise", "gray", "style-stats"})},
      {"--seed",
       "",
       "NUMBER",
       kOptimiser,
       "Of the noise",
       number(at(&A::seed), std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()),
       {{{}, "--init", "content", "only noise is random"},
        {{}, "--init", "gray", "only noise is random"}}},

      {"--method",
       "",
       "NAME",
       kObjective,
       "How styles are compared; sets the defaults of other options. gram: which features occur "
       "together (Gatys et al., 2016); wasserstein: means and covariances, from coarse to fine; "
       "neighbors: each place of the picture is to look like the "
       "place of the style that is most like it (Kolkin et al., 2022)",
       meaning<decltype(at(&O::style_loss)), style::StyleLoss>(
           at(&O::style_loss), {{"gram", style::StyleLoss::kGram},
                                {"wasserstein", style::StyleLoss::kWasserstein},
                                {"neighbors", style::StyleLoss::kNeighbors}}),
       {{{}, "--preset", {}, "a preset has a method"}}},
      {"--strength", "", "PART", kObjective,
       "From 0, what the content itself looks like, to 1, the style",
       number(at(&O::strength), 0.0, 1.0)},
      {"--content-weight", "", "WEIGHT", kObjective, "Of the content loss",
       number(at(&O::content_weight), 0.0, kHeaviest)},
      {"--style-weight", "", "WEIGHT", kObjective, "Of each layer's style loss",
       number(at(&O::style_weight), 0.0, kHeaviest)},
      {"--tv-weight", "", "WEIGHT", kObjective, "Of the total variation loss",
       number(at(&O::tv_weight), 0.0, kHeaviest)},
      {"--temporal-weight",
       "",
       "WEIGHT",
       kObjective,
       "In a film, of how far a frame is from the last one where that shows the same",
       number(at(&A::temporal_weight), 0.0, kHeaviest),
       {{{}, "--film", "", "there is no last frame"}}},
      {"--content-layers", "", "LAYERS", kObjective,
       "Layers by name (conv4_4, relu4_2, pool3) or PyTorch's index, commas between them",
       list(at(&O::content_layers))},
      {"--style-layers", "", "LAYERS", kObjective, "The same for style",
       list(at(&O::style_layers))},
      {"--style-layer-weights", "", "WEIGHTS", kObjective,
       "What the style loss of each of them is multiplied by, commas between them (default: 1)",
       numbers(at(&A::style_layer_weights))},
      {"--normalize-gradients",
       "",
       "",
       kObjective,
       "Have the losses of all layers pull with equal force, but for their weights",
       flag(at(&O::normalize_gradients)),
       {{{}, "--method", "neighbors", "cosines of all layers pull with equal force"}}},
      {"--pooling", "", "HOW", kObjective,
       "How the network makes one of four values: max, average, or l2, the root of the sum of "
       "squares",
       meaning<decltype(at(&N::pooling)), nn::Pooling>(at(&N::pooling),
                                                       {{"max", nn::Pooling::kMax},
                                                        {"average", nn::Pooling::kAverage},
                                                        {"l2", nn::Pooling::kL2}})},
      {"--padding", "", "HOW", kObjective,
       "What the network sees beyond the edges of a picture: zeros, or replicate, its edge",
       meaning<decltype(at(&N::first_padding)), ops::PaddingMode>(
           at(&N::first_padding),
           {{"zeros", ops::PaddingMode::kZeros}, {"replicate", ops::PaddingMode::kReplicate}})},

      {"--weights", "", "FILE", kMachine,
       "VGG-19 weights (.safetensors or .pth); otherwise $SFUMATO_WEIGHTS, the repository's "
       "weights/ and the user's cache are searched",
       words(at(&A::weights), "a file name")},
      {"--device", "", "DEVICE", kMachine,
       "Where to compute: auto (a GPU if there is one), cpu, cuda or cuda:INDEX",
       words(at(&A::device), "a device")},
      {"--precision", "", "TYPE", kMachine,
       "What the network's weights and features are stored in: float32, or bf16, which takes less "
       "memory. The picture, sums and losses are float32",
       choice(at(&A::precision), {"float32", "bf16"})},
      {"--memory",
       "",
       "HOW",
       kMachine,
       "normal, or low, which computes the largest features again instead of keeping them",
       choice(at(&A::memory), {"normal", "low"}),
       {{"low", "--precision", "bf16", "what it computes again is float32"}}},
      {"--max-memory", "", "SIZE", kMachine,
       "How much the program may take, such as 800M or 2.3G (default: what the system can give). "
       "Where a picture would need more, it is painted in tiles: more slowly, but the same",
       bytes(at(&A::max_memory))},
      {"--tile",
       "",
       "PIXELS",
       kMachine,
       "Paint in tiles with sides of at most this; otherwise they are as large as the memory "
       "allows",
       number(at(&A::tile), std::int64_t{64}, kLargest),
       {{{}, "--method", "neighbors", "a neighbour may be anywhere in the picture"},
        {{}, "--normalize-gradients", {}, "how much a layer pulls is known of the whole only"}}},
      {"--tf32",
       "",
       "",
       kMachine,
       "On a GPU, round the factors of products to 10 bits: faster, a little less exact (bf16 does "
       "so anyway)",
       flag(at(&A::tf32)),
       {{{}, "--device", "cpu", "it is for products on a GPU"}}},
      {"--threads", "", "COUNT", kMachine, "Threads on the CPU (default: all that may be used)",
       number(at(&A::threads), 1, 1024)},

      {"--checkpoint", "", "FILE", kRuns,
       "File that always holds what it takes to go on with the run, even after a kill -9 or a "
       "power cut; meanwhile OUT is the picture as it is so far",
       words(at(&A::checkpoint), "a file name")},
      {"--checkpoint-every",
       "",
       "SECONDS",
       kRuns,
       "How often the checkpoint is written; on any signal that ends the run it is, too",
       number(at(&A::checkpoint_every), 0.0, 86400.0),
       {{{}, "--checkpoint", "", "nothing else is written on the way"}}},
      {"--resume", "", "FILE", kRuns,
       "Go on with the run of such a file, with the same pictures and options, to the same bits as "
       "if it had never ended. --checkpoint may name the same file",
       words(at(&A::resume), "a file name")},

      {"--losses", "", "FILE", kReports, "CSV file for the losses of every iteration",
       words(at(&A::losses), "a file name")},
      {"--report-every", "", "COUNT", kReports,
       "Iterations between two reports, on the screen, in the log and in drawings; the log and "
       "drawings have all iterations with --losses or --until-loss, which compute their losses "
       "anyway",
       number(at(&A::report_every), std::int64_t{1}, kMany)},
      {"--log", "", "FILE", kReports,
       "File to which a line of JSON (JSONL) is appended for every report, at once",
       words(at(&A::log), "a file name")},
      {"--plot", "", "FILE", kReports,
       "SVG file for a drawing of the losses, on a logarithmic axis, at the end",
       words(at(&A::plot), "a file name")},
      {"--report", "", "FILE", kReports,
       "HTML page of the whole run, at the end: pictures, also on the way, losses, settings. It "
       "needs no other file",
       words(at(&A::report), "a file name")},
      {"--save-every", "", "COUNT", kReports,
       "Also write the picture after every so many iterations (OUT-000100.png)",
       number(at(&A::save_every), std::int64_t{1}, kMany)},
      {"--animation", "", "FILE", kReports,
       "Animation of the painting (.gif, or .apng, which has all colours), of about 60 pictures or "
       "one for each --save-every, no side above 640 pixels",
       words(at(&A::animation), "a file name")},
      {"--quiet", "", "", kReports, "Print nothing but errors", flag(at(&A::quiet))},

      {"--grid",
       "",
       "LISTS",
       kJobs,
       "Paint small pictures, no side above 192 pixels, with all combinations of the values of one "
       "or two options, as content-weight=1,10,style-weight=1e3,1e4, into one picture, and print "
       "the command that paints each large",
       grid(at(&A::grid)),
       {of_one("--jobs"), of_one("--height"), of_one("--width"), of_one("--keep-alpha"),
        of_one("--film"), of_one("--frames"), of_one("--save-stages"), of_one("--checkpoint"),
        of_one("--resume"), of_one("--losses"), of_one("--log"), of_one("--plot"),
        of_one("--report"), of_one("--save-every"), of_one("--animation")}},
      {"--jobs",
       "",
       "FILE",
       kJobs,
       "Paint all that a file asks for, a line each, as JSON: {\"content\": \"a.jpg\", \"style\": "
       "\"b.jpg\", \"output\": \"c.png\", \"size\": 256}. Other options are defaults of all lines. "
       "What is "
       "done (c.png.done) is not done again; what fails is reported, and the rest goes on",
       words(at(&A::jobs), "a file name"),
       {own_of_jobs("CONTENT"), own_of_jobs("STYLE"), own_of_jobs("--style"),
        own_of_jobs("--output"), own_of_jobs("--losses"), own_of_jobs("--plot"),
        own_of_jobs("--report"), own_of_jobs("--animation"), own_of_jobs("--checkpoint"),
        own_of_jobs("--resume")}},
      {"--shard",
       "",
       "K/N",
       kJobs,
       "Of the jobs, only the K-th of N parts, for N machines that share a disk",
       part(at(&A::shard)),
       {{{}, "--jobs", "", "it is a part of them"}}},
      {"--film", "", "FILE", kJobs,
       "Instead of CONTENT: paint a film, into another one (.mp4, .mkv or .mov). It takes "
       "ffmpeg",
       words(at(&A::film), "a file name"), of_one_picture},
      {"--frames", "", "FOLDER", kJobs,
       "The same of a film's frames: all pictures in a folder, in the order of their names, into "
       "the folder that --output names",
       words(at(&A::film), "a folder"), of_one_folder},

      {"--folder", "", "FOLDER", kStudio,
       "Where pictures and the last twenty results are kept (default: sfumato/studio in "
       "$XDG_STATE_HOME or ~/.local/state)",
       words(at(&A::folder), "a folder")},
      {"--host", "", "ADDRESS", kStudio,
       "Where to serve. Anything but this machine's own address can be reached from outside, and "
       "asks for the token in the address that is printed",
       words(at(&A::host), "an address")},
      {"--port", "", "NUMBER", kStudio, "Its port; 0 takes one that is free",
       number(at(&A::port), 0, 65535)},

      {"--help", "-h", "", kAnswers, "Print this", answer("help")},
      {"--version", "", "", kAnswers,
       "Print the version, the device, its instruction set and the libraries", answer("version")},
      {"--man", "", "", kAnswers, "Print this as a page for man", answer("man")},
      {"--completions", "", "SHELL", kAnswers, "Print what completes these options in a shell",
       choice(at(&A::answer), {"bash", "zsh", "fish"})},
  };
  return table;
}

}  // namespace detail

/// The table: every option once, in the order of the help.
inline const std::vector<Option>& options() {
  static const std::vector<Option> table = [] {
    std::vector<Option> all = picture_options();
    const std::vector<Option>& further = detail::further_options();
    all.insert(all.end(), further.begin(), further.end());
    return all;
  }();
  return table;
}

/// The option of that name, or null.
inline const Option* find_option(std::string_view name) {
  for (const Option& option : options()) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

}  // namespace neural_style
