// Feeds a fuzzer its seeds and mutations of them, without libFuzzer and the same each time:
//   fuzz_NAME [MUTATIONS]    a line with what was accepted; status 1 if a seed was not
//   fuzz_NAME --seeds DIR    writes the seeds there, for libFuzzer to start from

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"
#include "sfumato/core/random.hpp"

namespace {

std::size_t below(sfumato::Random& random, std::size_t bound) {
  return bound == 0 ? 0 : static_cast<std::size_t>(random.below(static_cast<std::int64_t>(bound)));
}

/// Changes one to eight places. Half of the changes are near the beginning, where headers are.
std::string mutated(const std::vector<std::string>& seeds, sfumato::Random& random) {
  std::string bytes = seeds[below(random, seeds.size())];
  const std::size_t changes = 1 + below(random, 8);
  for (std::size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const std::size_t reach = below(random, 2) == 0 ? bytes.size() : bytes.size() / 4 + 1;
    const std::size_t place = below(random, reach);
    const std::size_t length = std::min(1 + below(random, 16), bytes.size() - place);
    switch (below(random, 8)) {
      case 0:
        bytes[place] = static_cast<char>(below(random, 256));
        break;
      case 1:
        bytes[place] = static_cast<char>(bytes[place] ^ 1 << below(random, 8));
        break;
      case 2:  // a number at its limits
        for (std::size_t j = 0; j < length; ++j)
          bytes[place + j] = below(random, 2) == 0 ? '\xff' : '\0';
        break;
      case 3:
        bytes.insert(place, bytes.substr(place, length));
        break;
      case 4:
        bytes.erase(place, length);
        break;
      case 5:  // as after a download that broke off
        if (i == 0) bytes.resize(place);
        break;
      case 6:
        bytes[place] = static_cast<char>(bytes[place] + (below(random, 2) == 0 ? 1 : -1));
        break;
      default: {
        const std::string& other = seeds[below(random, seeds.size())];
        const std::size_t from = below(random, other.size());
        bytes.replace(place, length, other.substr(from, length));
      }
    }
  }
  return bytes;
}

/// Whether the fuzzer could read anything of it.
bool feed(const std::string& bytes) {
  // A copy that is exactly as long, so that sanitizers see every step beyond it.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  fuzz::accepted = false;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return fuzz::accepted;
}

int drive(int argc, char** argv) {
  const std::vector<std::string> seeds = fuzz_seeds();
  if (argc == 3 && std::string_view(argv[1]) == "--seeds") {
    for (std::size_t i = 0; i < seeds.size(); ++i) {
      write_bytes(std::filesystem::path(argv[2]) / ("seed-" + std::to_string(i)), seeds[i]);
    }
    return 0;
  }
  const auto ordinary = static_cast<std::size_t>(std::count_if(seeds.begin(), seeds.end(), feed));
  const int mutations = argc > 1 ? std::atoi(argv[1]) : 2000;
  sfumato::Random random(17);
  int read = 0;
  for (int i = 0; i < mutations; ++i) read += feed(mutated(seeds, random)) ? 1 : 0;
  std::printf("accepted: %zu of %zu seeds, %d of %d mutations\n", ordinary, seeds.size(), read,
              mutations);
  return ordinary == seeds.size() && !seeds.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return drive(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "not a sfumato::Error: %s\n", error.what());
    return 1;
  }
}
