// .npz archives.

#include "fuzz.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npz.hpp"

using namespace sfumato;

std::vector<std::string> fuzz_seeds() {
  return {fuzz::fixture("arrays.npz")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_with_file(data, size, [](const auto& path) {
    for (const std::string& name : io::ZipReader(path).names()) {
      fuzz::run([&] { io::read_npz<double>(path, name.substr(0, name.rfind(".npy"))); });
    }
  });
}
