#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/io/pickle_value.hpp"

/// Python's pickle format, protocols 2 to 5. A pickle is a program for a small stack machine; this
/// one has no way to call anything: what the program wants called becomes a description of the
/// call, and what the description means is left to the reader. Opcodes: CPython's
/// Lib/pickletools.py.
namespace sfumato::io::detail {

/// Runs one pickle. All values belong to the machine, so that nothing nests in memory, however
/// deep a hostile pickle nests them.
class PickleMachine {
 public:
  /// `offset` is where the bytes lie in the file, for error messages.
  PickleMachine(std::span<const std::uint8_t> bytes, std::string source, std::uint64_t offset)
      : bytes_(bytes), source_(std::move(source)), offset_(offset) {}

  /// The result of the program. Throws IoError for a damaged one.
  const PickleValue& run() {
    while (true) {
      const std::uint8_t opcode = byte();
      if (opcode == '.') return *pop();
      execute(opcode);
    }
  }

  /// How many bytes the program took.
  std::size_t consumed() const { return position_; }

  /// Every object outside the pickle that the program mentioned, also where it then dropped it.
  const std::vector<const PickleValue*>& persistent() const { return persistent_; }

 private:
  using Kind = PickleValue::Kind;

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(message(source_, ": the pickle at offset ", offset_ + position_, ": ", what));
  }

  std::span<const std::uint8_t> take(std::uint64_t count) {
    if (count > bytes_.size() - position_) fail("truncated");
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return taken;
  }
  std::uint8_t byte() { return take(1)[0]; }
  std::uint64_t number(std::size_t count) {
    std::uint64_t value = 0;
    const auto taken = take(count);
    for (std::size_t i = count; i-- > 0;) value = value << 8 | taken[i];
    return value;
  }
  std::string text(std::uint64_t length) {
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
    constexpr std::size_t kMostValues = 1'500'000;
    if (values_.size() == kMostValues) fail("more values than any state dictionary has");
    values_.push_back(PickleValue{kind});
    return &values_.back();
  }
  PickleValue* make_integer(std::int64_t value) {
    PickleValue* made = make(Kind::kInteger);
    made->integer = value;
    return made;
  }
  PickleValue* make_text(std::string value) {
    PickleValue* made = make(Kind::kText);
    made->text = std::move(value);
    return made;
  }
  PickleValue* make_with(Kind kind, std::vector<PickleValue*> items) {
    PickleValue* made = make(kind);
    made->items = std::move(items);
    return made;
  }
  /// What no tensor needs is passed over.
  PickleValue* make_other(std::uint64_t bytes) {
    take(bytes);
    return make(Kind::kOther);
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
  PickleValue* top() {
    PickleValue* value = pop();
    push(value);
    return value;
  }

  /// Adds to a list, or to what a call has made that is like one.
  void append(const std::vector<PickleValue*>& added) {
    PickleValue* target = top();
    if (target->is(Kind::kCall) || target->is(Kind::kOther)) return;
    if (!target->is(Kind::kSequence)) fail("expected a list");
    target->items.insert(target->items.end(), added.begin(), added.end());
  }
  void set_items(const std::vector<PickleValue*>& added) {
    if (added.size() % 2 != 0) fail("a key has no value");
    PickleValue* target = top();
    if (!target->is(Kind::kDictionary) && !target->is(Kind::kCall)) fail("expected a dictionary");
    target->items.insert(target->items.end(), added.begin(), added.end());
  }

  void remember(std::uint64_t place) { memo_[place] = top(); }
  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) fail(message("memo ", place, " has not been set"));
    push(found->second);
  }

  PickleValue* make_long(std::size_t length) {
    // The magic number of PyTorch's older format is one of the longer ones.
    if (length > 8) return make_text(text(length));
    std::uint64_t value = number(length);
    if (length > 0 && length < 8 && value >> (8 * length - 1) != 0) value |= ~0ULL << (8 * length);
    return make_integer(static_cast<std::int64_t>(value));
  }

  PickleValue* make_global(PickleValue* module, PickleValue* name) {
    if (!module->is(Kind::kText) || !name->is(Kind::kText)) fail("a global has no name");
    return make_with(Kind::kGlobal, {module, name});
  }

  /// Arguments as they are now, since the program could still change the lists that it holds. Only
  /// what is as short as a tensor's description is copied, so that nothing can be multiplied.
  PickleValue* copy_of(PickleValue* arguments) {
    constexpr std::size_t kMostCopied = 8;
    const auto is_short = [](const PickleValue* value) {
      return value->is(Kind::kSequence) && value->items.size() <= kMostCopied;
    };
    PickleValue* copy = make(Kind::kSequence);
    if (!is_short(arguments)) return copy;  // no function that makes a tensor takes so many
    copy->items = arguments->items;
    for (PickleValue*& item : copy->items) {
      if (is_short(item)) item = make_with(Kind::kSequence, item->items);
    }
    return copy;
  }
  void push_call(PickleValue* function, PickleValue* arguments) {
    if (!arguments->is(Kind::kSequence))
      fail("reduces something other than a function and its arguments");
    PickleValue* call = make(Kind::kCall);
    call->called = {function, copy_of(arguments)};
    push(call);
  }

  /// The attributes of an object. A dictionary's, such as _metadata, say nothing of its tensors.
  void set_state(PickleValue* state) {
    PickleValue* object = top();
    if (!object->is(Kind::kCall)) return;
    object->called.resize(2);
    object->called.push_back(state);
  }

  void push_persistent(PickleValue* id) {
    push(make_with(Kind::kPersistent, {id}));
    persistent_.push_back(stack_.back());
  }

  void execute(std::uint8_t opcode);

  std::span<const std::uint8_t> bytes_;
  std::string source_;
  std::uint64_t offset_;
  std::size_t position_ = 0;
  std::deque<PickleValue> values_;
  std::vector<const PickleValue*> persistent_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, PickleValue*> memo_;
};

inline void PickleMachine::execute(std::uint8_t opcode) {
  const auto tuple_of = [&](std::size_t count) {
    std::vector<PickleValue*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    return make_with(Kind::kSequence, std::move(items));
  };
  switch (opcode) {
    case 0x80:  // PROTO
      if (byte() > 5) fail("a protocol newer than 5");
      return;
    case 0x95:  // FRAME
      take(8);
      return;
    case '(':  // MARK
      return marks_.push_back(stack_.size());
    case '0':  // POP: a mark too
      if (!marks_.empty() && marks_.back() == stack_.size()) return marks_.pop_back();
      pop();
      return;
    case '1':  // POP_MARK
      pop_to_mark();
      return;
    case '2':  // DUP
      return push(top());
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
      return push(make_long(byte()));
    case 0x8b:  // LONG4
    case 'B':   // BINBYTES
      return push(make_other(number(4)));
    case 'G':  // BINFLOAT
      return push(make_other(8));
    case 'C':  // SHORT_BINBYTES
      return push(make_other(byte()));
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      return push(make_other(number(8)));
    case 0x8f:  // EMPTY_SET
      return push(make(Kind::kOther));
    case 0x91:  // FROZENSET
      pop_to_mark();
      return push(make(Kind::kOther));
    case 'X':  // BINUNICODE
    case 'T':  // BINSTRING
      return push(make_text(text(number(4))));
    case 0x8d:  // BINUNICODE8
      return push(make_text(text(number(8))));
    case 0x8c:  // SHORT_BINUNICODE
    case 'U':   // SHORT_BINSTRING
      return push(make_text(text(byte())));
    case ')':  // EMPTY_TUPLE
    case ']':  // EMPTY_LIST
      return push(make(Kind::kSequence));
    case '}':  // EMPTY_DICT
      return push(make(Kind::kDictionary));
    case 't':  // TUPLE
      return push(make_with(Kind::kSequence, pop_to_mark()));
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      return push(tuple_of(opcode - 0x84U));
    case 'a':  // APPEND
      return append({pop()});
    case 'e':   // APPENDS
    case 0x90:  // ADDITEMS
      return append(pop_to_mark());
    case 's': {  // SETITEM
      PickleValue* value = pop();
      PickleValue* key = pop();
      return set_items({key, value});
    }
    case 'u':  // SETITEMS
      return set_items(pop_to_mark());
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
      PickleValue* module = make_text(line());
      return push(make_global(module, make_text(line())));
    }
    case 0x93: {  // STACK_GLOBAL
      PickleValue* name = pop();
      return push(make_global(pop(), name));
    }
    case 'Q':  // BINPERSID
      return push_persistent(pop());
    case 'R':     // REDUCE
    case 0x81: {  // NEWOBJ
      PickleValue* arguments = pop();
      return push_call(pop(), arguments);
    }
    case 0x92: {  // NEWOBJ_EX: with a dictionary of named arguments, which tensors have none of
      pop();
      PickleValue* arguments = pop();
      return push_call(pop(), arguments);
    }
    case 'b':  // BUILD
      return set_state(pop());
    default:
      fail(message("opcode ", static_cast<int>(opcode), " is not one that tensors need"));
  }
}

}  // namespace sfumato::io::detail
