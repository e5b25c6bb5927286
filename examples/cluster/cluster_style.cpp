// Neural style transfer of one picture on several machines, each of which holds a strip of it:
// docs/cluster.md.
//   mpirun -np 4 cluster_style CONTENT STYLE OUT [--size PIXELS] [--iterations N] …

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../find_weights.hpp"
#include "sfumato/distributed/broadcast.hpp"
#include "sfumato/distributed/same_on_all.hpp"
#include "sfumato/distributed/strips.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/png_writer.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/io/sha256.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/state_tensors.hpp"
#include "sfumato/style/weights.hpp"

using namespace sfumato;

namespace {

/// Pixels (height, width, 3) as distributed::Strips take images, (n, c, height, width), and back.
Tensor<std::uint8_t> as_image(const Tensor<std::uint8_t>& pixels) {
  return pixels.reshape({1, 1, pixels.size(0), -1});
}
Tensor<std::uint8_t> as_pixels(const Tensor<std::uint8_t>& image) {
  return image.reshape({image.size(2), -1, 3});
}

/// Rank 0 writes the state of which each rank has a strip: piece by piece, as no rank has memory
/// for the whole.
void write_state(const std::string& path, const distributed::Strips& strips, bool writes,
                 const style::MinimizerState<float>& state, const Shape& whole) {
  const auto tensors = style::to_tensors(state);
  const auto is_strip = [&](const auto& tensor) { return tensor.shape() == state.pixels.shape(); };
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : tensors) {
    shapes.emplace(name, is_strip(tensor) ? whole : tensor.shape());
  }
  std::optional<io::SafetensorsWriter<float>> file;
  if (writes) file.emplace(path, shapes);
  for (const auto& [name, tensor] : tensors) {
    if (is_strip(tensor)) {
      strips.each_piece(tensor, [&](const Tensor<float>& piece) { file->write(piece); });
    } else if (writes) {
      file->write(tensor);
    }
  }
  if (writes) file->commit();
}

/// The state in a file, of whose pictures a strip from row `top` on is read.
style::MinimizerState<float> read_state(const std::string& path, const Shape& strip,
                                        std::int64_t top, const Shape& whole) {
  const io::SafetensorsFile file(path);
  std::map<std::string, Tensor<float>> tensors;
  for (const std::string& name : file.names()) {
    if (file.shape(name) != whole) {
      tensors.emplace(name, file.read<float>(name));
      continue;
    }
    auto rows = Tensor<float>::empty(strip);
    for (std::int64_t channel = 0; channel < strip[1]; ++channel) {
      rows[0][channel].copy_from(
          file.read_part<float>(name, (channel * whole[2] + top) * whole[3], strip[2] * strip[3])
              .reshape({strip[2], strip[3]}));
    }
    tensors.emplace(name, rows);
  }
  return style::state_from(std::move(tensors));
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
  const auto png = [](const std::string& name) {
    return name.ends_with(".png") ? "" : "the picture is written as .png";
  };
  app.add_option("CONTENT", content_file)->required();
  app.add_option("STYLE", style_file)->required();
  app.add_option("OUT", out, "a .png")->required()->check(png);
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
  const bool is_first = world.rank() == 0;
  if (is_first) {  // before hours of work
    for (const std::string& file : {out, checkpoint}) {
      if (!file.empty()) io::check_writable(file);
    }
  }
  const auto read = [](const std::string& file, std::int64_t side) {
    const auto pixels = io::read_image(file);
    return style::resize_picture(pixels, style::size_in_proportion(pixels.shape(), side),
                                 style::PictureOptions().resizing);
  };
  style::TransferOptions options{.iterations = iterations, .learning_rate = 0.05};
  options.objective.tile = tile;
  auto network = style::load_vgg<float>(examples::find_weights(weights, argv[0]));
  network.freeze();
  distributed::broadcast(network);
  const Tensor<std::uint8_t> style_pixels = read(style_file, style_longer);
  distributed::check_same(
      "cluster_style", "options, another style picture or another checkpoint",
      message(tile, " ", iterations, " ", checkpoint.empty() ? 0 : every, " ",
              resume.empty() ? resume : io::sha256_of_file(resume), " ", style_pixels.shape()) +
          std::string(style_pixels.data(), style_pixels.data() + style_pixels.numel()));
  const auto style = style::normalize<float>(style_pixels);

  Tensor<std::uint8_t> picture;  // the whole is on rank 0 alone, in 8 bits, and not for long
  if (is_first) picture = read(content_file, longer);
  std::int64_t sides[] = {picture.defined() ? picture.size(0) : 0,
                          picture.defined() ? picture.size(1) : 0};
  world.check(MPI_Bcast(sides, 2, MPI_INT64_T, 0, world.handle()), "cluster_style");
  const Shape whole{1, 3, sides[0], sides[1]};
  const distributed::Strips strips(
      style::tiles_of(whole, style::tile_cut(network, style::layers_of(options.objective), tile)));
  if (is_first) picture = as_image(picture);
  picture = strips.scatter(picture);
  auto content = style::normalize<float>(as_pixels(picture));
  picture = {};
  Pool<Cpu>::shared().trim();  // what was whole leaves no gaps behind
  const auto split = strips.split<float>();
  const auto objective =
      style::gatys_objective(network, content, style, options.objective, {}, split);
  style::MinimizerState<float> from;
  if (!resume.empty()) from = read_state(resume, content.shape(), split.strip.top, whole);
  const auto progress = [&](const style::Moment<float>& now) {
    if (is_first) {
      std::printf("iteration %lld: %.4f\n", static_cast<long long>(now.number), now.total);
      std::fflush(stdout);
    }
    if (!checkpoint.empty() && now.number % every == 0) {
      write_state(checkpoint, strips, is_first, now.state(), whole);
    }
    return true;
  };
  const auto painted = as_image(style::denormalize(
      style::minimize(objective, std::move(content), options, progress, {}, std::move(from))
          .image));
  std::optional<io::PngFile> file;
  if (is_first) file.emplace(out, whole[2], whole[3]);
  strips.each_piece(painted,
                    [&](const Tensor<std::uint8_t>& piece) { file->add(as_pixels(piece)); });
  if (is_first) file->commit();
  const auto memory = peaks(world);
  for (int rank = 0; is_first && rank < world.size(); ++rank) {
    std::printf("rank %d: %ld MiB at most\n", rank, memory[static_cast<std::size_t>(rank)]);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "cluster_style: %s\n", error.what());
  return 1;
}
