// Neural style transfer of one picture on several machines, each of which holds a strip of it:
// docs/cluster.md.
//   mpirun -np 4 cluster_style CONTENT STYLE OUT [--size PIXELS] [--iterations N] …

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../find_weights.hpp"
#include "sfumato/distributed/broadcast.hpp"
#include "sfumato/distributed/strips.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/state_tensors.hpp"
#include "sfumato/style/weights.hpp"

using namespace sfumato;

namespace {

/// A strip's state as the whole picture's, on rank 0.
style::MinimizerState<float> gathered(const distributed::Strips& strips,
                                      style::MinimizerState<float> state) {
  const Shape shape = state.pixels.shape();
  const auto gather = [&](Tensor<float>& tensor) {
    if (tensor.defined() && tensor.shape() == shape) tensor = strips.gather(tensor);
  };
  for (auto& [name, moment] : state.optimizer) gather(moment);
  for (auto* const tensor : {&state.before, &state.best, &state.average.sum}) gather(*tensor);
  gather(state.pixels);
  return state;
}

/// Throws on a rank that was given other options or pictures than rank 0: ranks would wait for each
/// other for ever, or paint what nobody asked for.
void check_same(const distributed::Communicator& world, const std::string& given) {
  const std::uint64_t own = std::hash<std::string>()(given);
  std::uint64_t first = own;
  world.check(MPI_Bcast(&first, 1, MPI_UINT64_T, 0, world.handle()), "cluster_style");
  if (own == first) return;
  throw ValueError(
      message("rank ", world.rank(), " has other options or another style picture than rank 0"));
}

/// The most memory that each rank has had, in MiB, on rank 0.
std::vector<long> peaks(const distributed::Communicator& world) {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const long own = used.ru_maxrss / 1024;
  std::vector<long> all(static_cast<std::size_t>(world.size()));
  world.check(MPI_Gather(&own, 1, MPI_LONG, all.data(), 1, MPI_LONG, 0, world.handle()), "peaks");
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Neural style transfer of one picture on several machines");
  std::string content_file, style_file, out, weights, checkpoint, resume;
  std::int64_t longer = 1024, style_longer = 512, tile = 512, iterations = 200, every = 20;
  int threads = 0;
  app.add_option("CONTENT", content_file)->required();
  app.add_option("STYLE", style_file)->required();
  app.add_option("OUT", out)->required();
  app.add_option("--size", longer, "longer side of the picture");
  app.add_option("--style-size", style_longer, "longer side of the style");
  app.add_option("--tile", tile, "sides of the tiles, of which every rank needs a row");
  app.add_option("--iterations", iterations);
  app.add_option("--checkpoint", checkpoint, "file that rank 0 writes");
  app.add_option("--checkpoint-every", every, "iterations")->check(CLI::PositiveNumber);
  app.add_option("--resume", resume, "file to go on from, with as many ranks as you like");
  app.add_option("--weights", weights);
  app.add_option("--threads", threads, "of each rank");
  CLI11_PARSE(app, argc, argv);

  const distributed::Communicator world;
  if (threads > 0) set_thread_count(threads);
  const auto prepared = [](const std::string& file, std::int64_t side) {
    const auto pixels = io::read_image(file);
    return style::prepare_picture<float>(pixels, style::size_in_proportion(pixels.shape(), side));
  };
  style::TransferOptions options{.iterations = iterations, .learning_rate = 0.05};
  options.objective.tile = tile;
  auto network = style::load_vgg<float>(examples::find_weights(weights, argv[0]));
  network.freeze();
  distributed::broadcast(network);
  const Tensor<float> style = prepared(style_file, style_longer);
  check_same(world,
             message(tile, ' ', iterations, ' ', checkpoint.empty() ? 0 : every, ' ', resume, ' ') +
                 std::string(reinterpret_cast<const char*>(style.data()),
                             static_cast<std::size_t>(style.numel()) * sizeof(float)));

  Tensor<float> content;  // the whole is on rank 0 alone, and not for long
  if (world.rank() == 0) content = prepared(content_file, longer);
  std::int64_t sides[] = {content.defined() ? content.size(2) : 0,
                          content.defined() ? content.size(3) : 0};
  world.check(MPI_Bcast(sides, 2, MPI_INT64_T, 0, world.handle()), "cluster_style");
  const Shape whole{1, 3, sides[0], sides[1]};
  const distributed::Strips strips(
      style::tiles_of(whole, style::tile_cut(network, style::layers_of(options.objective), tile)));
  content = strips.scatter(content);
  const auto objective =
      style::gatys_objective(network, content, style, options.objective, {}, strips.split<float>());
  style::MinimizerState<float> from;
  if (!resume.empty()) {
    const io::SafetensorsFile file(resume);
    std::map<std::string, Tensor<float>> tensors;
    for (const std::string& name : file.names()) {
      const auto read = file.read<float>(name);
      tensors.emplace(name, read.shape() == whole ? strips.cut(read) : read);
    }
    from = style::state_from(std::move(tensors));
  }
  const auto progress = [&](const style::Moment<float>& now) {
    if (world.rank() == 0) {
      std::printf("iteration %lld: %.4f\n", static_cast<long long>(now.number), now.total);
      std::fflush(stdout);
    }
    if (!checkpoint.empty() && now.number % every == 0) {
      const auto state = gathered(strips, now.state());
      if (world.rank() == 0) io::write_safetensors(checkpoint, style::to_tensors(state));
    }
    return true;
  };
  const auto picture =
      strips.gather(style::minimize(objective, content, options, progress, {}, from).image);
  if (world.rank() == 0) io::write_image(out, style::denormalize(picture));
  const auto memory = peaks(world);
  for (int rank = 0; world.rank() == 0 && rank < world.size(); ++rank) {
    std::printf("rank %d: %ld MiB at most\n", rank, memory[static_cast<std::size_t>(rank)]);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "cluster_style: %s\n", error.what());
  return 1;
}
