// What several ranks compute together; distributed.sh starts it by mpirun.
//   distributed_ranks          the tests
//   distributed_ranks killed   a training loop whose last rank is killed
//   distributed_ranks thrown   one whose last rank throws
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/distributed/all_reduce.hpp"
#include "sfumato/distributed/broadcast.hpp"
#include "sfumato/distributed/same_on_all.hpp"
#include "sfumato/distributed/strips.hpp"
#include "sfumato/losses/cross_entropy.hpp"
#include "sfumato/nn/activations.hpp"
#include "sfumato/nn/batch_norm.hpp"
#include "sfumato/nn/layers.hpp"
#include "sfumato/nn/sequential.hpp"
#include "sfumato/nn/vgg.hpp"
#include "sfumato/ops/ops.hpp"
#include "sfumato/optim/adam.hpp"
#include "sfumato/style/gatys.hpp"
#include "sfumato/style/minimize.hpp"

using namespace sfumato;

namespace {

const distributed::Communicator& world() {
  return distributed::Communicator::current("test");
}

/// The network of examples/digits.cpp, without Dropout.
nn::Sequential<double> digits_network() {
  return nn::Sequential<double>{nn::Conv2d<double>(1, 16, 3, {.padding = 1}),
                                nn::ReLU<double>(),
                                nn::Conv2d<double>(16, 32, 3, {.padding = 1}),
                                nn::ReLU<double>(),
                                nn::MaxPool2d<double>(2),
                                nn::Flatten<double>(),
                                nn::Linear<double>(32 * 4 * 4, 10)};
}

/// Trains with `batch` examples a step, of which this rank takes those from `begin` to `end`.
template <class AfterBackward>
void train(nn::Sequential<double>& model, std::int64_t batch, std::int64_t begin, std::int64_t end,
           int steps, const AfterBackward& after_backward) {
  optim::AdamW<double> adam(model.parameters(), {.learning_rate = 3e-3});
  Random random(7);
  for (int step = 0; step < steps; ++step) {
    std::vector<double> pixels;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < batch; ++i) {
      const bool own = i >= begin && i < end;
      const auto label = static_cast<std::int64_t>(random.below(10));
      if (own) labels.push_back(label);
      for (int pixel = 0; pixel < 64; ++pixel) {  // something that can be learnt
        const double ink = 0.3 * random.normal() + (pixel % 10 == label ? 1.0 : 0.0);
        if (own) pixels.push_back(ink);
      }
    }
    const auto count = static_cast<std::int64_t>(labels.size());
    const Variable images(Tensor<double>::from(pixels, {count, 1, 8, 8}));
    adam.zero_grad();
    losses::cross_entropy(model(images), Tensor<std::int64_t>::from(labels, {count})).backward();
    after_backward(step);
    adam.step();
  }
}

template <class T>
class Two : public nn::Module<T> {
 public:
  Two(Tensor<T> first, Tensor<T> second, std::string name = "second")
      : first_(this->add_parameter("first", std::move(first))),
        second_(this->add_parameter(std::move(name), std::move(second))),
        seen_(this->add_buffer("seen", Tensor<T>::full({2}, static_cast<T>(world().rank())))) {}
  Variable<T> forward(const Variable<T>& x) override { return x; }

  Variable<T> first_, second_, seen_;
};

template <class T>
T from_rank(double value) {
  return static_cast<T>(static_cast<float>(value));
}

}  // namespace

TEST_CASE("errors name the op and the rank, and there is one Communicator") {
  CHECK(world().rank() < world().size());
  CHECK_THROWS_AS(distributed::Communicator(), GraphError);
  const std::string who = message("send: rank ", world().rank(), " of ", world().size(), ": ");
  try {
    world().check(MPI_Send(nullptr, 0, MPI_BYTE, 99, 0, world().handle()), "send");
    FAIL("there is no rank 99");
  } catch (const ResourceError& error) {
    CHECK(std::string(error.what()).starts_with(who));
    CHECK(std::string(error.what()).find("rank", who.size()) != std::string::npos);
  }
  bool refused = false;
  std::thread([&] {
    try {
      world();
    } catch (const GraphError&) {
      refused = true;
    }
  }).join();
  CHECK(refused);
}

TEST_CASE_TEMPLATE("gradients become their mean, summed by rank and rounded once", T, float, double,
                   Half, BFloat16) {
  const int ranks = world().size();
  Two<T> model(Tensor<T>::ones({3}), Tensor<T>::ones({2, 2}));
  const auto of_rank = [](int rank, int i) {
    // Neither sums in 16 bits nor those in another order give the same.
    const double large[] = {1e16, 1.0, -1e16, 3.0};
    if (std::is_same_v<T, double>) return static_cast<double>(T(large[(rank + i) % 4]));
    return static_cast<double>(from_rank<T>(60000.0 - 700.0 * rank + i));
  };
  Tensor<T> first = Tensor<T>::zeros({3});
  for (int i = 0; i < 3; ++i) first.set({i}, static_cast<T>(of_rank(world().rank(), i)));
  model.first_.set_grad(Variable<T>(first));
  distributed::all_reduce(model);
  for (int i = 0; i < 3; ++i) {
    double sum = 0;
    for (int rank = 0; rank < ranks; ++rank) sum += of_rank(rank, i);
    CHECK(static_cast<double>(model.first_.grad().value().at({i})) ==
          static_cast<double>(static_cast<T>(sum / ranks)));
  }
  CHECK_FALSE(model.second_.grad().defined());  // on no rank

  if (world().rank() == 0) model.second_.set_grad(Variable<T>(Tensor<T>::full({2, 2}, T(8.0f))));
  distributed::all_reduce(model);
  CHECK(static_cast<double>(model.second_.grad().value().at({1, 1})) ==
        static_cast<double>(static_cast<T>(8.0 / ranks)));
}

TEST_CASE("many numbers go in parts") {
  const int ranks = world().size();
  for (const std::size_t count : {0U, 1U, 2U, 3U, 5U, 64U, 1001U}) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < count; ++i) {
      numbers.push_back(static_cast<float>(i) + static_cast<float>(world().rank()));
    }
    distributed::detail::average(world(), "test", numbers, 64);
    REQUIRE(numbers.size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(numbers[i] == static_cast<float>(i) + static_cast<float>(ranks - 1) / 2);
    }
  }
}

TEST_CASE("ranks begin with what rank 0 has") {
  const auto own = static_cast<float>(world().rank());
  Two<float> model(Tensor<float>::full({3}, own), Tensor<float>::full({2, 2}, own + 5));
  distributed::broadcast(model);
  CHECK(model.first_.value().at({2}) == 0);
  CHECK(model.second_.value().at({1, 1}) == 5);
  CHECK(model.seen_.value().at({1}) == 0);
}

TEST_CASE("other models on other ranks are refused on all") {
  if (world().size() == 1) return;
  const bool last = world().rank() == world().size() - 1;
  const auto ones = Tensor<float>::ones({2, 2});
  Two<float> shape(Tensor<float>::ones({last ? 4 : 3}), ones);
  CHECK_THROWS_AS(distributed::all_reduce(shape), ShapeError);
  CHECK_THROWS_AS(distributed::broadcast(shape), ShapeError);
  Two<float> name(ones, ones, last ? "other" : "second");
  CHECK_THROWS_AS(distributed::all_reduce(name), ShapeError);
  if (last) {
    Two<Half> half(Tensor<Half>::ones({3}), Tensor<Half>::ones({2, 2}));
    CHECK_THROWS_AS(distributed::all_reduce(half), ShapeError);
  } else {
    Two<BFloat16> bfloat(Tensor<BFloat16>::ones({3}), Tensor<BFloat16>::ones({2, 2}));
    CHECK_THROWS_AS(distributed::all_reduce(bfloat), ShapeError);
  }
}

TEST_CASE("other tiles on other ranks are refused on all") {
  if (world().size() == 1) return;
  const style::TileCut cut{world().rank() == 0 ? 32 : 16, 16, 16};
  CHECK_THROWS_WITH_AS(distributed::Strips(style::tiles_of({1, 3, 256, 64}, cut)),
                       doctest::Contains("has other tiles than rank 0"), ValueError);
  style::Tile tile;  // whose digits are those of the other one
  tile.rows = world().rank() == 0 ? style::TileSpan{5, 0, 321} : style::TileSpan{532, 0, 1};
  CHECK_THROWS_WITH_AS(distributed::Strips({tile}),
                       doctest::Contains("has other tiles than rank 0"), ValueError);
}

TEST_CASE("other settings on a rank are refused on all") {
  CHECK_NOTHROW(distributed::check_same("test", "settings", "the same"));
  if (world().size() == 1) return;
  const bool last = world().rank() == world().size() - 1;
  CHECK_THROWS_WITH_AS(
      distributed::check_same("test", "settings", last ? "other" : "the same"),
      doctest::Contains(message("test: rank ", world().size() - 1, " has other settings").c_str()),
      ValueError);
}

TEST_CASE("an image in strips comes from rank 0 and goes back piece by piece") {
  constexpr std::int64_t kHeight = 150;
  const bool first = world().rank() == 0;
  const auto tiles = style::tiles_of({1, 3, kHeight, 20}, {32, 16, 8});
  auto whole = Tensor<std::uint8_t>::empty({2, 3, kHeight, 60});
  for (std::int64_t i = 0; i < whole.numel(); ++i)
    whole.data()[i] = static_cast<std::uint8_t>(i * 7);
  for (const std::size_t most_bytes : {1U, 1000U, 1U << 20}) {  // messages are of parts
    const distributed::Strips strips(tiles, most_bytes);
    const auto strip = strips.scatter(first ? whole : Tensor<std::uint8_t>());
    REQUIRE(strip.shape() == strips.cut(whole).shape());
    CHECK(strip.to_vector() == strips.cut(whole).to_vector());
    std::vector<std::uint8_t> pieces;
    std::int64_t largest = 0;
    strips.each_piece(strip, [&](const Tensor<std::uint8_t>& piece) {
      const auto values = piece.to_vector();
      pieces.insert(pieces.end(), values.begin(), values.end());
      largest = std::max(largest, piece.numel());
    });
    CHECK(pieces == (first ? whole.to_vector() : std::vector<std::uint8_t>()));
    CHECK(largest <= (kHeight / world().size() + 2 * 32) * 60);
    const auto gathered = strips.gather(strip);
    REQUIRE(gathered.defined() == first);
    if (first) CHECK(gathered.to_vector() == whole.to_vector());
  }
  const distributed::Strips strips(tiles);
  CHECK_THROWS_WITH_AS(strips.scatter(Tensor<float>::zeros({1, 3, kHeight + 1, 20})),
                       doctest::Contains("(1, 3, 151, 20) for tiles of 150 rows"), ShapeError);
  CHECK_THROWS_WITH_AS(strips.cut(Tensor<float>::zeros({1, 3, kHeight - 1, 20})),
                       doctest::Contains("an image (1, 3, 149, 20) for tiles of 150 rows"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(strips.gather(Tensor<float>::zeros({1, 3, 8, 20})),
                       doctest::Contains("a strip (1, 3, 8, 20) for tiles of "), ShapeError);
}

TEST_CASE("ranks with a part of each batch learn what one learns with all of it") {
  constexpr std::int64_t kPart = 8;
  constexpr int kSteps = 20;
  const std::int64_t batch = kPart * world().size();
  const std::int64_t begin = kPart * world().rank();
  manual_seed(static_cast<std::uint64_t>(1 + world().rank()));
  auto together = digits_network();
  distributed::broadcast(together);
  auto alone = digits_network();
  alone.load_state_dict(together.state_dict());
  const auto at_first = together.state_dict();

  train(together, batch, begin, begin + kPart, kSteps,
        [&](int) { distributed::all_reduce(together); });
  train(alone, batch, 0, batch, kSteps, [](int) {});

  double farthest = 0, moved = 0;
  const auto wanted = alone.state_dict();
  for (const auto& [name, tensor] : together.state_dict()) {
    const auto values = tensor.to_vector(), others = wanted.at(name).to_vector();
    const auto before = at_first.at(name).to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) {
      farthest = std::max(farthest, std::abs(values[i] - others[i]));
      moved = std::max(moved, std::abs(values[i] - before[i]));
    }
  }
  std::printf(
      "%d ranks: weights differ by %.2g at most from those of one, and moved by up to %.2g\n",
      world().size(), farthest, moved);
  CHECK(moved > 1e-2);
  CHECK(farthest <= (world().size() == 1 ? 0.0 : 1e-11));

  auto first = digits_network();  // all ranks have the bits of rank 0
  first.load_state_dict(together.state_dict());
  distributed::broadcast(first);
  for (const auto& [name, tensor] : first.state_dict()) {
    CHECK(tensor.to_vector() == together.state_dict().at(name).to_vector());
  }
}

TEST_CASE("a picture in strips is painted to the bits that one process paints") {
  const auto image = [](std::uint64_t seed, std::int64_t height, std::int64_t width) {
    Random random(seed);
    return Tensor<float>::randn({1, 3, height, width}, random);
  };
  Random random(1);
  nn::Vgg<float> network({.widths = {3, 4, 3, 4, 3}}, random);
  network.freeze();
  style::TransferOptions options{.objective = {.content_layers = {"relu2_2", "relu4_1"},
                                               .style_layers = {"relu1_1", "relu3_1", "conv5_1"},
                                               .tile = 32},
                                 .iterations = 3,
                                 .learning_rate = 0.05};
  const auto content = image(2, 150, 70), painting = image(3, 48, 64);
  const auto alone = style::minimize(
      style::gatys_objective(network, content, painting, options.objective), content, options);
  constexpr std::size_t kMostBytes = 1000;  // so that sums and gradients go in parts
  const distributed::Strips strips(
      style::tiles_of(content.shape(),
                      style::tile_cut(network, style::layers_of(options.objective), 32)),
      kMostBytes);
  const auto objective = style::gatys_objective(network, strips.cut(content), painting,
                                                options.objective, {}, strips.split<float>());
  const auto together = style::minimize(objective, strips.cut(content), options);
  CHECK(together.image.to_vector() == strips.cut(alone.image).to_vector());
  CHECK(together.history.back().total == alone.history.back().total);
  CHECK(together.image.size(2) <= 150 / world().size() + 2 * 96 + 32);
  const auto whole = strips.gather(together.image);
  CHECK(whole.defined() == (world().rank() == 0));
  if (whole.defined()) CHECK(whole.to_vector() == alone.image.to_vector());

  options.objective.strength = 0.5;
  CHECK_THROWS_AS(style::gatys_objective(network, content, painting, options.objective, {},
                                         strips.split<float>()),
                  ValueError);
  if (world().size() > 1) {
    CHECK_THROWS_AS(distributed::Strips(style::tiles_of({1, 3, 32, 32}, {32, 0, 16})), ValueError);
  }
}

int main(int argc, char** argv) try {
  const distributed::Communicator communicator;
  set_thread_count(1);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "killed" || what == "thrown") {
    auto model = digits_network();
    distributed::broadcast(model);
    train(model, 8, 0, 8, 1000000, [&](int step) {
      if (step == 3 && world().rank() == world().size() - 1) {
        if (what == "killed") std::raise(SIGKILL);
        throw std::runtime_error(message("rank ", world().rank(), " has no more data"));
      }
      distributed::all_reduce(model);
    });
  }
  return doctest::Context(argc, argv).run();
} catch (const std::exception& error) {
  std::fprintf(stderr, "distributed_ranks: %s\n", error.what());
  return 1;
}
