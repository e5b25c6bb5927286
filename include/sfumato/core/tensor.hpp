#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/core/arange.hpp"
#include "sfumato/core/backend.hpp"
#include "sfumato/core/device.hpp"
#include "sfumato/core/element.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/half.hpp"
#include "sfumato/core/pool.hpp"
#include "sfumato/core/random.hpp"
#include "sfumato/core/shape.hpp"
#include "sfumato/core/storage.hpp"

namespace sfumato {

/// A dense row-major array on a device. Copies of a Tensor share its storage; clone() does not.
/// It knows nothing of gradients: see Variable.
///
///     Tensor<float> x{{1, 2, 3}, {4, 5, 6}};
///     x(1, 2);               // 6
///     x[1];                  // 4, 5, 6, the same storage
///     x.reshape({3, -1});    // shape (3, 2), the same storage
template <Element T, class Device>
class Tensor {
  friend class ElementReference<T, Device>;

 public:
  using value_type = T;
  using device_type = Device;

  /// No tensor at all: defined() is false, the shape is (0,). So is one that was moved from.
  Tensor() : shape_{0} {}
  /// Numbers in braces, nested up to three deep. Throws ShapeError for rows that differ in length.
  Tensor(std::initializer_list<T> values)  // NOLINT(google-explicit-constructor)
      : Tensor(from(values, {static_cast<std::int64_t>(values.size())})) {}
  Tensor(std::initializer_list<std::initializer_list<T>> rows)  // NOLINT
      : Tensor(nested(rows)) {}
  Tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> planes)  // NOLINT
      : Tensor(nested(planes)) {}
  Tensor(const Tensor&) = default;
  Tensor(Tensor&& other) noexcept
      : storage_(std::move(other.storage_)),
        offset_(std::exchange(other.offset_, 0)),
        shape_(std::exchange(other.shape_, Shape{0})) {}
  // Not for views that nobody keeps: x[0] = y would change nothing. See copy_from().
  Tensor& operator=(Tensor other) & noexcept {
    std::swap(storage_, other.storage_);
    std::swap(offset_, other.offset_);
    std::swap(shape_, other.shape_);
    return *this;
  }
  ~Tensor() = default;

  /// A tensor whose values have not been set yet.
  static Tensor empty(const Shape& shape) { return Tensor(shape); }
  static Tensor zeros(const Shape& shape) { return full(shape, T{0}); }
  static Tensor ones(const Shape& shape) { return full(shape, T{1}); }
  static Tensor full(const Shape& shape, T value) {
    Tensor result(shape);
    Device::map(detail::Constant<T>{value}, shape,
                Strided<T>{result.data(), row_major_strides(shape)});
    return result;
  }
  static Tensor scalar(T value) { return full(Shape{}, value); }
  /// 1 on the diagonal of (n, n), else 0.
  static Tensor eye(std::int64_t n) {
    return generate(
        {n, n}, [n, i = std::int64_t{0}]() mutable { return static_cast<T>(i++ % (n + 1) == 0); });
  }

  /// start, start + step, … as long as it is before stop; rank 1. Fractions are computed in double
  /// and rounded once. Throws ValueError when step is zero or leads away from stop.
  static Tensor arange(T start, T stop, T step = T{1}) {
    const detail::Progression<T> progression(start, stop, step);
    const std::int64_t count = progression.count();
    if (count < 0) {
      throw ValueError(message("arange: can't go from ", start, " to ", stop, " in steps of ", step,
                               "; the step must be non-zero and lead from start to stop"));
    }
    return generate({count},
                    [&, i = std::int64_t{0}]() mutable { return progression.element(i++); });
  }
  static Tensor arange(T stop) { return arange(T{0}, stop); }

  /// A copy of `values`, row by row. Throws ShapeError when their number is not the shape's.
  static Tensor from(std::span<const T> values, const Shape& shape) {
    if (static_cast<std::int64_t>(values.size()) != shape.numel()) {
      throw ShapeError(message("tensor: ", values.size(), " values for the shape ", shape,
                               ", which has ", shape.numel(), " elements"));
    }
    Tensor result(shape);
    if (!values.empty()) {
      Device::copy_from_host(result.data(), values.data(), values.size_bytes());
    }
    return result;
  }
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }

  /// A tensor in memory that is not the pool's; see io/dlpack.hpp. The storage holds its elements.
  static Tensor adopt(Storage storage, const Shape& shape) {
    Tensor result;
    result.storage_ = std::move(storage);
    result.shape_ = shape;
    return result;
  }

  /// Uniform in [low, high), the same numbers on every device. Throws ValueError where high - low
  /// is no finite number.
  static Tensor rand(const Shape& shape, Random& random = default_random(), T low = T{0},
                     T high = T{1}) requires std::floating_point<T> {
    if (!std::isfinite(high - low)) {
      throw ValueError(message("rand: from ", low, " to ", high, " is wider than the largest ",
                               "number; choose bounds that are closer"));
    }
    return generate(shape, [&] {
      const T value = low + static_cast<T>(random.uniform() * static_cast<double>(high - low));
      // Rounding may have reached `high`.
      return value >= high && high > low ? std::nextafter(high, low) : value;
    });
  }

  /// Normal with the given mean and standard deviation, the same numbers on every device.
  static Tensor randn(const Shape& shape, Random& random = default_random(), T mean = T{0},
                      T deviation = T{1}) requires std::floating_point<T> {
    return generate(shape, [&] {
      return mean + static_cast<T>(random.normal() * static_cast<double>(deviation));
    });
  }

  bool defined() const { return storage_.data() != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t numel() const { return shape_.numel(); }
  /// The extent along an axis; a negative one counts from the end.
  std::int64_t size(int axis) const { return shape_[axis]; }

  /// The first element, in the device's memory. Asking a Tensor that is not const for it, or for
  /// span(), counts as a change of the values; see version().
  T* data() {
    storage_.note_change();
    return reinterpret_cast<T*>(storage_.data()) + offset_;
  }
  const T* data() const { return reinterpret_cast<const T*>(storage_.data()) + offset_; }

  /// The same storage under another shape; one extent may be -1 and is worked out from the others.
  /// Throws ShapeError when the numbers of elements differ.
  Tensor reshape(std::initializer_list<std::int64_t> extents) const {
    return reshape(std::span<const std::int64_t>(extents.begin(), extents.size()));
  }
  Tensor reshape(std::span<const std::int64_t> extents) const {
    return reshape(complete_shape(shape_, extents));
  }
  Tensor reshape(const Shape& shape) const {
    if (shape.numel() != numel()) {
      throw ShapeError(message("reshape: ", shape_, " has ", numel(), " elements, but ", shape,
                               " has ", shape.numel()));
    }
    Tensor result = *this;
    result.shape_ = shape;
    return result;
  }

  /// The same values in storage of its own; of no tensor none.
  Tensor clone() const {
    if (!defined()) return {};
    Tensor result(shape_);
    if (numel() > 0) Device::copy(result.data(), data(), bytes());
    return result;
  }

  /// Overwrites the values in place, for all who share the storage. Throws ShapeError for others.
  void copy_from(const Tensor& source) {
    if (source.shape() != shape_) {
      throw ShapeError(message("copy_from: source ", source.shape(), " does not fit ", shape_));
    }
    if (numel() > 0 && std::as_const(*this).data() != source.data()) {
      Device::copy(data(), source.data(), bytes());
    }
  }

  /// The same values on another device.
  template <class Other>
  Tensor<T, Other> to() const {
    if constexpr (std::same_as<Other, Device>) {
      return *this;
    } else if (!defined()) {
      return {};
    } else {
      return Tensor<T, Other>::from(to_vector(), shape_);
    }
  }

  /// The values converted one by one to another element type, as static_cast does.
  template <Element U>
  Tensor<U, Device> cast() const {
    if constexpr (std::same_as<U, T>) {
      return *this;
    } else if (!defined()) {
      return {};
    } else {
      auto converted = Tensor<U, Device>::empty(shape_);
      const Strides strides = row_major_strides(shape_);
      Device::map(detail::Identity{}, shape_, Strided<U>{converted.data(), strides},
                  Strided<const T>{data(), strides});
      return converted;
    }
  }

  /// A copy of all values in host memory.
  std::vector<T> to_vector() const {
    std::vector<T> values(static_cast<std::size_t>(numel()));
    if (!values.empty()) Device::copy_to_host(values.data(), data(), bytes());
    return values;
  }

  /// The only value of a tensor of one element. Throws ShapeError when there are more or none.
  T item() const {
    if (numel() != 1) {
      throw ShapeError(message("item: the shape ", shape_, " has ", numel(),
                               " elements; item() reads tensors of one"));
    }
    return read(0);
  }

  /// One value; slow on devices with memory of their own. Throws ShapeError out of range.
  T at(std::initializer_list<std::int64_t> index) const {
    return read(row_major_offset(shape_, index));
  }
  void set(std::initializer_list<std::int64_t> index, T value) {
    Device::copy_from_host(data() + row_major_offset(shape_, index), &value, sizeof(T));
  }

  /// Element number `index` along the first axis, which counts from the end where it is negative: a
  /// view of the same storage. Throws ShapeError out of range.
  Tensor operator[](std::int64_t index) const {
    if (rank() == 0 || index < -shape_[0] || index >= shape_[0]) {
      throw ShapeError(message("[]: index ", index, " is out of range at axis 0 of ", shape_));
    }
    Tensor view = *this;
    view.shape_ = Shape(std::span<const std::int64_t>(shape_.begin() + 1, shape_.end()));
    view.offset_ += (index < 0 ? index + shape_[0] : index) * view.numel();
    return view;
  }

  /// One value, to be read or assigned: t(0, 1) = 5. Throws ShapeError out of range.
  template <std::convertible_to<std::int64_t>... Index>
  T operator()(Index... index) const {
    return at({static_cast<std::int64_t>(index)...});
  }
  template <std::convertible_to<std::int64_t>... Index>
  ElementReference<T, Device> operator()(Index... index) {
    return {*this, row_major_offset(shape_, {static_cast<std::int64_t>(index)...})};
  }

  // What ops/ has under the same names, without a tape; defined in ops/tensor_arithmetic.hpp.

  /// Integers have an int64_t as their sum, or a mask could not be counted.
  Tensor<std::conditional_t<std::integral<T>, std::int64_t, T>, Device> sum(
      const Axes& axes = {}, bool keepdim = false) const;
  /// Not of integers, whose mean would lose its fraction: cast() them.
  Tensor mean(const Axes& axes = {}, bool keepdim = false) const requires Real<T>;
  Tensor max(const Axes& axes = {}, bool keepdim = false) const;
  Tensor min(const Axes& axes = {}, bool keepdim = false) const;

  /// All values in place, row by row.
  std::span<T> span() requires HostAccessible<Device> {
    return {data(), static_cast<std::size_t>(numel())};
  }
  std::span<const T> span() const requires HostAccessible<Device> {
    return {data(), static_cast<std::size_t>(numel())};
  }

  /// True when nobody else shares the storage, so that nobody would notice a change of the values.
  bool owns_alone() const { return storage_.owned_alone(); }

  /// True when both are views of one storage.
  bool shares_storage_with(const Tensor& other) const { return storage_ == other.storage_; }

  /// Another number after each time when the values may have been changed in place, by anyone who
  /// shares the storage: by copy_from(), set(), optimisers, or whoever asked a Tensor that is not
  /// const for data() or span(). Who only reads does so through a const Tensor, and is not counted.
  /// What is written later through a pointer or span once asked for goes unnoticed, as does what a
  /// Repeat runs again. It is what autodiff compares before it uses values that were saved.
  std::uint64_t version() const { return storage_.version(); }

 private:
  explicit Tensor(const Shape& shape)
      : storage_(
            Pool<Device>::current().allocate(static_cast<std::size_t>(shape.numel()) * sizeof(T))),
        shape_(shape) {}

  template <class List>
  static Tensor nested(const List& lists) {
    std::vector<T> values;
    Shape shape{static_cast<std::int64_t>(lists.size()), 0};
    for (const auto& list : lists) {
      const Tensor<T, Cpu> part(list);
      if (values.empty()) {
        shape = Shape{static_cast<std::int64_t>(lists.size())};
        for (const std::int64_t extent : part.shape()) shape.push_back(extent);
      }
      if (part.numel() != shape.numel() / shape[0] || part.size(0) != shape[1]) {
        throw ShapeError(message("tensor: braces with ", part.shape(), " beside some that make ",
                                 shape, "; all must be alike"));
      }
      values.insert(values.end(), part.span().begin(), part.span().end());
    }
    return from(values, shape);
  }

  template <class Next>
  static Tensor generate(const Shape& shape, Next next) {
    Tensor result(shape);  // first: the pool says best when there is too little memory
    std::vector<T> values(static_cast<std::size_t>(shape.numel()));
    for (T& value : values) value = next();
    if (!values.empty()) Device::copy_from_host(result.data(), values.data(), result.bytes());
    return result;
  }

  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * sizeof(T); }

  T read(std::int64_t position) const {
    T value{};
    Device::copy_to_host(&value, data() + position, sizeof(T));
    return value;
  }

  Storage storage_;
  std::int64_t offset_ = 0;  // of the first element in the storage
  Shape shape_;
};

}  // namespace sfumato
