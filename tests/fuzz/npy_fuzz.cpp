// .npy files.

#include "fuzz.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npy.hpp"

using namespace sfumato;

std::vector<std::string> fuzz_seeds() {
  return {fuzz::fixture("fortran.npy"), fuzz::fixture("big-endian.npy"),
          fuzz::written("x",
                        [](const auto& path) {
                          io::write_npy(path, Tensor<float>::ones({2, 3}));
                        }),
          fuzz::written(
              "x", [](const auto& path) { io::write_npy(path, Tensor<std::int64_t>::arange(4)); })};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  fuzz::run([&] { io::read_npy_bytes<std::int64_t>(bytes, "input"); });
  return fuzz::run([&] { io::read_npy_bytes<float>(bytes, "input"); });
}
