// .npz archives.

#include <zip.h>

#include "fuzz.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npz.hpp"

using namespace sfumato;

std::vector<std::string> fuzz_seeds() {
  const std::string array = fuzz::written("x", [](const auto& path) {
    io::write_npy(path, Tensor<double>::arange(100).reshape({4, 25}));
  });
  const std::string compressed = fuzz::written("x", [&](const auto& path) {
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE, nullptr);
    zip_file_add(archive, "a.npy", zip_source_buffer(archive, array.data(), array.size(), 0), 0);
    zip_set_file_compression(archive, 0, ZIP_CM_DEFLATE, 0);
    if (zip_close(archive) != 0) std::abort();
  });
  return {fuzz::fixture("arrays.npz"), compressed};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_with_file(data, size, [](const auto& path) {
    for (const std::string& name : io::ZipReader(path).names()) {
      fuzz::run([&] { io::read_npz<double>(path, name.substr(0, name.rfind(".npy"))); });
    }
  });
}
