// PyTorch's older files: pickles, then the storages.

#include "pth.hpp"

std::vector<std::string> fuzz_seeds() {
  return {fuzz::fixture("state-legacy.pth"), fuzz::fixture("checkpoint-legacy.pth")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_pth(data, size);
}
