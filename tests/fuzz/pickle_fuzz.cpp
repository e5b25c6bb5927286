// The pickle in a PyTorch file: the archive around it is whole, so that what is changed in the
// pickle gets past the archive's checksums.

#include <zip.h>

#include <array>

#include "pth.hpp"
#include "sfumato/io/zip.hpp"

using namespace sfumato;

namespace {

std::string zeros(std::size_t count) {
  return std::string(count, '\0');
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const char* const name : {"state-zip", "checkpoint-zip", "nested"}) {
    const std::filesystem::path path =
        std::filesystem::path(SFUMATO_TEST_FIXTURES) / (std::string(name) + ".pth");
    const io::ZipReader archive(path);
    for (const std::string& entry : archive.names()) {
      if (!entry.ends_with("/data.pkl")) continue;
      const auto bytes = archive.read(entry, 0, *archive.size(entry));
      seeds.emplace_back(bytes.begin(), bytes.end());
    }
  }
  // What those have not: flags, a storage without a type, a module, objects of other kinds.
  const std::string storage = "(X\x07" + zeros(3) + "storagectorch\nFloatStorage\nX\x01" +
                              zeros(3) + "0X\x03" + zeros(3) + "cpuK\x08tQ";
  const std::string tensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage +
                             "K\x01K\x02\x85K\x01\x85\x89}}X\x03" + zeros(3) + "neg\x88stR";
  const std::string key = "X\x01" + zeros(3) + "w";
  seeds.push_back("\x80\x02}(" + key + tensor + "u.");
  seeds.push_back("\x80\x04}\x94(\x8c\x05model\x94}\x94" + key + tensor +
                  "s\x8c\x03set(K\x01\x91\x8c\x04size" +
                  "\x8c\x05torch\x8c\x04Size\x93K\x01K\x02\x86\x85Ru.");
  seeds.push_back(
      "\x80\x02"
      "cmy\nNet\n)\x81}(X\x0b" +
      zeros(3) + "_parameters}" + key + tensor + "sX\x08" + zeros(3) + "_modules}ub.");
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TemporaryDirectory folder;
  const std::filesystem::path path = folder / "x.pth";
  static const std::array<std::uint8_t, 128> values{};
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  const auto add = [&](const std::string& name, const std::uint8_t* bytes, std::size_t count) {
    const zip_int64_t index =
        zip_file_add(archive, name.c_str(), zip_source_buffer(archive, bytes, count, 0), 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  };
  add("x/data.pkl", data, size);
  for (int key = 0; key < 10; ++key)
    add("x/data/" + std::to_string(key), values.data(), values.size());
  if (zip_close(archive) != 0) std::abort();
  const std::string bytes = read_bytes(path);
  return fuzz::run_pth(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}
