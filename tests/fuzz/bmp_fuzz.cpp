// BMP files.

#include "picture.hpp"

std::vector<std::string> fuzz_seeds() {
  return fuzz::pictures(".bmp");
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_picture(data, size);
}
