#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/random.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/ops/layout.hpp"

namespace sfumato::data {

/// How a DataLoader makes batches of examples.
struct DataLoaderOptions {
  std::int64_t batch_size = 1;
  bool shuffle = false;  ///< each epoch in another order
  std::uint64_t seed = 0;
  bool drop_last = false;  ///< leaves out a last batch that is not full
  bool prefetch = true;    ///< another thread makes the next batch while one is used
};

namespace detail {
template <class T, class Device>
Tensor<T, Device> stack(const std::vector<Tensor<T, Device>>& examples) {
  return ops::stack(std::vector<Variable<T, Device>>(examples.begin(), examples.end())).value();
}
/// Of pairs and tuples, what stands in each place.
template <class Example>
Example stack(const std::vector<Example>& examples) {
  const auto in_place = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) {
    std::vector<std::tuple_element_t<i, Example>> parts;
    for (const Example& example : examples) parts.push_back(std::get<i>(example));
    return stack(parts);
  };
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    return Example{in_place(std::integral_constant<std::size_t, i>{})...};
  }
  (std::make_index_sequence<std::tuple_size_v<Example>>{});
}
/// Another stream of this thread's default_random(), for a while.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) { manual_seed(seed); }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  ~Numbers() { default_random() = before_; }

 private:
  Random before_ = default_random();
};
}  // namespace detail

/// Batches of examples: `get(i)` makes example i of `count`, a Tensor, or a pair or tuple of
/// Tensors, and a batch is the same with Tensors of one more axis, the first. Each loop is an
/// epoch. The order depends on the seed and the number of the epoch alone.
///
/// While a loop runs, another thread calls `get`, one call at a time; what it throws is thrown by
/// the loop when it comes to that batch. Leaving the loop waits for the call that is being made.
/// What `get` draws from default_random() depends on the seed and the numbers of the epoch and the
/// batch alone. The loader must outlive the loop. Throws ValueError for a negative count and a
/// batch size below 1, and ShapeError where examples of a batch have different shapes.
///
///     const auto example = [&](std::int64_t i) { return std::pair(images[i], labels[i]); };
///     data::DataLoader loader(60000, example, {.batch_size = 32, .shuffle = true});
///     for (const auto& [batch, batch_labels] : loader) {
template <class Get>
class DataLoader {
 public:
  using Batch = std::decay_t<std::invoke_result_t<Get&, std::int64_t>>;

  DataLoader(std::int64_t count, Get get, const DataLoaderOptions& options = {})
      : count_(count), get_(std::move(get)), options_(options) {
    if (count < 0 || options.batch_size < 1) {
      throw ValueError(message("DataLoader: ", count, " examples in batches of ",
                               options.batch_size, "; give at least none, and batches of 1"));
    }
  }

  /// The batches of an epoch.
  std::int64_t size() const {
    const std::int64_t rest = count_ % options_.batch_size;
    return count_ / options_.batch_size + (rest > 0 && !options_.drop_last ? 1 : 0);
  }

  /// The batches of one epoch, one after the other: an iterator that stays where it is.
  class Epoch {
   public:
    explicit Epoch(DataLoader& loader)
        : loader_(loader),
          seed_(loader.options_.seed + 0x9E3779B97F4A7C15U * loader.epochs_++),
          order_(static_cast<std::size_t>(loader.count_)) {
      std::iota(order_.begin(), order_.end(), std::int64_t{0});
      Random random(seed_);
      for (std::size_t i = loader.options_.shuffle ? order_.size() : 0; i > 1; --i) {
        const std::int64_t other = random.below(static_cast<std::int64_t>(i));
        std::swap(order_[i - 1], order_[static_cast<std::size_t>(other)]);
      }
      start_next();
      ++*this;
    }
    Epoch(const Epoch&) = delete;
    Epoch& operator=(const Epoch&) = delete;
    ~Epoch() { stop_ = true; }

    const Batch& operator*() const { return *batch_; }
    Epoch& operator++() {
      batch_.reset();
      if (!pending_.valid()) return *this;
      batch_ = pending_.get();
      start_next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !batch_.has_value(); }

   private:
    void start_next() {
      const auto size = static_cast<std::size_t>(loader_.options_.batch_size);
      const std::size_t first = std::exchange(next_, std::min(next_ + size, order_.size()));
      if (first == next_ || (loader_.options_.drop_last && next_ - first < size)) return;
      const auto make = [this, first, last = next_]() -> std::optional<Batch> {
        // Or each thread that makes one would begin with the same.
        const detail::Numbers numbers(seed_ + 0xD1B54A32D192ED03U * last);
        std::vector<Batch> examples;
        for (std::size_t i = first; i < last; ++i) {
          if (stop_) return {};
          const std::lock_guard lock(*loader_.calls_);  // of loops in one another
          examples.push_back(loader_.get_(order_[i]));
        }
        return detail::stack(examples);
      };
      // Where the system has no thread to give, it is made when it is asked for.
      const auto ahead = loader_.options_.prefetch ? std::launch::async : std::launch::deferred;
      pending_ = std::async(ahead | std::launch::deferred, make);
    }

    DataLoader& loader_;
    std::uint64_t seed_;
    std::vector<std::int64_t> order_;
    std::size_t next_ = 0;  // the first example of the next batch
    std::optional<Batch> batch_;
    std::atomic<bool> stop_ = false;
    std::future<std::optional<Batch>> pending_;  // last: its destructor waits for who uses the rest
  };
  /// Begins an epoch.
  Epoch begin() { return Epoch(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::int64_t count_;
  Get get_;
  DataLoaderOptions options_;
  std::uint64_t epochs_ = 0;
  std::unique_ptr<std::mutex> calls_ = std::make_unique<std::mutex>();
};

}  // namespace sfumato::data
