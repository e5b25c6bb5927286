// Weights under other names than the ones asked for.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npz.hpp"
#include "sfumato/io/weights.hpp"
#include "support/complaint.hpp"
#include "support/pytorch_file.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_weights_test {

namespace {

using Names = std::vector<std::string>;

const Names kWanted{"features.0.weight", "features.0.bias", "features.2.weight", "features.2.bias",
                    "features.5.weight", "features.5.bias", "features.7.weight", "features.7.bias"};

/// Where the first of the wanted names is found among these, or what is said instead.
std::string first_of(const Names& present) {
  std::string place;
  const std::string says = complaint(
      [&] { place = io::detail::locate_names(present, kWanted).at("features.0.weight"); });
  return says == "nothing" ? place : says;
}

Names with_prefix(const std::string& prefix, std::size_t dropped = 0) {
  Names names;
  for (const std::string& name : kWanted) names.push_back(prefix + name.substr(dropped));
  return names;
}

Names operator+(Names a, const Names& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr std::size_t kFeatures = 9;  // letters of "features."

}  // namespace

TEST_CASE("names are found as they are, behind a prefix and without their first part") {
  CHECK(first_of(kWanted) == "features.0.weight");
  CHECK(first_of(with_prefix("module.")) == "module.features.0.weight");
  CHECK(first_of(with_prefix("net.module.")) == "net.module.features.0.weight");
  CHECK(first_of(with_prefix("", kFeatures)) == "0.weight");
  CHECK(first_of(with_prefix("vgg.", kFeatures)) == "vgg.0.weight");
  CHECK(first_of(with_prefix("module.") + Names{"module.classifier.0.weight", "0.weight"}) ==
        "module.features.0.weight");
  // The plain names are meant where the file has them too.
  CHECK(first_of(with_prefix("ema.") + kWanted) == "features.0.weight");
  // A classifier has a layer of the same number, but not all of them.
  CHECK(first_of(with_prefix("body.", kFeatures) + Names{"head.0.weight", "head.0.bias"}) ==
        "body.0.weight");
}

TEST_CASE("what is missing or a choice is listed") {
  CHECK(first_of({}).starts_with("the weights lack features.0.weight, features.0.bias, "));
  Names lacking = with_prefix("module.");
  lacking[6] = "features.7.weight";  // without the others' prefix
  CHECK(first_of(lacking) == "the weights lack features.7.weight");
  CHECK(first_of(with_prefix("1", kFeatures)).starts_with("the weights lack "));  // 10.weight
  CHECK(first_of(with_prefix("ema\n.") + with_prefix("net.")) ==
        R"(there is a choice of weights, with names that begin with 'ema\n.', 'net.'; save one of )"
        "them by itself");
  Names many;
  for (int i = 0; i < 20; ++i) many = many + with_prefix(message("net", i, "."));
  CHECK(first_of(many).ends_with("'net15.' and 12 more; save one of them by itself"));
}

TEST_CASE("few names are not taken from any part of a network") {
  using io::detail::locate_names;
  const Names one{"features.0.weight"};
  CHECK(locate_names({"module.features.0.weight"}, one).at(one[0]) == "module.features.0.weight");
  CHECK(locate_names({"0.weight"}, one).at(one[0]) == "0.weight");
  CHECK(complaint([&] { locate_names({"classifier.0.weight"}, one); }) ==
        "the weights lack features.0.weight");
  CHECK(complaint([&] { locate_names({"fc.weight"}, {"weight"}); }) == "the weights lack weight");
  CHECK(locate_names({"module.weight"}, {"weight"}).at("weight") == "module.weight");
}

TEST_CASE("tensors are read from any nesting") {
  const TemporaryDirectory folder;
  using namespace pytorch_file;
  const std::string pair = tensor(8, 3, list({2}), list({1}));
  const std::string state =
      message("}(", text("features.0.w"), pair, text("features.1.w"), pair, "u");
  write_archive(folder / "x.pth",
                message("}(", text("net"), state, text("epoch"), integer(3), "u."));
  const auto found = io::read_tensors<float>(folder / "x.pth", {"features.0.w", "features.1.w"});
  CHECK(found.at("features.1.w").to_vector() == std::vector<float>{3, 4});
  write_archive(folder / "two.pth", message("}(", text("net"), state, text("ema"), state, "u."));
  CHECK(complaint([&] { io::read_tensors<float>(folder / "two.pth", {"features.0.w"}); }) ==
        message((folder / "two.pth").string(),
                ": there is a choice of weights, with names that begin with 'ema.', 'net.'; save "
                "one of them by itself"));
  CHECK(io::read_tensors<float>(folder / "two.pth", {"ema.features.0.w"}).size() == 1);
}

TEST_CASE("the weights and arrays that people have are read") {
  const auto weights = shared_data("cases/weights");
  if (!weights) {
    MESSAGE("SKIPPED: the shared cases are not on this machine");
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(*weights)) {
    const std::string file_name = entry.path().filename().string();
    CAPTURE(file_name);
    const io::WeightsFile file(entry.path());
    int readable = 0;
    for (const std::string& name : file.names()) {
      CAPTURE(name);
      const std::string says = complaint([&] { file.read<float>(name); });
      CHECK((says == "nothing" || says.find("is not supported") != std::string::npos));
      if (says == "nothing") ++readable;
    }
    CHECK(readable > 0);
    const bool vgg = file_name.starts_with("dataparallel") || file_name == "features_only.pth" ||
                     file_name == "ckpt_model.pth";
    if (vgg) {
      CHECK(
          io::read_tensors<float>(entry.path(), {"features.0.weight", "features.0.bias"}).size() ==
          2);
    }
  }
  const auto arrays = *shared_data("cases/arrays");
  CHECK(io::read_npy<float>(arrays / "big_f4.npy").to_vector()[3] == 3);
  CHECK(io::read_npy<std::uint8_t>(arrays / "bool.npy").to_vector() ==
        std::vector<std::uint8_t>{1, 0, 1});
  CHECK(io::read_npy<float>(arrays / "t_u2.npy").to_vector() ==
        std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(io::read_npy<float>(arrays / "f2.npy").to_vector()[2] == 2);
  const auto cube = Tensor<float>::arange(24).to_vector();
  CHECK(io::read_npy<float>(arrays / "py2_long.npy").shape() == Shape{2, 3, 4});
  CHECK(io::read_npy<float>(arrays / "py2_long.npy").to_vector() == cube);
  CHECK(io::read_npz<float>(arrays / "compressed.npz", "a").to_vector() == cube);
}

TEST_CASE("a file that holds no weights is called what it is") {
  using namespace std::string_literals;
  const TemporaryDirectory folder;
  const auto says = [&](const std::string& content) {
    const auto path = folder.path() / "weights";
    std::ofstream(path, std::ios::binary) << content;
    const std::string text = complaint([&] { io::WeightsFile{path}; });
    const std::string name = path.string() + ": ";
    REQUIRE(text.starts_with(name));
    return text.substr(name.size());
  };
  CHECK(says("") == "this file is empty; copy or download it again");
  CHECK(says(std::string(100, '\0')) ==
        "this file begins with nothing but zeros; copy or download it again");
  CHECK(says("\xFF\xD8\xFF\xE0\0\x10JFIF"s) == "this is a picture, not weights");
  CHECK(says("\x89PNG\r\n\x1A\n") == "this is a picture, not weights");
  CHECK(says("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548\n") ==
        "this is a Git LFS pointer, not the weights themselves; fetch them with git lfs pull");
  CHECK(says("<!DOCTYPE html>\n<title>404</title>") ==
        "this is an HTML page, not weights; download the file itself");
  CHECK(says("\n\x14VGG_ILSVRC_19_layers\x1A") ==
        "this is a model of Caffe, which is not read; save it as safetensors");
  CHECK(says("weights") == "this is text, not weights");
  CHECK(says("\1\2\3") == "neither safetensors nor a file of PyTorch");
}

}  // namespace sfumato::io_weights_test
