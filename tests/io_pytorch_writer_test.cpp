// .pth files that we write: PyTorch's own reader is tried by io_python_test.sh.

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/pytorch.hpp"
#include "sfumato/io/pytorch_writer.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_pytorch_writer_test {

TEST_CASE_TEMPLATE("what is written as .pth is read again", T, float, double, Half, BFloat16,
                   std::uint8_t, std::int32_t, std::int64_t) {
  const TemporaryDirectory folder;
  const auto matrix = Tensor<float>::arange(6).cast<T>().reshape({2, 3});
  const std::map<std::string, Tensor<T>> tensors{
      {"0.weight", matrix}, {"naïve", Tensor<T>::scalar(T(7))}, {"none", Tensor<T>::empty({0, 4})}};
  io::write_pytorch(folder / "x.pth", tensors);
  const io::PytorchFile file(folder / "x.pth");
  CHECK(file.names() == std::vector<std::string>{"0.weight", "naïve", "none"});
  CHECK(file.shape("0.weight") == Shape{2, 3});
  CHECK(file.read<T>("0.weight").to_vector() == matrix.to_vector());
  CHECK(file.read<T>("naïve").item() == T(7));
  CHECK(file.read<T>("none").shape() == Shape{0, 4});
}

TEST_CASE("content lies at multiples of 64 bytes, and the same content is the same file") {
  const TemporaryDirectory folder;
  std::map<std::string, Tensor<double>> tensors;
  for (int i = 0; i < 12; ++i) {
    tensors[std::string(static_cast<std::size_t>(i), 'x')] = Tensor<double>::full({i + 1}, 1.25);
  }
  io::write_pytorch(folder / "a.pth", tensors);
  io::write_pytorch(folder / "b.pth", tensors);
  const std::string bytes = read_bytes(folder / "a.pth");
  CHECK(bytes == read_bytes(folder / "b.pth"));
  const double mark = 1.25;
  const std::string value(reinterpret_cast<const char*>(&mark), sizeof(mark));
  std::size_t place = 0;
  for (std::size_t i = 0; i < 12; ++i) {
    CAPTURE(i);
    place = bytes.find(value, place);
    REQUIRE(place != std::string::npos);
    CHECK(place % 64 == 0);
    place += (i + 1) * sizeof(double);
  }
}

TEST_CASE("what can't be written is said, and leaves what was there") {
  const TemporaryDirectory folder;
  io::write_pytorch(folder / "x.pth", std::map<std::string, Tensor<float>>{});
  const std::string before = read_bytes(folder / "x.pth");
  const std::map<std::string, Tensor<float>> bad{{"a\xff", Tensor<float>::ones({1})}};
  CHECK(complaint([&] {
          io::write_pytorch(folder / "x.pth", bad);
        }).starts_with("write_pytorch: the name '"));
  CHECK(read_bytes(folder / "x.pth") == before);
  CHECK(complaint([&] { io::write_pytorch(folder.path(), bad); }).starts_with("write_pytorch"));
  const std::map<std::string, Tensor<float>> good{{"a", Tensor<float>::ones({1})}};
  CHECK(complaint([&] {
          io::write_pytorch(folder.path(), good);
        }).ends_with("can't be written: it is a folder; name a file in it"));
}

}  // namespace sfumato::io_pytorch_writer_test
