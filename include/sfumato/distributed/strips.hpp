#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/distributed/communicator.hpp"
#include "sfumato/distributed/same_on_all.hpp"
#include "sfumato/style/sum_over_tiles.hpp"
#include "sfumato/style/tiles.hpp"

namespace sfumato::distributed {

/// A picture whose rows of tiles are divided among the ranks. Each has a strip of it: the rows that
/// are seen for its tiles, and so the halos, too; and of all that goes with the picture, as its
/// gradient, an optimiser's moments and targets, what belongs to the strip. A style::Objective with
/// split() and minimize() then paint the strips of one picture.
///
/// Every rank does with the rows that two have what the other does, bit for bit, as both know the
/// whole gradient there. Sums over tiles and gradients are added in the order of the tiles, as one
/// process adds them, so that results do not depend on how many ranks there are.
///
///     const distributed::Strips strips(style::tiles_of(content.shape(), cut));
///     auto objective = style::gatys_objective(network, strips.cut(content), painting, options, {},
///                                             strips.split<float>());
///     auto result = style::minimize(objective, strips.cut(content));
///     auto picture = strips.gather(result.image);  // on rank 0
class Strips {
 public:
  /// Of the tiles of the whole picture, the same on every rank; a message carries so many bytes at
  /// most. Throws ValueError on every rank where tiles differ, or there are fewer rows of them than
  /// ranks.
  explicit Strips(std::vector<style::Tile> tiles, std::size_t most_bytes = detail::kMostBytes)
      : world_(Communicator::current("Strips")), tiles_(std::move(tiles)), most_bytes_(most_bytes) {
    check_same_tiles();
    std::vector<std::size_t> rows;  // the first tile of each
    for (std::size_t i = 0; i < tiles_.size(); ++i) {
      if (i == 0 || tiles_[i].rows.begin != tiles_[i - 1].rows.begin) rows.push_back(i);
    }
    const std::size_t count = rows.size();
    const auto ranks = static_cast<std::size_t>(world_.size());
    if (count < ranks) {
      throw ValueError(message("Strips: ", count, " rows of tiles for ", ranks,
                               " ranks; take smaller tiles, or fewer ranks"));
    }
    rows.push_back(tiles_.size());
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const std::size_t first = rows[count * rank / ranks];
      const std::size_t end = rows[count * (rank + 1) / ranks];
      const style::TileSpan& last = tiles_[end - 1].rows;
      parts_.push_back({first, end, tiles_[first].rows.begin, last.end,
                        tiles_[first].rows.seen_begin, last.seen_end});
    }
  }

  /// This rank's rows of an image (n, c, h, w) that all have. Throws ShapeError where it is not as
  /// high as the tiles are together.
  template <class T, class Device>
  Tensor<T, Device> cut(const Tensor<T, Device>& image) const {
    check_rows("an image", image.shape(), parts_.back().end);
    const std::int64_t top = own().top;
    return copy_rows(image.template to<Cpu>(), top, own().bottom - top).template to<Device>();
  }

  /// The same of an image (n, c, h, w) that rank 0 alone need have. Every rank has to call it.
  /// Throws ShapeError on every rank where the image is not as high as the tiles are together.
  template <class T, class Device>
  Tensor<T, Device> scatter(const Tensor<T, Device>& image) const {
    Tensor<T> whole;
    std::int64_t sides[4] = {};
    if (world_.rank() == 0) {
      whole = image.template to<Cpu>();
      for (int i = 0; i < std::min(4, whole.rank()); ++i) sides[i] = whole.shape()[i];
    }
    world_.check(MPI_Bcast(sides, 4, MPI_INT64_T, 0, world_.handle()), kOp);
    const Shape shape{sides[0], sides[1], sides[2], sides[3]};
    check_rows("an image", shape, parts_.back().end);
    if (world_.rank() == 0) {
      for (int rank = 1; rank < world_.size(); ++rank) {
        const Part& theirs = parts_[static_cast<std::size_t>(rank)];
        send(copy_rows(whole, theirs.top, theirs.bottom - theirs.top), rank);
      }
      return cut(image);
    }
    auto strip = Tensor<T>::empty(shape.with(2, own().bottom - own().top));
    receive(strip, 0);
    return strip.template to<Device>();
  }

  /// Calls use(piece) on rank 0 with all of an image of which the ranks have strips (n, c, h', w),
  /// in the order in which the whole has it in memory, one channel's rows of one rank (1, 1, rows,
  /// w) at a time: what is written to a file so is never whole in the memory of a rank. Every rank
  /// has to call it. Throws ShapeError where the strip does not have this rank's rows.
  template <class T, class Device, class Use>
  void each_piece(const Tensor<T, Device>& strip, const Use& use) const {
    const Part& part = own();
    check_rows("a strip", strip.shape(), part.bottom - part.top);
    const auto here = strip.template to<Cpu>();
    const Shape plane{1, 1, strip.size(2), strip.size(3)};
    for (std::int64_t i = 0; i < strip.size(0) * strip.size(1); ++i) {
      const auto channel = here.reshape({-1, 1, plane[2], plane[3]})[i].reshape(plane);
      const auto rows = copy_rows(channel, part.begin - part.top, part.end - part.begin);
      if (world_.rank() > 0) {
        send(rows, 0);
        continue;
      }
      use(rows);
      for (int rank = 1; rank < world_.size(); ++rank) {
        const Part& theirs = parts_[static_cast<std::size_t>(rank)];
        auto piece = Tensor<T>::empty(plane.with(2, theirs.end - theirs.begin));
        receive(piece, rank);
        use(piece);
      }
    }
  }

  /// The whole image, on rank 0, of the strips (n, c, h', w) that the ranks have; undefined on the
  /// others. Every rank has to call it.
  template <class T, class Device>
  Tensor<T, Device> gather(const Tensor<T, Device>& strip) const {
    Tensor<T> whole;
    if (world_.rank() == 0) whole = Tensor<T>::empty(strip.shape().with(2, parts_.back().end));
    std::int64_t next = 0;
    each_piece(strip, [&](const Tensor<T>& piece) {
      std::copy(piece.data(), piece.data() + piece.numel(), whole.data() + next);
      next += piece.numel();
    });
    return whole.defined() ? whole.template to<Device>() : Tensor<T, Device>();
  }

  /// How a style::Objective adds up what the ranks' tiles give. The Strips must outlive it.
  template <class T, class Device = Cpu>
  style::TileSplit<T, Device> split() const {
    using Parts = typename style::TileSplit<T, Device>::Parts;
    const Part& part = own();
    return {{part.top, part.begin, part.end, tiles_.front().rows.of},
            [this](const Parts& parts) { return sum(parts); },
            [this](const Parts& parts) { return gradient(parts); }};
  }

 private:
  struct Part {
    std::size_t first_tile, end_tile;
    std::int64_t begin, end;   // rows of its tiles
    std::int64_t top, bottom;  // rows that are seen for them
  };
  static constexpr auto kOp = "Strips";
  static constexpr int kTags = 32768;  // as many as every MPI has

  const Part& own() const { return parts_[static_cast<std::size_t>(world_.rank())]; }

  /// Ranks with other tiles would wait for each other for ever, or take one row for another.
  void check_same_tiles() const {
    std::string text;
    for (const style::Tile& tile : tiles_) {
      for (const style::TileSpan& span : {tile.rows, tile.columns}) {
        text += message(span.begin, " ", span.end, " ", span.seen_begin, " ", span.seen_end, " ",
                        span.of, ";");
      }
    }
    check_same(kOp, "tiles", text);
  }

  static void check_rows(const char* what, const Shape& shape, std::int64_t rows) {
    if (shape.rank() == 4 && shape[2] == rows) return;
    throw ShapeError(message("Strips: ", what, " ", shape, " for tiles of ", rows, " rows"));
  }

  /// Σ over all tiles in their order: it goes from rank to rank, each of which adds its tiles'.
  template <class T, class Device>
  Tensor<T, Device> sum(const std::vector<Tensor<T, Device>>& parts) const {
    auto sums = parts.front().template to<Cpu>().clone();
    std::size_t next = 1;
    if (world_.rank() > 0) {
      receive(sums, world_.rank() - 1);
      next = 0;
    }
    for (; next < parts.size(); ++next) {
      const auto part = parts[next].template to<Cpu>();
      put(sums.reshape({1, 1, 1, -1}), part.reshape({1, 1, 1, -1}), 0, 0, add<T>);
    }
    if (world_.rank() + 1 < world_.size()) send(sums, world_.rank() + 1);
    in_parts(sums, [&](void* part, int bytes) {
      return MPI_Bcast(part, bytes, MPI_BYTE, world_.size() - 1, world_.handle());
    });
    return sums.template to<Device>();
  }

  /// The gradient of the strip: what each tile gives for the rows here goes to their ranks, which
  /// add it in the order of the tiles.
  template <class T, class Device>
  Tensor<T, Device> gradient(const std::vector<Tensor<T, Device>>& parts) const {
    const Part& here = own();
    std::vector<Tensor<T>> sent;  // until they have arrived
    std::vector<MPI_Request> requests;
    for (std::size_t rank = 0; rank < parts_.size(); ++rank) {
      if (rank == static_cast<std::size_t>(world_.rank())) continue;
      for (std::size_t i = here.first_tile; i < here.end_tile; ++i) {
        const auto [begin, end] = common(tiles_[i], parts_[rank]);
        if (begin >= end) continue;
        sent.push_back(copy_rows(parts[i - here.first_tile].template to<Cpu>(),
                                 begin - tiles_[i].rows.seen_begin, end - begin));
        in_parts(sent.back(), [&](const void* part, int bytes) {
          requests.emplace_back();
          return MPI_Isend(part, bytes, MPI_BYTE, static_cast<int>(rank),
                           static_cast<int>(i % kTags), world_.handle(), &requests.back());
        });
      }
    }
    Tensor<T> sums;
    const Shape strip = parts.front().shape().with(2, here.bottom - here.top);
    sums = Tensor<T>::zeros(strip.with(3, tiles_.front().columns.of));
    for (std::size_t rank = 0; rank < parts_.size(); ++rank) {
      for (std::size_t i = parts_[rank].first_tile; i < parts_[rank].end_tile; ++i) {
        const style::Tile& tile = tiles_[i];
        const auto [begin, end] = common(tile, here);
        if (begin >= end) continue;
        Tensor<T> part;
        if (rank == static_cast<std::size_t>(world_.rank())) {
          part = parts[i - here.first_tile].template to<Cpu>();
        } else {
          part = Tensor<T>::empty(
              strip.with(2, end - begin).with(3, tile.columns.seen_end - tile.columns.seen_begin));
          receive(part, static_cast<int>(rank), static_cast<int>(i % kTags));
        }
        put(sums, part, begin - here.top, tile.columns.seen_begin, add<T>);
      }
    }
    world_.check(
        MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE), kOp);
    return sums.template to<Device>();
  }

  /// The rows that are seen for a tile and are in a part.
  static std::pair<std::int64_t, std::int64_t> common(const style::Tile& tile, const Part& part) {
    return {std::max(tile.rows.seen_begin, part.top), std::min(tile.rows.seen_end, part.bottom)};
  }

  template <class T>
  static void add(T& to, T from) {
    to = static_cast<T>(to + from);
  }

  template <class T>
  static Tensor<T> copy_rows(const Tensor<T>& image, std::int64_t begin, std::int64_t count) {
    auto rows = Tensor<T>::empty(image.shape().with(2, count));
    const std::int64_t width = image.size(3);
    const std::int64_t planes = image.size(0) * image.size(1);
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      const T* const from = image.data() + (plane * image.size(2) + begin) * width;
      std::copy(from, from + count * width, rows.data() + plane * count * width);
    }
    return rows;
  }

  /// change(number of the whole, number of the part) for all of the part, whose first is at a place
  /// of the whole.
  template <class T, class Change>
  static void put(Tensor<T> whole, const Tensor<T>& part, std::int64_t top, std::int64_t left,
                  const Change& change) {
    const std::int64_t height = part.size(2);
    const std::int64_t width = part.size(3);
    T* const to = whole.data();
    for (std::int64_t row = 0; row < part.size(0) * part.size(1) * height; ++row) {
      T* const there = to + (row / height * whole.size(2) + top + row % height) * whole.size(3);
      for (std::int64_t i = 0; i < width; ++i)
        change(there[left + i], part.data()[row * width + i]);
    }
  }

  /// exchange(data, bytes) with all of a tensor, in parts: MPI counts in ints, and not up to 2 GiB.
  template <class T, class Exchange>
  void in_parts(const Tensor<T>& tensor, const Exchange& exchange) const {
    T* next = const_cast<T*>(tensor.data());  // who sends it does not write to it
    auto missing = static_cast<std::size_t>(tensor.numel());
    const std::size_t most = std::max<std::size_t>(most_bytes_ / sizeof(T), 1);
    while (missing > 0) {
      const std::size_t part = std::min(most, missing);
      world_.check(exchange(next, static_cast<int>(part * sizeof(T))), kOp);
      next += part;
      missing -= part;
    }
  }
  template <class T>
  void send(const Tensor<T>& tensor, int rank) const {
    in_parts(tensor, [&](const void* part, int bytes) {
      return MPI_Send(part, bytes, MPI_BYTE, rank, 0, world_.handle());
    });
  }
  template <class T>
  void receive(Tensor<T>& tensor, int rank, int tag = 0) const {
    in_parts(tensor, [&](void* part, int bytes) {
      return MPI_Recv(part, bytes, MPI_BYTE, rank, tag, world_.handle(), MPI_STATUS_IGNORE);
    });
  }

  const Communicator& world_;
  std::vector<style::Tile> tiles_;
  std::size_t most_bytes_;
  std::vector<Part> parts_;  // of each rank
};

}  // namespace sfumato::distributed
