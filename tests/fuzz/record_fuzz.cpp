// The record that a painted PNG carries, as `neural_style repeat` reads it, up to the run that it
// asks for.

#include "../../examples/neural_style/repeat.hpp"
#include "fuzz.hpp"
#include "png_chunks.hpp"
#include "run_record.hpp"

using namespace sfumato;

std::vector<std::string> fuzz_seeds() {
  neural_style::Record other = fuzz::run_record();
  other.stopped_after = 7;
  other.options = {
      {"--preset", "gatys"}, {"--height", "40"}, {"--style-layers", "conv1_1,conv2_1"}};
  std::vector<std::string> seeds;
  for (const neural_style::Record& record : {fuzz::run_record(), other}) {
    seeds.push_back(fuzz::written("x.png", [&](const auto& path) {
      io::write_image(path, Tensor<std::uint8_t>::full({2, 3, 3}, std::uint8_t{128}), 95,
                      {{neural_style::kRecordKeyword, neural_style::to_json(record)}});
    }));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = [](const std::filesystem::path& path) {
    const neural_style::Record record = neural_style::record_in(path.string());
    // What it was once read it stays, whatever it was written as.
    const std::string text = neural_style::to_json(record);
    if (neural_style::to_json(neural_style::record_from(nlohmann::json::parse(text))) != text) {
      std::abort();
    }
    neural_style::differences(record.environment, {{"sfumato", "1"}, {"device", "cpu"}});
    neural_style::Settings given = record.options;
    for (const neural_style::Input& input : record.inputs) {
      fuzz::run([&] { neural_style::detail::find_input(input, {path}); });
      given.push_back({input.option, "x"});
    }
    given.push_back({"--output", "x.png"});
    neural_style::check(given);
  };
  fuzz::run_with_file(data, size, read);
  const std::vector<std::uint8_t> file = fuzz::with_checksums(data, size);
  return fuzz::run_with_file(file.data(), file.size(), read);
}
