#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/distributed/communicator.hpp"

namespace sfumato::distributed::detail {

/// Throws ShapeError on every rank unless all of them have as many values, of the same names,
/// shapes and type: they would wait for each other for ever, or add what does not belong together.
template <class T, class Named>
void check_same_on_all(const Communicator& world, std::string_view op, const Named& values) {
  std::string text = message(sizeof(T), " bytes, ", static_cast<double>(T(1.0f / 3.0f)));
  for (const auto& [name, value] : values) text += message(name, value.shape(), ";");
  const std::uint64_t own[2] = {values.size(), std::hash<std::string>()(text)};
  std::vector<std::uint64_t> all(2 * static_cast<std::size_t>(world.size()));
  world.check(MPI_Allgather(own, 2, MPI_UINT64_T, all.data(), 2, MPI_UINT64_T, world.handle()), op);
  for (std::size_t rank = 1; 2 * rank < all.size(); ++rank) {
    if (all[2 * rank] == all[0] && all[2 * rank + 1] == all[1]) continue;
    throw ShapeError(message(op, ": rank ", rank, " has ", all[2 * rank], " values and rank 0 has ",
                             all[0],
                             ", or they differ in names, shapes or type; make the same "
                             "model on every rank"));
  }
}

}  // namespace sfumato::distributed::detail
