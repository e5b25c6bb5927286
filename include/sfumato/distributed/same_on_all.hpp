#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/distributed/communicator.hpp"

namespace sfumato::distributed {

namespace detail {

/// Bytes that one exchange carries at most: MPI counts in ints.
inline constexpr std::size_t kMostBytes = std::size_t{1} << 26;

/// The hashes of the texts that the ranks have, in the order of the ranks.
inline std::vector<std::uint64_t> hashes_on_all(const Communicator& world, std::string_view op,
                                                const std::string& text) {
  const std::uint64_t own = std::hash<std::string>()(text);
  std::vector<std::uint64_t> all(static_cast<std::size_t>(world.size()));
  world.check(MPI_Allgather(&own, 1, MPI_UINT64_T, all.data(), 1, MPI_UINT64_T, world.handle()),
              op);
  return all;
}

/// Throws ShapeError on every rank unless all of them have as many values, of the same names,
/// shapes and type: they would wait for each other for ever, or add what does not belong together.
template <class T, class Named>
void check_same_on_all(const Communicator& world, std::string_view op, const Named& values) {
  std::string text = message(sizeof(T), " bytes, ", static_cast<double>(T(1.0f / 3.0f)));
  for (const auto& [name, value] : values) text += message(name, value.shape(), ";");
  const std::uint64_t own = values.size();
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(world.size()));
  world.check(MPI_Allgather(&own, 1, MPI_UINT64_T, counts.data(), 1, MPI_UINT64_T, world.handle()),
              op);
  const auto hashes = hashes_on_all(world, op, text);
  for (std::size_t rank = 1; rank < hashes.size(); ++rank) {
    if (counts[rank] == counts[0] && hashes[rank] == hashes[0]) continue;
    throw ShapeError(message(op, ": rank ", rank, " has ", counts[rank], " values and rank 0 has ",
                             counts[0],
                             ", or they differ in names, shapes or type; make the same "
                             "model on every rank"));
  }
}

}  // namespace detail

/// Throws ValueError on every rank, with the op's name, unless all of them were given the same text
/// of `what`: the settings that they must agree on, or else would wait for each other for ever, or
/// compute what nobody asked for. Every rank has to call it.
///
///     distributed::check_same("train", "settings", message(batch_size, " ", epochs));
inline void check_same(std::string_view op, std::string_view what, const std::string& text) {
  const auto all = detail::hashes_on_all(Communicator::current(op), op, text);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw ValueError(message(op, ": rank ", rank, " has other ", what,
                             " than rank 0; give the same to every rank"));
  }
}

}  // namespace sfumato::distributed
