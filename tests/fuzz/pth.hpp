#pragma once

#include "fuzz.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/pytorch.hpp"

namespace fuzz {

/// Reads all tensors of a PyTorch file.
inline int run_pth(const std::uint8_t* data, std::size_t size) {
  return run_with_file(data, size, [](const auto& path) {
    const sfumato::io::PytorchFile file(path);
    for (const auto& name : file.names()) {
      run([&] { file.read<float>(name); });
      run([&] { file.read<std::int64_t>(name); });
    }
  });
}

}  // namespace fuzz
