// What PyTorch and NumPy themselves wrote is read, and a pickle can do nothing else.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/npy.hpp"
#include "sfumato/io/npz.hpp"
#include "sfumato/io/weights.hpp"
#include "support/complaint.hpp"
#include "support/hostile_files.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_pytorch_test {

namespace {

const std::filesystem::path kFixtures = SFUMATO_TEST_FIXTURES;

bool ends_with(const std::string& text, const std::string& end) {
  return text.ends_with(end);
}

}  // namespace

TEST_CASE("npy and npz files of NumPy are read") {
  const auto fortran = io::read_npy<double>(kFixtures / "fortran.npy");
  CHECK(fortran.shape() == Shape{2, 3, 4});
  CHECK(fortran.to_vector() == Tensor<double>::arange(24).to_vector());
  CHECK(io::read_npz<double>(kFixtures / "arrays.npz", "a").at({1, 2}) == 5.0);
  CHECK(io::read_npz<std::int64_t>(kFixtures / "arrays.npz", "b").item() == 5);
  CHECK(ends_with(complaint([] { io::read_npz<float>(kFixtures / "arrays.npz", "c"); }),
                  "arrays.npz: there is no array 'c'"));
  CHECK(io::read_npy<float>(kFixtures / "big-endian.npy").to_vector() ==
        std::vector<float>{0, 1, 2});
  CHECK(ends_with(complaint([] { io::read_npy<float>(kFixtures / "none.npy"); }),
                  "none.npy: no such file"));
  CHECK(ends_with(complaint([] { io::read_npy<float>(kFixtures / "state-zip.pth"); }),
                  "state-zip.pth: not a .npy file"));
}

TEST_CASE("state dictionaries of PyTorch are read in both formats") {
  for (const char* const name : {"state-zip.pth", "state-legacy.pth"}) {
    CAPTURE(name);
    const io::WeightsFile file(kFixtures / name);
    CHECK(file.names() == std::vector<std::string>{"bfloat16", "double", "float", "half", "long",
                                                   "parameter", "part", "scalar", "transposed"});
    CHECK(file.shape("float") == Shape{2, 3});
    CHECK(file.read<float>("float").to_vector() == std::vector<float>{0, .25, .5, .75, 1, 1.25});
    CHECK(file.read<float>("double").to_vector() == std::vector<float>{1.5, -2.25});
    CHECK(file.read<double>("half").to_vector() == std::vector<double>{0.5, -1, 65504});
    CHECK(file.read<float>("bfloat16").to_vector() == std::vector<float>{1, -3});
    CHECK(file.read<std::int64_t>("long").to_vector() ==
          std::vector<std::int64_t>{1, -(1LL << 40)});
    CHECK(file.read<float>("scalar").item() == 7.0F);
    CHECK(file.read<float>("part").to_vector() == std::vector<float>{4, 5, 6, 7});
    CHECK(file.read<float>("parameter").to_vector() == std::vector<float>{1, 1});
    const auto transposed = file.read<float>("transposed");
    CHECK(transposed.shape() == Shape{4, 3});
    CHECK(transposed.to_vector() == std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    CHECK(file.read<float>("long").to_vector() == std::vector<float>{1, -0x1p40F});
    CHECK(ends_with(
        complaint([&] { file.read<Half>("long"); }),
        "tensor 'long' holds -1099511627776 as I64, which F16 can't hold exactly; ask for "
        "another type"));
    CHECK(ends_with(complaint([&] { file.read<std::int64_t>("float"); }),
                    "tensor 'float' is a FloatStorage, which can't be read as I64"));
    CHECK(ends_with(complaint([&] { file.read<float>("none"); }), "there is no tensor 'none'"));
    check_hostile_copies(read_bytes(kFixtures / name), "copy.pth", [](const auto& path) {
      const io::PytorchFile copy(path);
      for (const auto& tensor : copy.names()) copy.read<float>(tensor);
    });
  }
  CHECK(io::WeightsFile(kFixtures / "nested.pth").names() ==
        std::vector<std::string>{"bias", "weight"});
  CHECK(ends_with(complaint([] {
                    io::read_tensors<float>(kFixtures / "nested.pth", {"bias", "a", "b"});
                  }),
                  "nested.pth: the weights lack a, b"));
}

TEST_CASE("a pickle can describe any call and make none") {
  const auto says = [](const std::string& program) {
    const std::vector<std::uint8_t> bytes(program.begin(), program.end());
    return complaint([&] { io::detail::PickleMachine(bytes, "file", 0).run(); });
  };
  const std::string system = "cos\nsystem\n(X\x04" + std::string(3, '\0') + "truetR.";
  const std::vector<std::uint8_t> bytes(system.begin(), system.end());
  io::detail::PickleMachine machine(bytes, "file", 0);
  CHECK(machine.run().is_call("os", "system"));
  CHECK(says("c__builtin__\neval\n.") == "nothing");
  CHECK(says("i").find("opcode 105 is not one that tensors need") != std::string::npos);
  CHECK(says(std::string("X\xff\xff\xff\x7f", 5)).find("truncated") != std::string::npos);
  CHECK(says("\x8e" + std::string(8, '\xff')).find("truncated") != std::string::npos);
  CHECK(says("R").find("the stack is empty") != std::string::npos);
  CHECK(says("t").find("no mark on the stack") != std::string::npos);
  CHECK(says("(.").find("the stack is empty") != std::string::npos);
  CHECK(says("h\x05.").find("memo 5 has not been set") != std::string::npos);
  CHECK(says("]K\x01R.").find("reduces something other") != std::string::npos);
  CHECK(says("}(K\x01u.").find("a key has no value") != std::string::npos);
  CHECK(says("K\x01K\x02"
             "a.")
            .find("expected a list") != std::string::npos);
  CHECK(says("]K\x01K\x02s.").find("expected a dictionary") != std::string::npos);
  CHECK(says("K\x01K\x02\x93.").find("a global has no name") != std::string::npos);
  CHECK(says(std::string(2'000'000, ']') + ".").find("more values than") != std::string::npos);
  CHECK(says("]q\x01h\x01"
             "a.") == "nothing");  // a list that holds itself does no harm
  CHECK(says("").find("truncated") != std::string::npos);
}

}  // namespace sfumato::io_pytorch_test
