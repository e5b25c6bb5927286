// PyTorch's files since version 1.6, which are zip archives.

#include "pth.hpp"

std::vector<std::string> fuzz_seeds() {
  return {fuzz::fixture("state-zip.pth"), fuzz::fixture("checkpoint-zip.pth"),
          fuzz::fixture("nested.pth")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_pth(data, size);
}
