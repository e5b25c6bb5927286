#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/core/tensor.hpp"

namespace sfumato::style {

/// Keeps what a network has seen in style pictures, for objectives that see the same in them: of
/// many pictures in one style, that is computed once. It is of one network, whose weights stay as
/// they are, and not for several threads at a time. Of what was used last, at most `most_bytes` are
/// kept, the pictures among them. See Styles.
template <class T, class Device = Cpu>
class StyleCache {
 public:
  using Tensors = std::vector<Tensor<T, Device>>;

  explicit StyleCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// What look() makes of a picture (1, 3, h, w) and its regions, if it has some; or what it made
  /// of the same bits under the same `name`, which says what else it depends on.
  template <class Look>
  Tensors look(const Tensor<T, Device>& image, const Tensor<T, Device>& regions,
               const std::string& name, const Look& look) {
    const Tensor<T> own = image.template to<Cpu>();
    const Tensor<T> where = regions.template to<Cpu>();
    for (auto known = entries_.begin(); known != entries_.end(); ++known) {
      if (known->name != name || !same(known->image, own) || !same(known->regions, where)) {
        continue;
      }
      ++found_;
      entries_.splice(entries_.begin(), entries_, known);
      return entries_.front().seen;
    }
    ++computed_;
    // The pictures in memory that nobody else changes.
    Entry entry{name, own.clone(), where.clone(), look(), 0};
    for (const Tensor<T, Device>& tensor : entry.seen) entry.bytes += bytes_of(tensor);
    entry.bytes += bytes_of(entry.image) + bytes_of(entry.regions);
    Tensors seen = entry.seen;
    if (entry.bytes > most_bytes_) return seen;
    while (bytes_ + entry.bytes > most_bytes_) {
      bytes_ -= entries_.back().bytes;
      entries_.pop_back();
    }
    bytes_ += entry.bytes;
    entries_.push_front(std::move(entry));
    return seen;
  }

  /// Forgets what it holds, as where the network is another one.
  void clear() {
    entries_.clear();
    bytes_ = 0;
  }

  std::size_t bytes() const { return bytes_; }            ///< that it holds
  std::size_t most_bytes() const { return most_bytes_; }  ///< that it may hold
  std::int64_t computed() const { return computed_; }     ///< how often look() was called …
  std::int64_t found() const { return found_; }           ///< … and how often it was not

 private:
  struct Entry {
    std::string name;
    Tensor<T> image;
    Tensor<T> regions;  // undefined for none
    Tensors seen;       // some may be undefined
    std::size_t bytes;  // of all that
  };

  template <class AnyDevice>
  static std::size_t bytes_of(const Tensor<T, AnyDevice>& tensor) {
    return tensor.defined() ? static_cast<std::size_t>(tensor.numel()) * sizeof(T) : 0;
  }
  static bool same(const Tensor<T>& a, const Tensor<T>& b) {
    if (!a.defined() || !b.defined()) return a.defined() == b.defined();
    return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), bytes_of(a)) == 0;
  }

  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::int64_t computed_ = 0;
  std::int64_t found_ = 0;
  std::list<Entry> entries_;  // what was used last is first
};

}  // namespace sfumato::style
