#pragma once

#include "sfumato/cpu/kernels/kernel_table.hpp"
#include "sfumato/cpu/kernels/shares.hpp"

// The kernels take a compiler some seconds. A program of many files may have them compiled once, by
// linking sfumato::kernels, which defines this macro.
#ifndef SFUMATO_COMPILED_KERNELS
#include "sfumato/cpu/kernels/choose_kernels.hpp"
#endif

namespace sfumato::cpu {

/// The kernels for the best vectors that this processor has and options() allow; Table is one of
/// kernel_table.hpp.
template <class Table>
const Table& kernels();

#ifndef SFUMATO_COMPILED_KERNELS
template <class Table>
const Table& kernels() {
  return chosen_kernels<Table>();
}
#endif

}  // namespace sfumato::cpu
