// safetensors files: header, layout, values.

#include <map>

#include "fuzz.hpp"
#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/safetensors.hpp"

using namespace sfumato;

std::vector<std::string> fuzz_seeds() {
  const auto x = Tensor<float>::arange(6).reshape({2, 3});
  const std::map<std::string, Tensor<float>> tensors{{"features.0.weight", x}, {"bias", x}};
  std::vector<std::string> seeds;
  for (const auto type : {io::StoredType::kF32, io::StoredType::kF16, io::StoredType::kBF16}) {
    seeds.push_back(fuzz::written("x", [&](const auto& path) {
      io::write_safetensors(path, tensors, type, {{"format", "pt"}});
    }));
  }
  seeds.push_back(fuzz::written("x", [](const auto& path) {
    io::write_safetensors<std::int64_t>(path, {{"n", Tensor<std::int64_t>::arange(3)},
                                               {"none", Tensor<std::int64_t>::zeros({0, 2})}});
  }));
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_with_file(data, size, [](const auto& path) {
    const io::SafetensorsFile file(path);
    for (const auto& name : file.names()) {
      fuzz::run([&] { file.read<float>(name); });
      fuzz::run([&] { file.read<std::int64_t>(name); });
    }
  });
}
