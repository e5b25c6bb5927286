// What one iteration of style transfer asks of the GPU, counted by the emulator: launches, waits of
// the processor, and bytes moved. The figures of docs/cuda.md come from here:
//     cuda_iteration_cost [HEIGHT WIDTH]

#include <cstdio>
#include <cstdlib>
#include <emulator.hpp>

#include "sfumato/cuda.hpp"
#include "sfumato/sfumato.hpp"

using namespace sfumato;

namespace {

void print(const char* title, const emulator::Counters& counters) {
  constexpr double kMega = 1e6;
  std::printf("%s\n", title);
  for (const auto& [name, count] : counters.launches) {
    std::printf("  %5llu launches of %s\n", static_cast<unsigned long long>(count), name.c_str());
  }
  for (const auto& [name, count] : counters.library_calls) {
    std::printf("  %5llu times %s\n", static_cast<unsigned long long>(count), name.c_str());
  }
  std::printf("  graph launches %llu, waits %llu, allocations %llu\n",
              static_cast<unsigned long long>(counters.graph_launches),
              static_cast<unsigned long long>(counters.synchronizations),
              static_cast<unsigned long long>(counters.allocations));
  std::printf("  MB read %.1f, written %.1f, copied or set on the device %.1f\n",
              static_cast<double>(counters.bytes_read) / kMega,
              static_cast<double>(counters.bytes_written) / kMega,
              static_cast<double>(counters.bytes_on_device) / kMega);
  std::printf("  bytes to the device %llu, to the host %llu; peak MB in use %.1f\n",
              static_cast<unsigned long long>(counters.bytes_to_device),
              static_cast<unsigned long long>(counters.bytes_to_host),
              static_cast<double>(counters.peak_bytes_in_use) / kMega);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t height = argc > 2 ? std::atoll(argv[1]) : 150;
  const std::int64_t width = argc > 2 ? std::atoll(argv[2]) : 225;
  // Scratch memory of cuDNN's would be counted as written: algorithms that need none.
  cuda::options().workspace_limit = 0;
  {
    Random random(1);
    nn::Vgg<float, Cuda> network({}, random);
    const auto image = [&] { return Tensor<float, Cuda>::randn({1, 3, height, width}, random); };
    const auto content = image();
    const auto painting = image();
    emulator::reset_counters();
    style::transfer(network, content, painting, content, {.iterations = 3},
                    [](const style::Iteration& now) {
                      if (now.number == 1)
                        print("targets and first iteration", emulator::counters());
                      if (now.number == 2) print("recorded iteration", emulator::counters());
                      if (now.number == 3) print("replayed iteration", emulator::counters());
                      emulator::reset_counters();
                      return true;
                    });
  }
  cuda::shutdown();
}
