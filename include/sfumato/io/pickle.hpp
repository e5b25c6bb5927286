#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"

/// Python's pickle format, as far as PyTorch's state dictionaries need it. A pickle is a program
/// for a small stack machine; this one builds lists, dictionaries and descriptions of tensors, and
/// has no way to call anything. Opcodes: CPython's Lib/pickletools.py.
namespace sfumato::io::detail {

/// What the machine computes with.
struct PickleValue {
  enum class Kind { kNone, kInteger, kText, kSequence, kDictionary, kGlobal, kStorage, kTensor };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;         ///< kInteger; of a tensor, the first element's place
  std::string text;                 ///< kText, the name of a kGlobal, the key of a kStorage
  std::vector<PickleValue*> items;  ///< of a sequence; keys and values in turn; a tensor's
                                    ///< storage, sizes and strides; a storage's type and length
};

/// Runs one pickle. All values belong to the machine, so that nothing nests in memory, however
/// deep a hostile pickle nests them.
class PickleMachine {
 public:
  /// `offset` is where the bytes lie in the file, for error messages.
  PickleMachine(std::span<const std::uint8_t> bytes, std::string source, std::uint64_t offset)
      : bytes_(bytes), source_(std::move(source)), offset_(offset) {}

  /// The result of the program. Throws IoError for any opcode or global that tensors do not need.
  const PickleValue& run() {
    while (true) {
      const std::uint8_t opcode = byte();
      if (opcode == '.') return *pop();
      execute(opcode);
    }
  }

  /// How many bytes the program took.
  std::size_t consumed() const { return position_; }

  /// Every storage that the program mentioned, also those of tensors that it then dropped.
  const std::vector<const PickleValue*>& storages() const { return storages_; }

 private:
  using Kind = PickleValue::Kind;

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(source_, ": the pickle at offset ", offset_ + position_, ": ", what));
  }

  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > bytes_.size() - position_) fail("truncated");
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }
  std::uint8_t byte() { return take(1)[0]; }
  std::uint64_t number(std::size_t count) {
    std::uint64_t value = 0;
    const auto taken = take(count);
    for (std::size_t i = count; i-- > 0;) value = value << 8 | taken[i];
    return value;
  }
  std::string text(std::size_t length) {
    const auto taken = take(length);
    return std::string(taken.begin(), taken.end());
  }
  std::string line() {
    const auto rest = bytes_.subspan(position_);
    const auto end = std::find(rest.begin(), rest.end(), '\n');
    std::string result = text(static_cast<std::size_t>(end - rest.begin()));
    byte();
    return result;
  }

  PickleValue* make(Kind kind) {
    constexpr std::size_t kMostValues = 1'000'000;
    if (values_.size() == kMostValues) fail("more values than any state dictionary has");
    values_.push_back(PickleValue{kind, 0, {}, {}});
    return &values_.back();
  }
  PickleValue* make_integer(std::int64_t value) {
    PickleValue* made = make(Kind::kInteger);
    made->integer = value;
    return made;
  }
  PickleValue* make_text(Kind kind, std::string value) {
    PickleValue* made = make(kind);
    made->text = std::move(value);
    return made;
  }

  void push(PickleValue* value) { stack_.push_back(value); }
  PickleValue* pop() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back())) {
      fail("the stack is empty");
    }
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  std::vector<PickleValue*> pop_to_mark() {
    if (marks_.empty()) fail("no mark on the stack");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleValue*> taken(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return taken;
  }
  PickleValue* top(Kind kind, const char* what) {
    PickleValue* value = pop();
    if (value->kind != kind) fail(message("expected ", what));
    push(value);
    return value;
  }
  void push_tuple(std::vector<PickleValue*> items) {
    PickleValue* tuple = make(Kind::kSequence);
    tuple->items = std::move(items);
    push(tuple);
  }
  void extend(Kind kind, const char* what, std::vector<PickleValue*> added) {
    if (kind == Kind::kDictionary && added.size() % 2 != 0) fail("a key has no value");
    PickleValue* target = top(kind, what);
    target->items.insert(target->items.end(), added.begin(), added.end());
  }
  void remember(std::uint64_t place) {
    PickleValue* value = pop();
    push(value);
    memo_[place] = value;
  }
  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) fail(message("memo ", place, " has not been set"));
    push(found->second);
  }

  void push_long(std::size_t length) {
    if (length > 8) {
      push(make_text(Kind::kText, text(length)));
      return;
    }
    std::uint64_t value = number(length);
    if (length > 0 && length < 8 && value >> (8 * length - 1) != 0) value |= ~0ULL << (8 * length);
    push(make_integer(static_cast<std::int64_t>(value)));
  }

  /// Text from the memo can be had again and again for two bytes, so copies of it must be short.
  void check_short(const std::string& text, const char* what) const {
    constexpr std::size_t kMostLetters = 256;
    if (text.size() > kMostLetters) fail(message(what, " of ", text.size(), " letters"));
  }

  void push_global(const std::string& module, const std::string& name) {
    check_short(module, "a module name");
    check_short(name, "a global name");
    const std::string full = module + "." + name;
    const bool storage = (module == "torch" || module == "torch.cuda") && name.ends_with("Storage");
    if (!storage && full != "collections.OrderedDict" &&
        full != "torch._utils._rebuild_tensor_v2" && full != "torch._utils._rebuild_parameter") {
      fail(message("uses ", full, ", which tensors do not need and is not allowed here"));
    }
    push(make_text(Kind::kGlobal, storage ? name : full));
  }

  /// ('storage', type, key, location, length): a place where a tensor's values lie.
  void push_storage() {
    const PickleValue* id = pop();
    if (id->kind != Kind::kSequence || id->items.size() < 5 || id->items[0]->text != "storage" ||
        id->items[1]->kind != Kind::kGlobal || id->items[2]->kind != Kind::kText ||
        id->items[4]->kind != Kind::kInteger || id->items[4]->integer < 0 ||
        (id->items.size() > 5 && id->items[5]->kind != Kind::kNone)) {
      fail("a storage is not described as PyTorch does");
    }
    check_short(id->items[2]->text, "a storage key");
    PickleValue* storage = make_text(Kind::kStorage, id->items[2]->text);
    storage->items = {id->items[1], id->items[4]};
    storages_.push_back(storage);
    push(storage);
  }

  PickleValue* copy_of(const PickleValue& sequence) {
    PickleValue* copy = make(Kind::kSequence);
    copy->items = sequence.items;
    return copy;
  }

  /// Calls nothing: knows what the three functions of state dictionaries would have returned.
  void reduce() {
    const PickleValue* arguments = pop();
    const PickleValue* function = pop();
    if (function->kind != Kind::kGlobal || arguments->kind != Kind::kSequence) {
      fail("reduces something other than a function and its arguments");
    }
    const auto& items = arguments->items;
    if (function->text == "collections.OrderedDict" && items.empty()) {
      push(make(Kind::kDictionary));
    } else if (function->text == "torch._utils._rebuild_tensor_v2" && items.size() >= 4 &&
               items[0]->kind == Kind::kStorage && items[1]->kind == Kind::kInteger &&
               items[2]->kind == Kind::kSequence && items[3]->kind == Kind::kSequence &&
               items[2]->items.size() == items[3]->items.size() &&
               items[2]->items.size() <= kMaxRank) {
      PickleValue* tensor = make(Kind::kTensor);
      tensor->integer = items[1]->integer;
      // Copies: the program could still change the lists that it holds.
      tensor->items = {items[0], copy_of(*items[2]), copy_of(*items[3])};
      push(tensor);
    } else if (function->text == "torch._utils._rebuild_parameter" && !items.empty() &&
               items[0]->kind == Kind::kTensor) {
      push(items[0]);
    } else {
      fail(message("calls ", function->text, " with arguments that tensors do not need"));
    }
  }

  void execute(std::uint8_t opcode);

  std::span<const std::uint8_t> bytes_;
  std::string source_;
  std::uint64_t offset_;
  std::size_t position_ = 0;
  std::deque<PickleValue> values_;
  std::vector<const PickleValue*> storages_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, PickleValue*> memo_;
};

inline void PickleMachine::execute(std::uint8_t opcode) {
  const auto tuple_of = [&](std::size_t count) {
    std::vector<PickleValue*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_tuple(std::move(items));
  };
  switch (opcode) {
    case 0x80:  // PROTO
      if (byte() > 5) fail("a protocol newer than 5");
      return;
    case 0x95:  // FRAME
      take(8);
      return;
    case '(':  // MARK
      marks_.push_back(stack_.size());
      if (marks_.size() > bytes_.size()) fail("too many marks");
      return;
    case 'N':  // NONE
      return push(make(Kind::kNone));
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      return push(make_integer(opcode == 0x88 ? 1 : 0));
    case 'J':  // BININT
      return push(make_integer(static_cast<std::int32_t>(number(4))));
    case 'K':  // BININT1
      return push(make_integer(byte()));
    case 'M':  // BININT2
      return push(make_integer(static_cast<std::int64_t>(number(2))));
    case 0x8a:  // LONG1
      return push_long(byte());
    case 'G':  // BINFLOAT: none matters to a tensor
      take(8);
      return push(make(Kind::kNone));
    case 'X':  // BINUNICODE
    case 'T':  // BINSTRING
      return push(make_text(Kind::kText, text(number(4))));
    case 0x8c:  // SHORT_BINUNICODE
    case 'U':   // SHORT_BINSTRING
      return push(make_text(Kind::kText, text(byte())));
    case ')':  // EMPTY_TUPLE
    case ']':  // EMPTY_LIST
      return push_tuple({});
    case '}':  // EMPTY_DICT
      return push(make(Kind::kDictionary));
    case 't':  // TUPLE
      return push_tuple(pop_to_mark());
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      return tuple_of(opcode - 0x84U);
    case 'a':  // APPEND
      return extend(Kind::kSequence, "a list", {pop()});
    case 'e':  // APPENDS
      return extend(Kind::kSequence, "a list", pop_to_mark());
    case 's': {  // SETITEM
      PickleValue* value = pop();
      PickleValue* key = pop();
      return extend(Kind::kDictionary, "a dictionary", {key, value});
    }
    case 'u':  // SETITEMS
      return extend(Kind::kDictionary, "a dictionary", pop_to_mark());
    case 'q':  // BINPUT
      return remember(byte());
    case 'r':  // LONG_BINPUT
      return remember(number(4));
    case 0x94:  // MEMOIZE
      return remember(memo_.size());
    case 'h':  // BINGET
      return recall(byte());
    case 'j':  // LONG_BINGET
      return recall(number(4));
    case 'c': {  // GLOBAL
      const std::string module = line();
      return push_global(module, line());
    }
    case 0x93: {  // STACK_GLOBAL
      const std::string name = pop()->text;
      return push_global(pop()->text, name);
    }
    case 'Q':  // BINPERSID
      return push_storage();
    case 'R':  // REDUCE
      return reduce();
    case 'b':  // BUILD: attributes such as _metadata, of which tensors have none
      pop();
      return;
    default:
      fail(message("opcode ", static_cast<int>(opcode),
                   " is not one that tensors need; nothing else is executed"));
  }
}

}  // namespace sfumato::io::detail
