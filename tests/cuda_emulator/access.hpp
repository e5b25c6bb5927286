#pragma once

// Which bytes a piece of work reads or writes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

/// Runs of `run` bytes, repeated along any number of strides.
struct Access {
  struct Dimension {
    std::int64_t extent;
    std::int64_t stride;  ///< in bytes
    friend bool operator==(const Dimension&, const Dimension&) = default;
  };

  std::uintptr_t address = 0;
  std::size_t run = 0;
  std::vector<Dimension> dimensions;  ///< outermost first
  std::vector<Dimension> given;       ///< in the order of the indices of a kernel
  bool writes = false;
  bool scratch = false;    ///< written, but not counted as traffic
  std::uintptr_t end = 0;  ///< behind the last byte

  /// `elements` of `element` bytes at each of the strided places. Neighbouring places are joined
  /// into longer runs, whatever the order of the dimensions.
  static Access make(const void* data, std::size_t element, std::vector<Dimension> places,
                     bool writes) {
    Access access;
    access.address = reinterpret_cast<std::uintptr_t>(data);
    access.run = element;
    access.writes = writes;
    access.given = places;
    bool empty = element == 0;
    for (Dimension& place : places) {
      empty = empty || place.extent == 0;
      if (place.stride < 0 && place.extent > 0) {  // backwards: begin at the other end
        access.address -= static_cast<std::uintptr_t>(-place.stride * (place.extent - 1));
        place.stride = -place.stride;
      }
    }
    if (empty) {
      access.run = 0;
      access.end = access.address;
      return access;
    }
    std::erase_if(places, [](const Dimension& d) { return d.extent == 1 || d.stride == 0; });
    std::stable_sort(places.begin(), places.end(),
                     [](const Dimension& a, const Dimension& b) { return a.stride > b.stride; });
    while (!places.empty() && places.back().stride == static_cast<std::int64_t>(access.run)) {
      access.run *= static_cast<std::size_t>(places.back().extent);
      places.pop_back();
    }
    access.dimensions = std::move(places);
    access.end = access.address + access.run;
    for (const Dimension& d : access.dimensions) {
      access.end += static_cast<std::uintptr_t>(d.stride * (d.extent - 1));
    }
    return access;
  }

  /// Bytes touched, as many times as they are.
  std::size_t bytes() const {
    std::size_t product = run;
    for (const Dimension& d : dimensions) product *= static_cast<std::size_t>(d.extent);
    return product;
  }

  /// Whether the same index of a kernel touches the same bytes of both.
  bool is_in_place_of(const Access& other) const {
    return address == other.address && given == other.given;
  }

  /// Whether any byte is in both.
  bool overlaps(const Access& other) const {
    if (run == 0 || other.run == 0 || address >= other.end || other.address >= end) return false;
    if (dimensions.empty() && other.dimensions.empty()) return true;
    std::vector<std::uintptr_t> runs;
    for_each_run([&](std::uintptr_t at) { runs.push_back(at); });
    std::sort(runs.begin(), runs.end());
    bool found = false;
    other.for_each_run([&](std::uintptr_t at) {
      const auto next = std::lower_bound(runs.begin(), runs.end(), at);
      found = found || (next != runs.end() && *next < at + other.run) ||
              (next != runs.begin() && *(next - 1) + run > at);
    });
    return found;
  }

  /// Calls visit(address) for the beginning of every run.
  template <class Visit>
  void for_each_run(const Visit& visit) const {
    if (run > 0) walk(0, address, visit);
  }

 private:
  template <class Visit>
  void walk(std::size_t depth, std::uintptr_t at, const Visit& visit) const {
    if (depth == dimensions.size()) {
      visit(at);
      return;
    }
    for (std::int64_t i = 0; i < dimensions[depth].extent; ++i) {
      walk(depth + 1, at, visit);
      at += static_cast<std::uintptr_t>(dimensions[depth].stride);
    }
  }
};

inline Access reads(const void* data, std::size_t bytes) {
  return Access::make(data, bytes, {}, false);
}
inline Access writes(const void* data, std::size_t bytes) {
  return Access::make(data, bytes, {}, true);
}
/// A workspace.
inline Access scratch(const void* data, std::size_t bytes) {
  Access access = writes(data, bytes);
  access.scratch = true;
  return access;
}

}  // namespace emulator
