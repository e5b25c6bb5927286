#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/storage.hpp"

/// What keeps values from being used that are not there, or not any more.
namespace sfumato::detail {

/// The versions of all values that an operation has read or made, in ascending order; see
/// Tensor::version().
using Versions = std::vector<std::uint64_t>;

/// While it lives, notes the versions of all values that this thread reads and that were there
/// before it.
class ReadJournal {
 public:
  ReadJournal() : outer_(std::exchange(current(), this)) {}
  ReadJournal(const ReadJournal&) = delete;
  ReadJournal& operator=(const ReadJournal&) = delete;
  ~ReadJournal() { current() = outer_; }

  static void note(std::uint64_t version) {
    for (ReadJournal* journal = current(); journal != nullptr; journal = journal->outer_) {
      if (version < journal->first_) journal->versions_.insert(version);
    }
  }

  const std::set<std::uint64_t>& versions() const { return versions_; }

 private:
  static ReadJournal*& current() {
    thread_local ReadJournal* journal = nullptr;
    return journal;
  }

  std::uint64_t first_ = Storage::next_version();
  std::set<std::uint64_t> versions_;
  ReadJournal* outer_;
};

/// While it lives, this thread computes the gradient of `op`: if it reads one of the values that
/// the operation has seen, that must be as it was.
class GradientScope {
 public:
  GradientScope(const char* op, const Versions& versions)
      : op_(op), versions_(versions), outer_(std::exchange(current(), this)) {}
  GradientScope(const GradientScope&) = delete;
  GradientScope& operator=(const GradientScope&) = delete;
  ~GradientScope() { current() = outer_; }

  /// Whether this thread computes a gradient now.
  static bool is_open() { return current() != nullptr; }
  /// The operation whose gradient that is; null when there is none.
  static const char* op() { return is_open() ? current()->op_ : nullptr; }

  /// Is told of every value that is read. Throws GraphError where it has changed in place.
  static void check(std::uint64_t version, const Shape& shape) {
    if (current() != nullptr) current()->check_unchanged(version, shape);
    ReadJournal::note(version);
  }

 private:
  static const GradientScope*& current() {
    thread_local const GradientScope* scope = nullptr;
    return scope;
  }

  void check_unchanged(std::uint64_t version, const Shape& shape) const {
    auto seen =
        std::lower_bound(versions_.begin(), versions_.end(), Storage::first_version(version));
    for (; seen != versions_.end() && Storage::same_block(*seen, version); ++seen) {
      if (*seen == version) continue;
      throw GraphError(message(
          op_, ": a value ", shape,
          " was changed in place after the operation had used it, so its gradient would be wrong; "
          "change a clone() of it, or change it after the backward pass (to ask a Tensor that is "
          "not const for data() or span() counts as a change)"));
    }
  }

  const char* op_;
  const Versions& versions_;
  const GradientScope* outer_;
};

/// `asker` is the function that asked for the value; some compilers add template arguments to it.
[[noreturn]] inline void throw_undefined(std::string_view asker) {
  asker = asker.substr(0, asker.find('<'));
  throw GraphError(
      message(asker.starts_with("operator") ? "value" : asker,
              ": the Variable is undefined: it was never given a value, or is a grad() "
              "that no backward() has reached since zero_grad(); ask defined() first, "
              "or begin a sum with zeros"));
}

}  // namespace sfumato::detail
