// Converts VGG-19 weights that sfumato can read (.pth or .safetensors) to safetensors, with the
// classifier dropped: 548 MB become 80 MB.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "find_weights.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/safetensors.hpp"
#include "sfumato/io/weights.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/weights.hpp"

namespace {

using namespace sfumato;

int convert(int argc, char** argv) {
  std::string input;
  std::string output;
  std::string type = "F32";
  bool keep_classifier = false;
  CLI::App app("Converts weights to safetensors, without the classifier.", "convert_weights");
  app.add_option("INPUT", input, "Weights to read (.pth or .safetensors)")->required();
  app.add_option("OUTPUT", output, "File to write (.safetensors)")->required();
  app.add_option("--type", type, "How to store the values: F32, F16 or BF16")
      ->check(CLI::IsMember({"F32", "F16", "BF16"}))
      ->capture_default_str();
  app.add_flag("--keep-classifier", keep_classifier, "Keep the tensors named classifier.…");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "convert_weights: %s; see --help\n", error.what());
    return 2;
  }
  const std::map<std::string, io::StoredType> types{{"F32", io::StoredType::kF32},
                                                    {"F16", io::StoredType::kF16},
                                                    {"BF16", io::StoredType::kBF16}};
  if (io::same_file(input, output)) {
    throw IoError(printable(output) + ": is the file to read; name another to write");
  }
  const io::WeightsFile file(input);
  const auto stored = file.locate(nn::Vgg<float>::parameter_names({}));
  std::map<std::string, Tensor<float>> tensors =
      style::read_vgg<float>(file, stored, input, examples::print_note);
  if (keep_classifier) {
    nn::VggOptions with_classifier;
    with_classifier.classifier = true;
    for (const auto& [name, place] :
         file.locate(nn::Vgg<float>::parameter_names(with_classifier))) {
      if (!tensors.contains(name)) tensors.emplace(name, file.read<float>(place));
    }
  }
  // What the file says of itself goes along: a slim network paints by its loss scales.
  io::write_safetensors(output, tensors, types.at(type), file.metadata());
  std::printf("wrote %zu tensors to %s\n", tensors.size(), output.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return convert(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "convert_weights: %s\n", error.what());
    return 1;
  }
}
