#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "sfumato/core/backend.hpp"
#include "sfumato/core/device.hpp"
#include "sfumato/core/division.hpp"

namespace sfumato {

/// The processor that the program runs on: the reference that every other device agrees with.
/// The functions are defined by family in map.hpp, reduce.hpp, gemm.hpp, rectify.hpp,
/// convolution.hpp and pooling.hpp beside this file; core/backend.hpp says what each must do.
struct Cpu {
  static constexpr const char* kName = "cpu";
  static constexpr bool kHostAccessible = true;
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::size_t kHugePage = std::size_t{1} << 21;

  static void* allocate(std::size_t bytes) {
    return std::aligned_alloc(kAlignment, round_up(bytes, kAlignment));
  }
  static void free(void* memory) { std::free(memory); }
#ifdef __linux__
  /// Whole pages of kHugePage bytes, of which any part may be given back alone. Fewer pages to
  /// translate, which the many rows that a convolution walks along would overtax.
  static void* allocate_pages(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(-1) / 2 - kHugePage) return nullptr;
    void* const memory = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(memory);
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    const std::size_t before = round_up(address, kHugePage) - address;
    if (before > 0) munmap(begin, before);
    munmap(begin + before + bytes, kHugePage - before);
    madvise(begin + before, bytes, MADV_HUGEPAGE);
    return begin + before;
  }
  static void free_pages(void* memory, std::size_t bytes) {
    munmap(memory, bytes);
  }
  /// Puts a page in the place of another, which nobody uses, and leaves nothing where it was.
  static void move_page(void* from, void* to) {
    if (mremap(from, kHugePage, kHugePage, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED) return;
    // As when there are too many: then it is a new one there.
    munmap(from, kHugePage);
    mmap(to, kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  }
#endif
  static void copy(void* target, const void* source, std::size_t bytes) {
    std::memcpy(target, source, bytes);
  }
  static void copy_from_host(void* target, const void* source, std::size_t bytes) {
    std::memcpy(target, source, bytes);
  }
  static void copy_to_host(void* target, const void* source, std::size_t bytes) {
    std::memcpy(target, source, bytes);
  }

  template <class Function, class Result, class... T>
  static void map(const Function& function, const Shape& shape, Strided<Result> target,
                  Strided<const T>... inputs);

  template <class Reduction, class T, class Out>
  static void reduce(const Reduction& reduction, const Shape& kept, const Shape& reduced, Out* out,
                     const T* in, const Strides& kept_strides, const Strides& reduced_strides);

  template <class T>
  static void gemm(const GemmGeometry& geometry, const T* a, const T* b, T* c);

  template <class T>
  static void conv2d(const Conv2dGeometry& geometry, const T* x, const T* weight, const T* bias,
                     T* y);
  template <class T>
  static void conv2d_input_gradient(const Conv2dGeometry& geometry, const T* dy, const T* weight,
                                    T* dx);
  template <class T>
  static void conv2d_weight_gradient(const Conv2dGeometry& geometry, const T* x, const T* dy,
                                     T* dweight);

  template <class T>
  static void relu(const BitRows& rows, const T* x, T* y, std::uint8_t* bits);
  template <class T>
  static void gate(const BitRows& rows, const T* x, const std::uint8_t* bits, T* y);

  template <class T>
  static void conv2d_relu(const Conv2dGeometry& geometry, const T* x, const T* weight,
                          const T* bias, T* y, std::uint8_t* bits);
  template <class T>
  static void conv2d_relu_input_gradient(const Conv2dGeometry& geometry, const T* dy,
                                         const std::uint8_t* bits, const T* weight, T* dx);

  template <class T, class Place>
  static void max_pool2d(const Pool2dGeometry& geometry, const T* x, T* y, Place* places);
  template <class T, class Place>
  static void max_pool2d_scatter(const Pool2dGeometry& geometry, const T* dy, const Place* places,
                                 T* dx);
  template <class T, class Place>
  static void max_pool2d_gather(const Pool2dGeometry& geometry, const T* x, const Place* places,
                                T* y);
  template <class T>
  static void avg_pool2d(const Pool2dGeometry& geometry, const T* x, T* y);
  template <class T>
  static void avg_pool2d_gradient(const Pool2dGeometry& geometry, const T* dy, T* dx);
};

}  // namespace sfumato
