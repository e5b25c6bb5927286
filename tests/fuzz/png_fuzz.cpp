// PNG files, with their EXIF data and colour profiles.

#include "picture.hpp"
#include "png_chunks.hpp"

std::vector<std::string> fuzz_seeds() {
  return fuzz::pictures(".png");
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::run_picture(data, size);
  const std::vector<std::uint8_t> file = fuzz::with_checksums(data, size);
  return fuzz::run_picture(file.data(), file.size());
}
