// The parts of examples/neural_style that no run of the program shows.

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../examples/neural_style/chart.hpp"
#include "../examples/neural_style/checkpoint.hpp"
#include "../examples/neural_style/display.hpp"
#include "../examples/neural_style/expected_memory.hpp"
#include "../examples/neural_style/markup.hpp"
#include "../examples/neural_style/memory.hpp"
#include "../examples/neural_style/options.hpp"
#include "../examples/neural_style/outputs.hpp"
#include "../examples/neural_style/parse.hpp"
#include "../examples/neural_style/presets.hpp"
#include "../examples/neural_style/record.hpp"
#include "../examples/neural_style/reporter.hpp"
#include "../examples/neural_style/signals.hpp"
#include "../examples/neural_style/stages.hpp"
#include "../examples/neural_style/studio.hpp"
#include "../examples/studio/guard.hpp"
#include "sfumato/sfumato.hpp"
#include "support/complaint.hpp"
#include "support/fake_system.hpp"

namespace {

using namespace neural_style;

constexpr double kGibi = 1024.0 * 1024.0 * 1024.0;

/// The status with which a process ends that paints and does this; 0 where it comes to the end.
template <class Body>
int status_of(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    catch_signals();
    begin_painting();
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Longer than one keystroke lasts.
void wait_for_another_keystroke() {
  usleep(150000);
}

/// What a command line sets, behind its pictures.
Arguments read(std::vector<const char*> words) {
  words.insert(words.begin(), {"a.jpg", "b.jpg", "-o", "c.png"});
  return parse(words);
}

/// VGG-19 with 8 channels in its first block and 16 in the others.
sfumato::nn::Vgg<float> small_network() {
  sfumato::Random random(1);
  return sfumato::nn::Vgg<float>({.widths = {8, 16, 16, 16, 16}}, random);
}

/// Somebody who asks the studio for something.
studio::Visitor visitor(const std::string& method, const std::string& host,
                        std::vector<std::string> origins) {
  return {method, "/jobs", {host}, std::move(origins), "", ""};
}

}  // namespace

TEST_CASE("the memory that there is is the smaller of the system's and the control groups'") {
  const FakeSystem system;
  CHECK_FALSE(memory_limit(system.root()).has_value());
  system.write("/proc/meminfo",
               "MemTotal:  16777216 kB\nMemAvailable:  8388608 kB\nSwapFree: 1048576 kB\n");
  system.write("/proc/self/status",
               "Name:\tx\nVmHWM:\t  2097152 kB\nVmRSS:\t 1572864 kB\nRssAnon:\t 1048576 kB\n");
  CHECK(memory_in_use(system.root()) == 2.0 * kGibi);
  CHECK(memory_now(system.root()) == 1.5 * kGibi);
  auto limit = memory_limit(system.root());
  REQUIRE(limit.has_value());
  CHECK(limit->bytes == 9.0 * kGibi);  // with what the program has already
  CHECK(limit->with_swap == 10.0 * kGibi);
  CHECK(std::string(limit->whose) == "available");

  system.write("/proc/self/cgroup", "0::/a/b\n");
  system.write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n");
  system.write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  CHECK(memory_limit(system.root())->bytes == 9.0 * kGibi);
  // The group has 6 GiB; of 4 GiB in use 1 is the program's and 2 are a cache that gives way.
  system.write("/sys/fs/cgroup/a/memory.max", "6442450944\n");
  system.write("/sys/fs/cgroup/a/memory.current", "4294967296\n");
  system.write("/sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 2147483648\n");
  limit = memory_limit(system.root());
  CHECK(limit->bytes == 5.0 * kGibi);
  CHECK(limit->with_swap == 5.0 * kGibi);
  CHECK(std::string(limit->whose) == "allowed by the control group");

  const FakeSystem first;
  first.write("/proc/meminfo", "MemAvailable:  8388608 kB\n");
  first.write("/proc/self/cgroup", "4:memory:/g\n");
  first.write("/proc/self/mountinfo",
              "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup c rw,memory\n");
  first.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(memory_limit(first.root())->bytes == 8.0 * kGibi);
  first.write("/sys/fs/cgroup/memory/g/memory.limit_in_bytes", "1073741824\n");
  first.write("/sys/fs/cgroup/memory/g/memory.usage_in_bytes", "536870912\n");
  first.write("/sys/fs/cgroup/memory/g/memory.stat", "total_inactive_file 268435456\n");
  CHECK(memory_limit(first.root())->bytes == 0.75 * kGibi);
}

TEST_CASE("bytes are said in units that a person reads") {
  CHECK(readable_bytes(0.0) == "0 MiB");
  CHECK(readable_bytes(640.0 * 1024 * 1024) == "640 MiB");
  CHECK(readable_bytes(1.25 * kGibi) == "1.25 GiB");
}

TEST_CASE("the table of options is whole: each can be found, and what it shows it also reads") {
  const Arguments defaults;
  for (const Option& option : options()) {
    CAPTURE(option.name);
    CHECK(find_option(option.name) == &option);
    CHECK_FALSE(option.help.empty());
    if (option.is_flag()) continue;
    const std::string text = option.value.show(defaults);
    Arguments a;
    CHECK(option.value.read(a, text) == !text.empty());
    CHECK(option.value.show(a) == text);
    for (const Exclusion& exclusion : option.not_with) {
      REQUIRE(find_option(exclusion.other) != nullptr);
      CHECK_FALSE(exclusion.why.empty());
    }
  }
  CHECK(find_option("--no-such") == nullptr);
}

TEST_CASE("what is given wins over a preset, in any order, and a preset over the defaults") {
  for (const Preset& preset : presets()) {
    for (const std::string& name : preset.names) {
      CAPTURE(name);
      const Arguments alone = read({"--preset", name.c_str()});
      CHECK(find_preset(alone.preset) == &preset);
      const Arguments after =
          read({"--preset", name.c_str(), "--tv-weight", "0.125", "--style-layers", "relu1_1"});
      const Arguments before =
          read({"--tv-weight", "0.125", "--style-layers", "relu1_1", "--preset", name.c_str()});
      for (const Arguments& a : {after, before}) {
        CHECK(a.transfer.objective.tv_weight == 0.125);
        CHECK(a.transfer.objective.style_layers == std::vector<std::string>{"relu1_1"});
        CHECK(a.transfer.objective.content_layers == alone.transfer.objective.content_layers);
        CHECK(a.transfer.lr_decay_every == alone.transfer.lr_decay_every);
      }
    }
  }
  CHECK(read({"--memory", "low"}).transfer.objective.low_memory);
  CHECK_FALSE(read({"--memory", "normal"}).transfer.objective.low_memory);
  CHECK(complaint([&] { read({"--preset", "none"}); }).starts_with("--preset must be "));
}

TEST_CASE("only a second SIGINT ends a run at once, and only one that follows a SIGINT") {
  const auto sent = [](int first, int second) {
    return status_of([=] {
      std::raise(first);
      wait_for_another_keystroke();
      std::raise(second);
    });
  };
  CHECK(sent(SIGINT, SIGINT) == 130);
  CHECK(sent(SIGTERM, SIGINT) == 0);
  CHECK(sent(SIGHUP, SIGINT) == 0);
  CHECK(sent(SIGXCPU, SIGINT) == 0);
  CHECK(sent(SIGINT, SIGTERM) == 0);
  CHECK(status_of([] {
          std::raise(SIGXCPU);
          _exit(interrupted);
        }) == SIGXCPU);
}

TEST_CASE("while a file is written signals wait, whichever thread they come to") {
  CHECK(status_of([] {
          std::thread([] { pause(); }).detach();
          std::raise(SIGINT);
          wait_for_another_keystroke();
          const HoldSignals whole_file;
          kill(getpid(), SIGINT);
          wait_for_another_keystroke();
          _exit(7);
        }) == 7);
  CHECK(status_of([] {
          std::raise(SIGINT);
          wait_for_another_keystroke();
          {
            const HoldSignals whole_file;
            std::raise(SIGINT);
          }
          _exit(7);
        }) == 130);
  CHECK(status_of([] {
          {
            const HoldSignals whole_file;
            std::raise(SIGTERM);
            if (interrupted != 0) _exit(8);
          }
          _exit(interrupted);
        }) == SIGTERM);
}

TEST_CASE("what to take where memory runs out") {
  Arguments a;
  CHECK(memory_remedy(a, 4) == "take a smaller --size, --memory low or --precision bf16");
  a.threads = 4;
  CHECK(memory_remedy(a, 4) == "take a smaller --size, --memory low or --precision bf16");
  a.threads = 5;
  a.memory = "low";
  CHECK(memory_remedy(a, 4) == "take a smaller --size, fewer --threads or --precision bf16");
  a.precision = "bf16";
  CHECK(memory_remedy(a, 4) == "take a smaller --size or fewer --threads");
  a.threads = 1;
  CHECK(memory_remedy(a, 4) == "take a smaller --size");
  a = {};
  a.max_memory = 1e9;
  a.transfer.optimizer = sfumato::style::Optimizer::kLbfgs;
  CHECK(memory_remedy(a, 4) == "take a smaller --size, --optimizer adam or --precision bf16");
}

TEST_CASE("memory is counted of targets, of what losses keep, and of the largest layers") {
  const auto network = small_network();
  // In bytes for each pixel a feature of block 1 takes 4 * 8 = 32, of block 2 64 / 4 = 16.
  const auto count = [&](std::vector<std::string> content, std::vector<std::string> style,
                         bool low = false) {
    return feature_bytes(network, {.content_layers = std::move(content),
                                   .style_layers = std::move(style),
                                   .low_memory = low});
  };
  const FeatureBytes deep = count({"relu2_2"}, {});
  CHECK(deep.targets == 16.0);
  CHECK(deep.looking == 64.0);  // conv1_2: what it takes and gives
  CHECK(deep.painting == 64.0);
  const FeatureBytes style = count({}, {"relu1_1", "conv2_1"});
  CHECK(style.targets == 0.0);
  CHECK(style.looking == 64.0);
  CHECK(style.painting == 32.0 + 64.0);  // relu1_1 is kept meanwhile
  CHECK(count({}, {"relu1_1", "conv2_1"}, true).painting == 64.0);
  // Four targets, and as many differences; those of three stand beside relu1_2 and its input.
  const FeatureBytes four = count({"conv1_1", "relu1_1", "conv1_2", "relu1_2"}, {});
  CHECK(four.targets == 128.0);
  CHECK(four.painting == 128.0 + 32.0);
  // The book's picture of 150 x 225 is painted at 150 x 226 where the only pooling halves it.
  Stage stage{{150, 225}, {}};
  stage.transfer.objective = {.content_layers = {"relu2_2"}, .style_layers = {}};
  const double plain_pixels = 150.0 * 225.0;
  const double painted_pixels = 150.0 * 226.0;
  constexpr double kAnyway = 8.0 * 1024.0 * 1024.0;
  CHECK(expected_memory(network, stage, {{32, 32}}) ==
        kAnyway + painted_pixels * (90.0 + 64.0 + 16.0) + plain_pixels * 16.0);
  // With neighbours, the losses that are reported are those of the larger picture.
  stage.transfer.objective.style_loss = sfumato::style::StyleLoss::kNeighbors;
  CHECK(expected_memory(network, stage, {{32, 32}}) ==
        kAnyway + painted_pixels * (90.0 + 64.0 + 16.0));
  stage.transfer.objective.style_loss = sfumato::style::StyleLoss::kGram;
  stage.transfer.borders = sfumato::style::Borders::kPlain;
  CHECK(expected_memory(network, stage, {{32, 32}}) ==
        kAnyway + plain_pixels * (90.0 + 64.0 + 16.0));
  CHECK(expected_memory(network, stage, {{300, 225}}) ==
        kAnyway + 2.0 * plain_pixels * (90.0 + 64.0) + plain_pixels * 16.0);
  // Tiles of 50 x 56 pixels, with six all around.
  stage.transfer.objective.tile = 64;
  const auto in_tiles = [&](double pictures) {
    return 2.0 * kAnyway + plain_pixels * (pictures * 12.0 + 16.0) + 62.0 * 68.0 * 96.0;
  };
  // The picture, its gradient and two moments; its average; and itself in other numbers.
  CHECK(expected_memory(network, stage, {{32, 32}}) == in_tiles(4.0));
  stage.transfer.average_decay = 0.5;
  CHECK(expected_memory(network, stage, {{32, 32}}) == in_tiles(5.0));
  stage.transfer.pixels = sfumato::style::Pixels::kUnit;
  CHECK(expected_memory(network, stage, {{32, 32}}) == in_tiles(6.0));
}

TEST_CASE("a side in proportion is no longer than a side may be") {
  const auto size = [](std::vector<const char*> words, const sfumato::Shape& content) {
    const auto found = plan_stages(read(std::move(words)), content).back().size;
    return sfumato::message(found.height, " x ", found.width);
  };
  CHECK(size({"--height", "64"}, {30, 45, 3}) == "64 x 96");
  CHECK(size({"--height", "32"}, {2, 1024, 3}) == "32 x 16384");
  CHECK(size({"--width", "32"}, {2, 1200, 3}) == "2 x 32");
  CHECK(complaint([&] {
          size({"--height", "32"}, {2, 1200, 3});
        }) ==
        "in proportion to --height 32, the picture of 2 x 1200 would become 32 x 19200, but no "
        "side may be above 16384; take --size, or both --height and --width");
}

TEST_CASE("from coarse to fine sizes are √2 apart, and the first has iterations of its own") {
  const auto plan = [](std::vector<const char*> words) {
    std::string all;
    for (const Stage& stage : plan_stages(read(std::move(words)), {300, 451, 3})) {
      all += sfumato::message(stage.size.height, " x ", stage.size.width, " ",
                              stage.transfer.iterations, stage.goes_on ? " on, " : ", ");
    }
    return all;
  };
  CHECK(plan({"--size", "96", "--min-size", "48", "--iterations", "6", "--first-iterations",
              "8"}) == "32 x 48 8, 45 x 68 6, 64 x 96 6, ");
  CHECK(plan({"--min-size", "500", "--first-iterations", "9", "--final-passes", "0"}) ==
        "341 x 512 9, ");
  // Both sides given: coarser pictures have their proportions.
  CHECK(plan({"--height", "100", "--width", "50", "--min-size", "64"}) ==
        "71 x 36 25, 100 x 50 25, 100 x 50 7, 100 x 50 7, ");
  // By default from 64 pixels on, and with two final passes.
  CHECK(plan({"--size", "100"}) == "47 x 71 25, 67 x 100 25, 67 x 100 7, 67 x 100 7, ");
  // Adam goes on with what it has learnt of pixels, but not of the levels of a pyramid.
  CHECK(plan({"--size", "100", "--iterations", "9", "--pyramid", "0"}) ==
        "47 x 71 9, 67 x 100 9 on, ");
  CHECK(plan({"--size", "100", "--iterations", "9", "--optimizer", "lbfgs"}) ==
        "47 x 71 9, 67 x 100 9 on, ");
  // Final passes are a quarter as long, at half the learning rate, and none of them goes on.
  CHECK(plan({"--size", "50", "--iterations", "9", "--final-passes", "2"}) ==
        "33 x 50 9, 33 x 50 3, 33 x 50 3, ");
  std::string rates;
  for (const Stage& stage : plan_stages(read({"--size", "50"}), {300, 451, 3})) {
    rates += sfumato::message(stage.transfer.learning_rate, " ");
  }
  CHECK(rates == "0.01 0.005 0.005 ");
  CHECK(plan({"--size", "50", "--final-passes", "0"}) == "33 x 50 25, ");
  // Who says how many iterations gets as many at each size, and passes for the asking.
  CHECK(plan({"--size", "50", "--iterations", "9"}) == "33 x 50 9, ");
  CHECK(plan({"--size", "100", "--method", "gram"}) == "67 x 100 500, ");
  // A preset's stages give way.
  CHECK(plan({"--preset", "d2l", "--min-size", "300", "--iterations", "2"}) ==
        "241 x 362 2, 341 x 512 2 on, ");
  CHECK(complaint([] {
          read({"--first-iterations", "5", "--method", "gram"});
        }) == "--first-iterations needs --min-size: without it there is one size");
  CHECK(complaint([] {
          plan_stages(read({"--save-stages", "--size", "64", "--final-passes", "0"}), {10, 10, 3});
        }) ==
        "--save-stages: one stage has no picture before the last; take --min-size, or a preset of "
        "several without a size");
}

TEST_CASE("with plain borders a picture is as large as the deepest layer needs") {
  const auto plan = [](std::vector<const char*> words, std::int64_t least_side) {
    return complaint([&] {
      refuse_thin(plan_stages(read(std::move(words)), {10, 40, 3})[0], least_side);
    });
  };
  CHECK(plan({"--size", "32", "--borders", "plain"}, 8) == "nothing");
  CHECK(plan({"--size", "32", "--borders", "plain"}, 16) ==
        "a picture of 8 x 32 is too thin for the layers asked for: with plain borders, sides must "
        "be at least 16; take a larger size, or --borders extend");
  CHECK(plan({"--size", "32"}, 32) == "nothing");
}

TEST_CASE("a method has defaults of its own, and what is given wins") {
  using sfumato::style::StyleLoss;
  CHECK(read({}).transfer.objective.style_loss == StyleLoss::kNeighbors);
  const Arguments gram = read({"--method", "gram"});
  CHECK(gram.transfer.objective.style_weight == 1e3);
  CHECK(gram.transfer.iterations == 500);
  CHECK_FALSE(gram.transfer.clip);
  const Arguments wasserstein = read({"--content-weight", "2", "--method", "wasserstein"});
  CHECK(wasserstein.transfer.objective.style_loss == StyleLoss::kWasserstein);
  CHECK(wasserstein.transfer.objective.content_weight == 2.0);
  CHECK(wasserstein.transfer.objective.style_weight == 1.0);
  CHECK(wasserstein.min_size == 128);
  CHECK(read({"--preset", "d2l"}).transfer.objective.style_loss == StyleLoss::kGram);
  CHECK(read({"--strength", "0.25"}).transfer.objective.strength == 0.25);
}

TEST_CASE("options that would do nothing are refused") {
  CHECK(complaint([] {
          read({"--method", "gram", "--preset", "d2l"});
        }) == "--method does not go with --preset: a preset has a method");
  CHECK(complaint([] { read({"--normalize-gradients"}); }) ==
        "--normalize-gradients does not go with --method neighbors: cosines of all layers pull "
        "with equal force");
  CHECK(complaint([] {
          read({"--seed", "5"});
        }) == "--seed does not go with --init content: only noise is random");
  CHECK(read({"--init", "noise", "--seed", "5"}).seed == 5);
  CHECK(complaint([] { read({"--help=1"}); }) == "--help takes no value");
  CHECK(complaint([] { read({"-h1"}); }) == "-h takes no value");
}

TEST_CASE("losses have as many digits as a person reads, and a rise is said") {
  CHECK(readable_loss(10.09636) == "10.0964");
  CHECK(readable_loss(999999.0) == "999999.0000");
  CHECK(readable_loss(722415839944376320.0) == "7.22416e+17");
  sfumato::style::TransferOptions options;
  const auto rise = [&](const std::vector<double>& totals) {
    std::vector<sfumato::style::Iteration> history;
    for (const double total : totals) {
      history.emplace_back();
      history.back().total = total;
    }
    return rise_of_loss(history, options);
  };
  CHECK(rise({}).empty());
  CHECK(rise({2.0}).empty());
  CHECK(rise({2.0, 3.0, 1.5}).empty());
  CHECK(rise({2.0, 1.5, 3e7}) ==
        "the loss rose from 2.0000 to 3e+07; take a smaller --learning-rate");
  options.optimizer = sfumato::style::Optimizer::kLbfgs;
  CHECK(rise({2.0, 1.5, 3.0}).empty());
  options.lbfgs.line_search = sfumato::optim::LineSearch::kNone;
  CHECK(rise({2.0, 1.5, 3.0}) ==
        "the loss rose from 2.0000 to 3.0000; take smaller weights, or --optimizer adam");
}

TEST_CASE("a link to a name of another format is refused") {
  namespace fs = std::filesystem;
  const FakeSystem system;
  const std::string folder = system.root() + "/";
  system.write("/weights.safetensors", "");
  const auto check = [&](const std::string& link, const std::string& target, bool losses = false) {
    fs::remove(folder + link);
    fs::create_symlink(target, folder + link);
    Arguments a;
    a.output = folder + (losses ? "out.png" : link);
    if (losses) a.losses = folder + link;
    const std::string said =
        complaint([&] { check_outputs(a, folder + "weights.safetensors", 1); });
    const std::size_t place = said.find(folder + target);
    return place == std::string::npos ? said : said.substr(place + folder.size());
  };
  const std::string wrong =
      ", whose ending means another format; name that file, or one that is no link";
  CHECK(check("k.png", "real.jpg") == "real.jpg" + wrong);
  CHECK(check("k.jpg", "real.safetensors") == "real.safetensors" + wrong);
  CHECK(check("k.jpeg", "real.JPG") == "nothing");
  CHECK(check("k.png", "object-1234") == "nothing");
  CHECK(check("l.csv", "new.png", true).ends_with("give it a name that ends in .csv"));
  CHECK(check("l.csv", "new.txt", true) == "nothing");
}

TEST_CASE("styles of a contact sheet are as large beside its pictures as beside the large ones") {
  const Settings given{{"CONTENT", "a.png"},
                       {"STYLE", "b.png"},
                       {"--size", "768"},
                       {"--style-size", "512"},
                       {"--grid", "strength=0,1"}};
  const GridCell cell = plan_grid(arguments_of(given))[0];
  CHECK(cell.small.size == 192);
  CHECK(cell.small.pictures.style_size == 128);
}

TEST_CASE("the display fits every terminal, and what matters most comes first") {
  Standing now{.stage = 2,
               .stages = 2,
               .iteration = 7,
               .last = 300,
               .done = 0.5,
               .each = 0.25,
               .left = 3725.0,
               .memory = 3.5 * kGibi};
  sfumato::style::Iteration losses;
  losses.losses = {{"content", 1.5}, {"style", 1e30}, {"tv", 0.0}};
  losses.total = 12.25;
  CHECK(
      display(now, losses, 200) ==
      std::vector<std::string>{"[" + std::string(30, '#') + std::string(30, '.') +
                                   "]   50%  1:02:05 left  stage 2/2    7/300  4.00 it/s  3.50 GiB",
                               "total 12.2500  content 1.5000  style 1e+30  tv 0.0000"});
  CHECK(display(now, losses, 80)[0] ==
        "[########........]   50%  1:02:05 left  stage 2/2    7/300  4.00 it/s  3.50 GiB");
  CHECK(display(now, losses, 40) ==
        std::vector<std::string>{"[########.........]   50%  1:02:05 left",
                                 "total 12.2500  content 1.5000"});
  for (const double seconds : {0.0, 0.0001, 1.0, 1e4, 1e12}) {
    now.each = now.left = seconds;
    now.last = seconds > 1.0 ? 1000000 : 300;
    losses.total = seconds * 1e9;
    for (std::size_t columns = 1; columns <= 250; ++columns) {
      const auto lines = display(now, losses, columns);
      CHECK(lines.size() == 2);
      for (const std::string& line : lines) CHECK(line.size() < std::max<std::size_t>(columns, 2));
    }
  }
  CHECK(readable_time(59.6) == "1:00");
  CHECK(readable_time(3599.4) == "59:59");
  CHECK(readable_time(3600.0) == "1:00:00");
}

TEST_CASE("lines are drawn over those before, which a narrower terminal has broken") {
  const std::vector<std::string> lines{"one", "two"};
  CHECK(detail::redrawn({}, lines, 80) == "\r\x1b[Jone\ntwo");
  CHECK(detail::redrawn({"1", "2"}, lines, 80) == "\x1b[1A\r\x1b[Jone\ntwo");
  const std::vector<std::string> wide{std::string(79, '#'), std::string(41, '.')};
  CHECK(detail::redrawn(wide, lines, 40) == "\x1b[3A\r\x1b[Jone\ntwo");
  CHECK(detail::redrawn(wide, lines, 79) == "\x1b[1A\r\x1b[Jone\ntwo");
}

TEST_CASE("text of unknown origin becomes no markup and no command") {
  CHECK(markup("a<b>&\"'\n\xff") == "a&lt;b&gt;&amp;&quot;&#39;\\n\\xff");
  CHECK(base64({}).empty());
  const std::vector<std::uint8_t> bytes{'f', 'o', 'o', 'b', 'a'};
  CHECK(base64(std::span(bytes).first(1)) == "Zg==");
  CHECK(base64(std::span(bytes).first(3)) == "Zm9v");
  CHECK(base64(bytes) == "Zm9vYmE=");
  CHECK(shell_word("a/b-c.jpg") == "a/b-c.jpg");
  CHECK(shell_word("").size() == 2);
  CHECK(shell_word("it's $HOME") == "'it'\\''s $HOME'");
}

TEST_CASE("curves keep as many rows as a drawing shows, and draw what has a logarithm") {
  Curves curves;
  for (std::int64_t i = 1; i <= 10000; ++i) curves.add(i, {{"style", 1.0}, {"content", 0.0}});
  CHECK(curves.iterations.size() < 1000);
  CHECK(curves.iterations.size() >= 500);
  CHECK(curves.iterations[1] - curves.iterations[0] == 16);
  CHECK(curves.losses.at("style").size() == curves.iterations.size());
  Curves few;
  few.add(1, {{"content", 0.0}, {"style", 100.0}});
  few.add(2, {{"content", 1.0}, {"style", 10.0}});
  few.stages.push_back(2);
  few.add(3, {{"content", 1e-9}, {"style", 0.1}});
  const std::string drawing = chart(few);
  CHECK(drawing.find(">100</text>") != std::string::npos);
  CHECK(drawing.find(">0.1</text>") != std::string::npos);
  CHECK(drawing.find("1e-09") == std::string::npos);  // off the axis
  CHECK(drawing.find(">next stage</text>") != std::string::npos);
  CHECK(drawing.find("nan") == std::string::npos);
  CHECK(drawing.find("inf") == std::string::npos);
  for (const std::string& empty : {chart(Curves{}), chart_file(Curves{})}) {
    CHECK(empty.find("nan") == std::string::npos);
    CHECK(empty.find("inf") == std::string::npos);
  }
  Curves order;
  order.add(1, {{"style conv5_1", 1.0}, {"style relu1_1", 1.0}, {"content relu4_4", 1.0}});
  const std::string ordered = chart(order);
  CHECK(ordered.find("content relu4_4") < ordered.find("style relu1_1"));
  CHECK(ordered.find("style relu1_1") < ordered.find("style conv5_1"));
  // No two of many look alike, what has the weight 0 is left out, and labels leave each other room.
  Curves many;
  std::map<std::string, double> row{{"content", 0.0}};
  for (int i = 0; i < 20; ++i) row["style " + std::to_string(i)] = 1.0 + i;
  for (std::int64_t i = 1; i <= 20; ++i) {
    many.add(i, row);
    many.stages.push_back(i);
  }
  const std::string lines = chart(many);
  std::set<std::string> looks;
  for (std::size_t at = 0; (at = lines.find("class=\"line ", at)) != std::string::npos; ++at) {
    looks.insert(lines.substr(at, lines.find('"', at + 7) - at));
  }
  CHECK(looks.size() == 20);
  CHECK(lines.find("content") == std::string::npos);
  std::size_t labels = 0;
  for (std::size_t at = 0; (at = lines.find("next stage", at)) != std::string::npos; ++at) ++labels;
  CHECK(labels == 4);
}

TEST_CASE("pictures remember what they depend on, and nothing that would write a file") {
  for (const Option& option : options()) {
    const bool known = is_of_picture(option) || option.group == "Stopping and going on" ||
                       option.group == "Reports" || option.group == "Many pictures" ||
                       option.group == kStudio || option.group == kAnswers;
    INFO(option.name, " of ", option.group);
    CHECK((known || option.name == "--output" || option.name == "--no-metadata" ||
           option.name == "--save-stages" || option.name == "--threads" ||
           option.name == "--max-memory"));
    const bool reads = option.is_positional() || option.name == "--weights" ||
                       option.name == "--style" || option.name == "--init" ||
                       option.name == "--content-mask" || option.name == "--style-mask";
    CHECK((!is_input(option, "a.jpg") || reads));
  }
}

TEST_CASE("checkpoints come back as they were, and damaged or made-up ones are errors") {
  using sfumato::Tensor;
  const std::string path =
      (std::filesystem::temp_directory_path() / sfumato::message("sfumato-", getpid(), ".ckpt"))
          .string();
  Record record{{{"sfumato", "1"}}, {{"--size", "64"}}, {{"CONTENT", "a.jpg", 5, "ab"}}, "0"};
  Position<sfumato::Cpu> position;
  position.stage = 2;
  position.before = 7;
  position.earlier.resize(1);
  position.earlier[0].number = 7;
  position.state.iterations = 3;
  position.state.pixels = Tensor<float>::full({1, 3, 4, 5}, 0.1F);
  position.state.optimizer.emplace("steps", Tensor<float>::full({3}, 1.0F));
  position.state.history.resize(2);
  position.state.history[1].losses["style"] = 0.1;
  write_checkpoint(path, record, position);
  const auto read = [&] { return read_checkpoint<sfumato::Cpu>(path, record); };
  const auto is_right = [&](const Position<sfumato::Cpu>& again) {
    return again.stage == 2 && again.before == 7 && again.earlier.size() == 1 &&
           again.earlier[0].number == 7 && again.state.iterations == 3 &&
           again.state.history.size() == 2 && again.state.history[1].loss("style") == 0.1 &&
           again.state.pixels.to_vector() == position.state.pixels.to_vector() &&
           again.state.optimizer.size() == 1;
  };
  CHECK(is_right(read()));

  const auto of_another = [&](const auto& change) {
    const Record before = record;
    change();
    const std::string said = complaint(read);
    record = before;
    return said.substr(std::min(said.size(), path.size() + 2));
  };
  CHECK(of_another([&] { record.options[0].text = "72"; }) ==
        "is of another run: --size: 64 there, 72 here");
  CHECK(of_another([&] { record.options.clear(); }) ==
        "is of another run: --size: 64 there, not given here");
  CHECK(of_another([&] { record.environment[0].second = "2"; }) ==
        "is of another run: sfumato: 1 there, 2 here");
  CHECK(of_another([&] { record.inputs[0].sha256 = "cd"; }) ==
        "is of another run: CONTENT: a.jpg (ab) there, a.jpg (cd) here");

  const std::vector<std::uint8_t> whole = sfumato::io::FileReader(path).read_all(1000000);
  int refused = 0;
  const auto try_to_read = [&](const std::vector<std::uint8_t>& bytes) {
    sfumato::io::write_file_atomically(path,
                                       {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    try {
      const auto again = read();
      CHECK(is_right(again));  // where what has changed is a space
    } catch (const sfumato::IoError&) {
      ++refused;
    }
  };
  for (std::size_t i = 0; i < whole.size(); i += 3) {
    try_to_read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)});
    auto changed = whole;
    changed[i] ^= static_cast<std::uint8_t>(1U << i % 8);
    try_to_read(changed);
  }
  CHECK(refused > static_cast<int>(whole.size() * 3 / 5));

  // With a checksum that is right.
  const auto made_up = [&](const std::string& text, std::map<std::string, Tensor<float>> tensors) {
    sfumato::io::write_safetensors(
        path, tensors, sfumato::io::StoredType::kF32,
        {{detail::kCheckpoint, text}, {detail::kChecksum, detail::checksum_of(tensors, text)}});
    return complaint(read).substr(path.size() + 2);
  };
  const std::string right =
      "{\"record\": " + to_json(record) + ", \"stage\": 1, \"before\": 0, \"earlier\": 0}";
  const auto tensors = sfumato::style::to_tensors(position.state);
  CHECK(made_up("", tensors) == "is no checkpoint");
  CHECK(made_up("[1]", tensors) == "is no checkpoint");
  CHECK(made_up(std::string(100000, '['), tensors) == "is no checkpoint");
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']');
  CHECK(made_up("{\"record\": " + deep + "}", tensors) == "its record has no right environment");
  CHECK(made_up("{\"record\": 1}", tensors) == "its record has no right environment");
  CHECK(made_up("{\"record\": " + to_json(record) + "}", tensors) ==
        "its record has no right stage");
  CHECK(made_up(right, {}).find("'numbers' is missing") != std::string::npos);
  auto more = tensors;
  more.emplace("\x1b[2J", Tensor<float>::zeros({2}));
  CHECK(made_up(right, more) == "state of a run: there is no '\\x1b[2J'");
  std::string many = right;
  many.replace(many.find("\"earlier\": 0"), 12, "\"earlier\": 9");
  CHECK(made_up(many, tensors) == "has fewer losses than it says");
  std::filesystem::remove(path);
}

TEST_CASE("the studio lets in its own page alone") {
  const studio::Door own{"127.0.0.1", ""};
  const auto lets_in = [](const studio::Door& door, const studio::Visitor& who) {
    return studio::refusal(door, who).empty();
  };
  CHECK(lets_in(own, visitor("GET", "127.0.0.1:8320", {})));
  CHECK(lets_in(own, visitor("GET", "LocalHost:9000", {})));  // by a tunnel from another port
  CHECK(lets_in(own, visitor("GET", "[::1]:8320", {})));
  CHECK(lets_in(own, visitor("POST", "localhost:8320", {"http://localhost:8320"})));
  // A name that somebody else has resolved to this machine.
  CHECK(!lets_in(own, visitor("GET", "evil.example:8320", {})));
  CHECK(!lets_in(own, visitor("POST", "evil.example", {"http://evil.example"})));
  CHECK(!lets_in(own, visitor("GET", "192.168.1.2", {})));
  CHECK(!lets_in(own, visitor("GET", "", {})));
  // Another page.
  CHECK(!lets_in(own, visitor("POST", "localhost:8320", {})));
  CHECK(!lets_in(own, visitor("POST", "localhost:8320", {"http://localhost:3000"})));
  CHECK(!lets_in(own, visitor("POST", "localhost:8320", {"null"})));
  CHECK(!lets_in(own, visitor("GET", "localhost:8320", {"http://evil.example"})));
  studio::Visitor linked = visitor("GET", "localhost:8320", {});
  linked.site = "cross-site";
  CHECK(!lets_in(own, linked));
  linked.path = "/";
  CHECK(lets_in(own, linked));
  studio::Visitor two = visitor("GET", "localhost", {});
  two.hosts.emplace_back("evil.example");
  CHECK(!lets_in(own, two));

  const studio::Door open{"studio.lan", "0123456789abcdef"};
  studio::Visitor guest = visitor("GET", "192.168.1.2:8320", {});
  CHECK(!lets_in(open, guest));
  guest.token = "0123456789abcdef";
  CHECK(lets_in(open, guest));
  guest.hosts = {"[fe80::1]:8320"};
  CHECK(lets_in(open, guest));
  guest.hosts = {"Studio.lan"};
  CHECK(lets_in(open, guest));
  guest.hosts = {"evil.example"};
  CHECK(!lets_in(open, guest));
  for (const char* const wrong :
       {"", "0", "0123456789abcdeF", "0123456789abcdef0123456789abcdef"}) {
    CHECK(!studio::same_secret(wrong, open.token));
  }
}

TEST_CASE("the studio takes no options of a picture, and a picture none of the studio's") {
  const auto studio_says = [](const std::vector<const char*>& words) {
    return complaint([&] { parse_studio(words); });
  };
  CHECK(studio_says({"--size", "64"}).find("the page says") != std::string::npos);
  CHECK(studio_says({"--port", "70000"}).find("--port must be") != std::string::npos);
  CHECK(parse_studio(std::vector<const char*>{"--help"}).answer == "help");
  CHECK(studio_says({}).find("libcpp-httplib-dev") != std::string::npos);  // which this is without
  const std::vector<const char*> run{"a.jpg", "b.jpg", "--port", "1"};
  CHECK(complaint([&] { parse(run); }).find("neural_style studio --port") != std::string::npos);
}
