// Checkpoints of neural_style, and a run that goes on from what they hold.

#include "../../examples/neural_style/checkpoint.hpp"
#include "fuzz.hpp"
#include "run_record.hpp"

using namespace sfumato;
using neural_style::Position;

namespace {

/// A run of a small picture with a loss that has no network.
template <class Progress>
void paint(style::Optimizer optimizer, double average_decay, const Progress& progress,
           const style::MinimizerState<float>& from = {}) {
  using Network = nn::Vgg<float>;
  Random random(1);
  static Network network({.widths = {1, 1, 1, 1, 1}}, random);
  const auto loss = [](const Variable<float>& image, const Variable<float>&) {
    return ops::sum(ops::square(ops::square(image - 0.3F)));
  };
  const style::Objective<Network, float> objective(
      network, {}, {{.target = Variable<float>(), .kind = "tv", .loss = loss}});
  const style::TransferOptions options{
      .iterations = 6, .optimizer = optimizer, .average_decay = average_decay};
  style::minimize(objective, Tensor<float>::full({1, 3, 2, 2}, 0.5F), options,
                  style::Progress<float>(progress), {}, from);
}

struct Kind {
  style::Optimizer optimizer;
  double average_decay;
};
const Kind kKinds[] = {{style::Optimizer::kAdam, 0.0},
                       {style::Optimizer::kAdam, 0.9},
                       {style::Optimizer::kLbfgs, 0.0},
                       {style::Optimizer::kScaledLbfgs, 0.0}};

/// The same checkpoint as one of the run at hand and with a checksum that is right: few changes of
/// a file would get beyond those otherwise.
void make_right(const std::filesystem::path& path, neural_style::Record& record) {
  const io::SafetensorsFile file(path);
  const auto text = file.metadata().find(neural_style::detail::kCheckpoint);
  if (text == file.metadata().end()) return;
  const auto json = nlohmann::json::parse(text->second, nullptr, false);
  if (json.is_object() && json.contains("record")) {
    record = neural_style::record_from(json["record"]);
  }
  std::map<std::string, Tensor<float>> tensors;
  for (const auto& name : file.names()) tensors.emplace(name, file.read<float>(name));
  io::write_safetensors(path, tensors, io::StoredType::kF32,
                        {{neural_style::detail::kCheckpoint, text->second},
                         {neural_style::detail::kChecksum,
                          neural_style::detail::checksum_of(tensors, text->second)}});
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const auto& [optimizer, average_decay] : kKinds) {
    Position<Cpu> position{2, 7, {{}}, {}, Tensor<float>::ones({1, 3, 2, 2})};
    position.earlier[0].number = 7;
    paint(optimizer, average_decay, [&](const style::Moment<float>& now) {
      position.state = now.state();
      return now.number < 4;
    });
    seeds.push_back(fuzz::written("x", [&](const auto& path) {
      neural_style::write_checkpoint(path.string(), fuzz::run_record(), position);
    }));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_with_file(data, size, [](const std::filesystem::path& path) {
    neural_style::Record record = fuzz::run_record();
    fuzz::run([&] { neural_style::read_checkpoint<Cpu>(path.string(), record); });
    make_right(path, record);
    const auto position = neural_style::read_checkpoint<Cpu>(path.string(), record);
    for (const auto& [optimizer, average_decay] : kKinds) {
      fuzz::run([&, average = average_decay, which = optimizer] {
        paint(
            which, average, [](const style::Moment<float>&) { return true; }, position.state);
      });
    }
  });
}
