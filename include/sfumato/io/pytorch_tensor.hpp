#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/io/pickle_value.hpp"
#include "sfumato/io/pytorch_storage.hpp"

/// What PyTorch's pickles mean: its functions _rebuild_tensor_v2 and the like, and its storages.
namespace sfumato::io::detail {

/// A storage as a pickle mentions it: ('storage', type, key, location, length, view).
struct PytorchStorageId {
  std::string key;
  std::string storage_class;
  std::uint64_t length = 0;
  std::uint64_t view_offset = 0;  ///< in elements; older files know storages within storages
};

/// Nothing when it is not described as PyTorch does it; a module's source code is one such.
inline std::optional<PytorchStorageId> storage_id(const PickleValue& value) {
  using Kind = PickleValue::Kind;
  if (!value.is(Kind::kPersistent) || !value.items[0]->is(Kind::kSequence)) return std::nullopt;
  const auto& id = value.items[0]->items;
  constexpr std::size_t kMostLetters = 256;  // what is kept of a text that the pickle can repeat
  if (id.size() < 5 || id[0]->text != "storage" || !id[1]->is(Kind::kGlobal) ||
      !id[2]->is(Kind::kText) || id[2]->text.size() > kMostLetters || !id[4]->is(Kind::kInteger) ||
      id[4]->integer < 0) {
    return std::nullopt;
  }
  const std::string& module = id[1]->items[0]->text;
  const std::string& name = id[1]->items[1]->text;
  const bool known_module =
      module == "torch" || module == "torch.cuda" || module == "torch.storage";
  if (!known_module || !name.ends_with("Storage") || name.size() > kMostLetters) {
    return std::nullopt;
  }
  PytorchStorageId result{id[2]->text, name, static_cast<std::uint64_t>(id[4]->integer)};
  if (id.size() > 5 && !id[5]->is(Kind::kNone)) {
    const auto& view = id[5]->items;  // key, offset, length
    if (!id[5]->is(Kind::kSequence) || view.size() != 3 || !view[1]->is(Kind::kInteger) ||
        view[1]->integer < 0) {
      return std::nullopt;
    }
    result.view_offset = static_cast<std::uint64_t>(view[1]->integer);
  }
  return result;
}

/// Where a tensor's values lie.
struct PytorchTensor {
  std::string unsupported =
      {};                    ///< why it can't be read, to stand after its name; empty where it can
  std::string storage = {};  ///< the storage's key
  std::string dtype = {};    ///< torch's name of the type; empty where the storage says it
  std::uint64_t offset = 0;  ///< of the first element in the storage
  Shape shape = {};
  Strides strides = {};
  bool negated = false;  ///< the values are those in the file with the other sign
};

/// A function and what it is called with.
struct PytorchCall {
  const PickleValue* function = nullptr;
  const PickleValue* arguments = nullptr;

  bool is(std::string_view module, std::string_view name) const {
    return function->is_global(module, name);
  }
  std::size_t size() const { return arguments->items.size(); }
  const PickleValue& operator[](std::size_t i) const { return *arguments->items[i]; }
};

/// What makes the tensor itself, inside of what makes a parameter, buffer or subclass of it.
inline PytorchCall innermost_call(const PickleValue& value) {
  using Kind = PickleValue::Kind;
  const auto call_of = [](const PickleValue& made) {
    return PytorchCall{made.called[0], made.called[1]};
  };
  PytorchCall call = call_of(value);
  constexpr int kMostLayers = 8;
  for (int layer = 0; layer < kMostLayers; ++layer) {
    const bool parameter = call.is("torch._utils", "_rebuild_parameter") ||
                           call.is("torch._utils", "_rebuild_parameter_with_state");
    const bool subclass = call.is("torch._tensor", "_rebuild_from_type") ||
                          call.is("torch._tensor", "_rebuild_from_type_v2");
    if (parameter && call.size() >= 1 && call[0].is(Kind::kCall)) {
      call = call_of(call[0]);
    } else if (subclass && call.size() >= 3 && call[2].is(Kind::kSequence)) {
      call = PytorchCall{&call[0], &call[2]};
    } else {
      break;
    }
  }
  return call;
}

/// Reads sizes and strides. Returns why they are none, or nothing.
inline std::string read_sizes(const PickleValue& sizes, const PickleValue& strides,
                              PytorchTensor& tensor) {
  using Kind = PickleValue::Kind;
  const std::string wrong = " has sizes or strides that are not whole numbers";
  if (!sizes.is(Kind::kSequence) || !strides.is(Kind::kSequence)) return wrong;
  if (sizes.items.size() != strides.items.size()) return " has not as many strides as sizes";
  for (std::size_t axis = 0; axis < sizes.items.size(); ++axis) {
    const PickleValue& size = *sizes.items[axis];
    const PickleValue& stride = *strides.items[axis];
    const bool whole = size.is(Kind::kInteger) && stride.is(Kind::kInteger);
    if (!whole || size.integer < 0 || stride.integer < 0) return wrong;
    try {
      tensor.shape.push_back(size.integer);
    } catch (const ShapeError& error) {
      return message(": ", error.what());
    }
    tensor.strides[axis] = stride.integer;
  }
  return "";
}

/// Obeys the flags of a tensor whose values are stored with the other sign. Returns why they can't
/// be obeyed, or nothing.
inline std::string read_flags(const PickleValue& flags, PytorchTensor& tensor) {
  using Kind = PickleValue::Kind;
  if (flags.is(Kind::kNone)) return "";
  if (!flags.is(Kind::kDictionary) && !flags.is(Kind::kCall)) return " has unknown flags";
  for (std::size_t i = 0; i + 1 < flags.items.size(); i += 2) {
    const PickleValue& value = *flags.items[i + 1];
    if (value.is(Kind::kInteger) && value.integer == 0) continue;
    if (flags.items[i]->text != "neg" || !value.is(Kind::kInteger)) {
      return message(" has the flag '", excerpt(flags.items[i]->text),
                     "', which is not read; save tensor.resolve_conj().resolve_neg().clone()");
    }
    tensor.negated = true;
  }
  return "";
}

/// What a value of a state dictionary says of a tensor; nothing when it is none. A tensor of a kind
/// that is not read is described by the reason.
inline std::optional<PytorchTensor> describe_tensor(const PickleValue& value) {
  using Kind = PickleValue::Kind;
  if (!value.is(Kind::kCall)) return std::nullopt;
  const PytorchCall call = innermost_call(value);
  const bool first = call.is("torch._utils", "_rebuild_tensor");
  const bool second = call.is("torch._utils", "_rebuild_tensor_v2");
  const bool third = call.is("torch._utils", "_rebuild_tensor_v3");
  PytorchTensor tensor;
  if (!first && !second && !third) {
    if (!call.function->is(Kind::kGlobal)) return std::nullopt;
    const std::string& module = call.function->items[0]->text;
    const std::string& name = call.function->items[1]->text;
    const bool some_tensor =
        (module == "torch._utils" || module == "torch._tensor") && name.starts_with("_rebuild_");
    if (!some_tensor) return std::nullopt;
    tensor.unsupported = message(" is made by ", module, ".", excerpt(name),
                                 ", which is not read; save a plain tensor");
    return tensor;
  }
  const auto unsupported = [&](const std::string& why) {
    tensor.unsupported = why;
    return tensor;
  };
  if (call.size() < (third ? 7U : 4U)) return unsupported(" is not described as PyTorch does");
  const auto storage = storage_id(call[0]);
  if (!storage) return unsupported(" has a storage that is not described as PyTorch does");
  const PickleValue& offset = call[1];
  if (!offset.is(Kind::kInteger) || offset.integer < 0) {
    return unsupported(" has an offset that is not a whole number");
  }
  tensor.storage = storage->key;
  tensor.offset = static_cast<std::uint64_t>(offset.integer) + storage->view_offset;
  std::string why = read_sizes(call[2], call[3], tensor);
  if (third) {
    if (!call[6].is(Kind::kGlobal)) return unsupported(" has a type that is not named");
    tensor.dtype = call[6].items[1]->text.substr(0, 64);
  }
  const std::size_t flags = third ? 7 : 6;
  if (why.empty() && !first && call.size() > flags) why = read_flags(call[flags], tensor);
  return unsupported(why);
}

}  // namespace sfumato::io::detail
