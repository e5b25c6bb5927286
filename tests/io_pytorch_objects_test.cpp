// What else is in PyTorch's files: objects of any kind beside the tensors, state dictionaries under
// any name, tensors with flags, strides and wrappings.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/pytorch.hpp"
#include "sfumato/io/weights.hpp"
#include "support/complaint.hpp"
#include "support/pytorch_file.hpp"
#include "support/shared_data.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_pytorch_objects_test {
using namespace pytorch_file;

namespace {

using Names = std::vector<std::string>;
using Floats = std::vector<float>;

/// A file with a dictionary of these keys and values, which push themselves.
class File {
 public:
  explicit File(const std::string& program, zip_int32_t method = ZIP_CM_STORE) {
    write_archive(folder_ / "x.pth", program, method);
  }
  io::PytorchFile open() const { return io::PytorchFile(folder_ / "x.pth"); }
  std::filesystem::path path() const { return folder_ / "x.pth"; }
  Floats read(const std::string& name) const { return open().read<float>(name).to_vector(); }
  /// What asking for a tensor says, without the file's name.
  std::string says(const std::string& name) const {
    const std::string text = complaint([&] { open().read<float>(name); });
    const std::size_t end = text.find("x.pth: ");
    return end == std::string::npos ? text : text.substr(end + 7);
  }

 private:
  TemporaryDirectory folder_;
};

const std::string kPair = tensor(8, 3, list({2}), list({1}));  // 3, 4
const std::string kFalse = "\x89";
const std::string kTrue = "\x88";
const std::string kNoHooks = call("collections", "OrderedDict", "");

std::string dictionary(const std::string& items) {
  return message("}(", items, "u");
}
std::string storage_id(const std::string& type_module, const std::string& type,
                       const std::string& key, std::uint64_t length) {
  return message("(", text("storage"), global(type_module, type), text(key), text("cpu"),
                 integer(length), "tQ");
}
/// The arguments that all of the functions for tensors have.
std::string described(const std::string& storage, const std::string& sizes,
                      const std::string& strides) {
  return message(storage, integer(0), sizes, strides, kFalse, kNoHooks);
}
std::string with_flags(const std::string& flags) {
  return call("torch._utils", "_rebuild_tensor_v2",
              described(storage_id("torch", "FloatStorage", "0", 8), list({2}), list({1})) +
                  dictionary(flags));
}

}  // namespace

TEST_CASE("objects of any kind beside a tensor do it no harm") {
  const std::string bytes8 = "\x8e" + little_endian(3, 8) + "abc";
  const std::vector<std::string> objects{
      call("torch", "Size", list({1, 2})),
      call("torch", "device", text("cuda") + integer(0)),
      global("torch", "float16"),
      "C\x03"
      "abc",
      "B" + little_endian(3, 4) + "abc",
      bytes8,
      "\x96" + little_endian(3, 8) + "abc",
      "\x8f(K\x01K\x02\x90",                     // a set
      "(K\x01\x91",                              // a frozenset
      call("__builtin__", "set", list({1, 2})),  // a set in protocol 2
      call("_codecs", "encode", text("abc") + text("latin1")),
      call("__builtin__", "complex", std::string("G") + std::string(16, '\0').insert(8, "G")),
      call("numpy.core.multiarray", "scalar", call("numpy", "dtype", text("f8")) + bytes8),
      call("os", "system", text("true")),  // described, never called
      "cargparse\nNamespace\n)\x81}" + text("lr") + "K\x01sb",
      "cargparse\nNamespace\n)}\x92",
      "ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R" + text("k") + "]s",
      "\x8b" + little_endian(3, 4) + "abc",  // a long number
      "N",
      kTrue,
      "G" + std::string(8, '\0'),
      "](K\x01" + text("t") + "e",
      "K\x01\x85",
      "K\x01K\x02\x86",
      message("(", text("module"), global("my", "Net"), text("net.py"), text("source"), "tQ"),
  };
  std::string all;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    CAPTURE(i);
    const std::string key = text(message("object", i));
    all += key + objects[i];
    const File alone(dictionary(key + objects[i] + text("w") + kPair) + ".");
    CHECK(alone.open().names() == Names{"w"});
    CHECK(alone.read("w") == Floats{3, 4});
  }
  const File file(dictionary(text("first") + kPair + all + text("last") + kPair) + ".");
  CHECK(file.open().names() == Names{"first", "last"});
  CHECK(file.read("last") == Floats{3, 4});
}

TEST_CASE("only asking for a tensor of an unknown kind fails") {
  const auto of_storage = [](const std::string& type) {
    return call("torch._utils", "_rebuild_tensor_v2",
                described(storage_id("torch", type, "0", 1), list({1}), list({1})));
  };
  const auto says = [](const std::string& value) {
    const File file(
        dictionary(text("odd") + value + text("w") + tensor(8, 3, list({2}), list({1}))) + ".");
    CHECK(file.open().names() == Names{"odd", "w"});
    if (value.find("torch\nF8Storage") == std::string::npos &&
        value.find("UntypedStorage") == std::string::npos) {
      return file.says("odd");
    }
    return file.says("odd");
  };
  const std::string quantised = call("torch._utils", "_rebuild_qtensor", integer(1));
  CHECK(says(quantised) ==
        "tensor 'odd' is made by torch._utils._rebuild_qtensor, which is not read; save a plain "
        "tensor");
  for (const char* const type :
       {"BoolStorage", "CharStorage", "ShortStorage", "ComplexFloatStorage", "QInt8Storage",
        "Float8StorageOfTomorrow_Storage"}) {
    const File file(dictionary(text("odd") + of_storage(type)) + ".");
    CHECK(file.says("odd") == message("tensor 'odd' is a ", type, ", which is not supported"));
  }
}

TEST_CASE("types without a storage class are described by their names") {
  const auto third = [](const std::string& dtype, std::uint64_t size) {
    return call(
        "torch._utils", "_rebuild_tensor_v3",
        described(storage_id("torch.storage", "UntypedStorage", "0", 32), list({size}), list({1})) +
            global("torch", dtype) + dictionary(""));
  };
  const File file(dictionary(text("u16") + third("uint16", 2) + text("f8") +
                             third("float8_e4m3fn", 2) + text("f32") + third("float32", 3) +
                             text("long") + third("float32", 9)) +
                  ".");
  CHECK(file.open().names() == Names{"f32", "f8", "long", "u16"});
  CHECK(file.read("f32") == Floats{0, 1, 2});
  CHECK(file.says("u16") == "tensor 'u16' is a uint16, which is not supported");
  CHECK(file.says("f8") == "tensor 'f8' is a float8_e4m3fn, which is not supported");
  CHECK(file.says("long") == "tensor 'long' needs elements 0 to 9 of a storage of 8");
}

TEST_CASE("the flags of negative and conjugate views are obeyed or refused") {
  const File file(dictionary(text("neg") + with_flags(text("neg") + kTrue) + text("not") +
                             with_flags(text("neg") + kFalse + text("conj") + kFalse) +
                             text("conj") + with_flags(text("conj") + kTrue) + text("new") +
                             with_flags(text("neg\n") + kTrue)) +
                  ".");
  CHECK(file.read("neg") == Floats{-0.0F, -1});
  CHECK(std::signbit(file.read("neg")[0]));
  CHECK(file.read("not") == Floats{0, 1});
  CHECK(file.says("conj") ==
        "tensor 'conj' has the flag 'conj', which is not read; save "
        "tensor.resolve_conj().resolve_neg().clone()");
  CHECK(file.says("new").starts_with(R"(tensor 'new' has the flag 'neg\n', which is not read)"));
}

TEST_CASE("parameters, buffers and subclasses are the tensors in them") {
  const std::string arguments =
      described(storage_id("torch", "FloatStorage", "0", 8), list({2}), list({1}));
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string plain = call("torch._utils", "_rebuild_tensor_v2", arguments);
  const std::string parameter =
      call("torch._utils", "_rebuild_parameter", plain + kTrue + kNoHooks);
  const std::string with_state =
      call("torch._utils", "_rebuild_parameter_with_state",
           plain + kTrue + kNoHooks + dictionary(text("a") + integer(1)));
  const std::string buffer = call("torch._tensor", "_rebuild_from_type_v2",
                                  message(rebuild, global("torch.nn.parameter", "Buffer"), "(",
                                          arguments, "t", dictionary(text("_is_buffer") + kTrue)));
  const std::string of_parameter =
      call("torch._tensor", "_rebuild_from_type_v2",
           message(global("torch._utils", "_rebuild_parameter"), global("my", "Parameter"), "(",
                   plain, kTrue, kNoHooks, "t", dictionary("")));
  const std::string old = call(
      "torch._utils", "_rebuild_tensor",
      message(storage_id("torch.cuda", "FloatStorage", "0", 8), integer(0), list({2}), list({1})));
  for (const std::string& value : {plain, parameter, with_state, buffer, of_parameter, old}) {
    CHECK(File(dictionary(text("w") + value) + ".").read("w") == Floats{0, 1});
  }
  // What somebody else makes of a tensor may be anything.
  const File other(dictionary(text("w") + call("my", "negated", plain)) + ".");
  CHECK_FALSE(other.says("w").empty());
}

TEST_CASE("strides of any kind within the storage are followed") {
  const auto read = [](const std::string& value) {
    return File(dictionary(text("w") + value) + ".").read("w");
  };
  CHECK(read(tensor(8, 2, list({4}), list({0}))) == Floats{2, 2, 2, 2});
  CHECK(read(tensor(8, 2, list({2, 3}), list({1, 0}))) == Floats{2, 2, 2, 3, 3, 3});
  CHECK(read(tensor(8, 0, list({3, 3}), list({1, 2}))) == Floats{0, 2, 4, 1, 3, 5, 2, 4, 6});
  CHECK(read(tensor(8, 0, list({2, 2}), list({1, 4}))) == Floats{0, 4, 1, 5});
  CHECK(read(tensor(8, 1, list({1, 2}), list({777, 3}))) == Floats{1, 4});
  CHECK(read(tensor(8, 7, list({}), list({}))) == Floats{7});
}

TEST_CASE("a number of the tensor that is too large for what is asked for is refused") {
  const TemporaryDirectory folder;
  const std::string value =
      call("torch._utils", "_rebuild_tensor_v2",
           described(storage_id("torch", "DoubleStorage", "a", 3), list({2}), list({2})));
  const auto read = [&](double first, double second, double third) {
    const std::vector<double> values{first, second, third};
    const std::string bytes(reinterpret_cast<const char*>(values.data()), 24);
    write_legacy(folder / "x.pth", dictionary(text("w") + value) + ".",
                 {{"a", little_endian(3, 8) + bytes}});
    return complaint([&] { io::PytorchFile(folder / "x.pth").read<float>("w"); });
  };
  CHECK(read(1, 2, 1e300)
            .ends_with("tensor 'w' holds 1e+300 as F64, which is too large for F32; ask for "
                       "another type"));
  CHECK(read(1, 1e300, 2) == "nothing");  // between the tensor's elements
}

TEST_CASE("a tensor of no elements is empty, or its file damaged") {
  const File file(dictionary(text("none") +
                             call("torch._utils", "_rebuild_tensor_v2",
                                  described(storage_id("torch", "FloatStorage", "none", 0),
                                            list({0, 3}), list({3, 1}))) +
                             text("part") + tensor(8, 8, list({0}), list({1})) + text("beyond") +
                             tensor(8, 9, list({0}), list({1})) + text("w") + kPair) +
                  ".");
  CHECK(file.open().read<float>("none").shape() == Shape{0, 3});
  CHECK(file.open().read<float>("part").shape() == Shape{0});
  CHECK(file.says("beyond") == "tensor 'beyond' needs elements 9 to 9 of a storage of 8");
  CHECK(file.read("w") == Floats{3, 4});
  const File claims(
      dictionary(text("w") + call("torch._utils", "_rebuild_tensor_v2",
                                  described(storage_id("torch", "FloatStorage", "none", 2),
                                            list({2}), list({1})))) +
      ".");
  CHECK(claims.says("w") ==
        "truncated or damaged: storage 'none' claims 2 elements of 4 bytes, but 0 bytes are there");
}

TEST_CASE("state dictionaries are found under any name") {
  const std::string weights = dictionary(text("w") + kPair);
  const std::string epoch = text("epoch") + integer(3);
  for (const char* const name : {"model", "net", "ema", "state_dict", "any thing"}) {
    const File file(dictionary(epoch + text(name) + weights) + ".");
    CHECK(file.open().names() == Names{"w"});
    CHECK(file.read("w") == Floats{3, 4});
  }
  const std::string nested = dictionary(text("net") + dictionary(text("weights") + weights));
  CHECK(File(nested + ".").read("w") == Floats{3, 4});
  CHECK(File("(" + weights + integer(3) + "t.").read("w") == Floats{3, 4});  // in a tuple
  // What belongs to the optimiser is no choice, and numbers are no names.
  const std::string moments =
      dictionary(text("state") + dictionary(integer(0) + dictionary(text("exp_avg") + kPair)) +
                 text("buf") + dictionary(text("m") + kPair));
  const File trained(dictionary(text("optimizer") + moments + text("model") + weights) + ".");
  CHECK(trained.open().names() == Names{"w"});
  // "state_dict" is the one that is meant.
  const File two(dictionary(text("ema") + weights + text("state_dict") + weights) + ".");
  CHECK(two.open().names() == Names{"w"});
  CHECK(File("}.").says("w") == "holds no named tensors");
  CHECK(File("K\x01.").says("w") == "holds no named tensors");
}

TEST_CASE("optimisers are told from state dictionaries by what they hold, in both formats") {
  const std::string weights = dictionary(text("w") + kPair);
  const std::string adam =
      dictionary(text("state") + dictionary(text("w") + dictionary(text("exp_avg") + kPair)) +
                 text("param_groups") + "]");
  const TemporaryDirectory folder;
  const auto names = [&](const std::string& items) {
    const std::string program = dictionary(items) + ".";
    write_legacy(folder / "x.pth", program,
                 {{"0", little_endian(8, 8) + floats({0, 1, 2, 3, 4, 5, 6, 7})}});
    const io::PytorchFile old(folder / "x.pth");
    const File file(program);
    CHECK(old.names() == file.open().names());
    for (const std::string& name : old.names()) {
      CHECK(old.read<float>(name).to_vector() == Floats{3, 4});
      CHECK(file.read(name) == Floats{3, 4});
    }
    return old.names();
  };
  for (const char* const key :
       {"optimal_model", "optimum", "optimized_weights", "optim", "optimizer_net", "optimizer"}) {
    CAPTURE(key);
    CHECK(names(text(key) + weights) == Names{"w"});
    CHECK(names(text("adam") + adam + text(key) + weights) == Names{"w"});
  }
  CHECK(names(text("optimizer") + adam + text("model") + weights) == Names{"w"});
  CHECK(names(text("optim") + adam + text("model") + weights) == Names{"w"});
  CHECK(names(text("g") + dictionary(text("optim_g") + adam) + text("optimum") + weights +
              text("model") + weights) == Names{"model.w", "optimum.w"});
  // The optimiser and the model are one dictionary, which the pickle names again.
  CHECK(names(text("optimizer") + weights + "q\1" + text("model") + "h\1" + text("ema") +
              weights) == Names{"ema.w", "model.w"});
}

TEST_CASE("where there is a choice of dictionaries, it is listed") {
  const std::string weights = dictionary(text("w") + kPair);
  const File file(
      dictionary(text("ema") + weights + text("net\x1b") +
                 dictionary(text("v") + kPair + text("w") + tensor(8, 0, list({1}), list({1})))) +
      ".");
  CHECK(file.open().names() == Names{"ema.w", "net\x1b.v", "net\x1b.w"});
  CHECK(file.open().choice() == R"('ema' with 1 tensors, 'net\x1b' with 2 tensors)");
  CHECK(file.read("ema.w") == Floats{3, 4});
  CHECK(file.read("net\x1b.w") == Floats{0});
  CHECK(
      file.says("w") ==
      R"(there is no tensor 'w', but a choice of dictionaries: 'ema' with 1 tensors, 'net\x1b' with )"
      R"(2 tensors; put the dictionary's name before it, as in 'ema.weight')");
  // One name for two tensors is nobody's.
  const File twice(dictionary(text("a.b") + kPair + text("a") + dictionary(text("b") + kPair)) +
                   ".");
  CHECK(twice.says("a.b") == "tensor 'a.b' is the name of two tensors; save one by itself");
}

TEST_CASE("a module that was saved whole has its state_dict's names") {
  const auto module = [](const std::string& parameters, const std::string& modules) {
    return message(global("torch.nn.modules", "Any"), ")\x81", "}(", text("training"), kTrue,
                   text("_parameters"), dictionary(parameters), text("_buffers"),
                   call("collections", "OrderedDict", "") + "(" + text("b") + kPair + "u",
                   text("_modules"), dictionary(modules), "ub");
  };
  const std::string inner = module(text("weight") + kPair + text("bias") + "N", "");
  const File file(module("", text("features") + module("", text("0") + inner)) + ".");
  CHECK(file.open().names() == Names{"b", "features.0.b", "features.0.weight", "features.b"});
  CHECK(file.read("features.0.weight") == Floats{3, 4});
}

TEST_CASE("dictionaries of any class are dictionaries") {
  const std::string item = text("w") + kPair + "s";
  for (const std::string& made :
       {call("collections", "OrderedDict", ""),
        call("collections", "defaultdict", global("a", "b")), std::string("cmy\nDict\n)\x81"),
        std::string("cmy\nDict\n)}\x92")}) {
    CHECK(File(made + item + ".").read("w") == Floats{3, 4});
  }
  const std::string pairs = message("](](", text("w"), kPair, "eea");
  CHECK(File(call("collections", "OrderedDict", message("]](", text("w"), kPair, "ea")) + ".")
            .read("w") == Floats{3, 4});  // Python 2
}

TEST_CASE("older files with odd storages give what lies before them") {
  const TemporaryDirectory folder;
  const auto of_type = [](const std::string& type, const std::string& key) {
    return call("torch._utils", "_rebuild_tensor_v2",
                described(storage_id("torch", type, key, 2), list({2}), list({1})));
  };
  const std::string two = little_endian(2, 8);
  write_legacy(
      folder / "x.pth",
      dictionary(text("first") + of_type("FloatStorage", "a") + text("mask") +
                 of_type("BoolStorage", "b") + text("second") + of_type("FloatStorage", "c") +
                 text("odd") + of_type("TomorrowStorage", "d") + text("behind") +
                 of_type("FloatStorage", "e")) +
          ".",
      {{"a", two + floats({1, 2})},
       {"b", two + "\x01\x01"},
       {"c", two + floats({3, 4})},
       {"d", two + "??????????"},
       {"e", two + floats({5, 6})}});
  const io::PytorchFile file(folder / "x.pth");
  CHECK(file.read<float>("first").to_vector() == Floats{1, 2});
  CHECK(file.read<float>("second").to_vector() == Floats{3, 4});
  const auto says = [&](const char* name) { return complaint([&] { file.read<float>(name); }); };
  CHECK(says("odd").ends_with("tensor 'odd' is a TomorrowStorage, which is not supported"));
  CHECK(says("mask").ends_with("tensor 'mask' is a BoolStorage, which is not supported"));
  CHECK(says("behind").ends_with("it lies behind values of an unknown type; save it anew"));
}

TEST_CASE("names in messages are escaped and shortened") {
  const std::string odd = "w\n\x1b[31m\xff" + std::string(400, 'x');
  const File file(dictionary(text(odd) + tensor(8, 9, list({1}), list({1}))) + ".");
  const std::string says = file.says(odd);
  CHECK(says.starts_with(R"(tensor 'w\n\x1b[31m\xffxxx)"));
  CHECK(says.ends_with(R"(xxx (408 bytes)' needs elements 9 to 10 of a storage of 8)"));
  CHECK(says.size() < 250);
  CHECK(file.says(std::string(5000, '\n')).size() < 400);
  const File unknown(
      dictionary(text("w") +
                 call("torch._utils", "_rebuild_\x1b" + std::string(500, 'x'), integer(1))) +
      ".");
  CHECK(unknown.says("w").starts_with(R"(tensor 'w' is made by torch._utils._rebuild_\x1bxxx)"));
  CHECK(unknown.says("w").size() < 300);
}

TEST_CASE("the files of other people's programs are read") {
  const auto path = [](const char* name) {
    return shared_data(std::string("cases/weights/") + name);
  };
  if (!path("neg_bit.pth")) {
    MESSAGE("SKIPPED: the shared cases are not on this machine");
    return;
  }
  CHECK(io::PytorchFile(*path("neg_bit.pth")).read<float>("w").to_vector() == Floats{-2, 4});
  const io::PytorchFile expanded(*path("expanded_bias.pth"));
  bool found = false;
  for (const std::string& name : expanded.names()) {
    const auto values = expanded.read<float>(name).to_vector();
    found = found || values == Floats(4, 0.25F);
  }
  CHECK(found);
  CHECK(io::PytorchFile(*path("ckpt_model.pth")).choice().empty());
}

}  // namespace sfumato::io_pytorch_objects_test
