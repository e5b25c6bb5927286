// Compiled once for each target; see every_target.hpp.
#if defined(SFUMATO_CPU_KERNELS_DIRECT) == defined(SFUMATO_NEXT_TARGET)
#ifdef SFUMATO_CPU_KERNELS_DIRECT
#undef SFUMATO_CPU_KERNELS_DIRECT
#else
#define SFUMATO_CPU_KERNELS_DIRECT
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sfumato/core/division.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/threads.hpp"
#include "sfumato/cpu/device.hpp"
#include "sfumato/cpu/kernels/columns.hpp"
#include "sfumato/cpu/kernels/convolution_task.hpp"
#include "sfumato/cpu/kernels/strips.hpp"
#include "sfumato/cpu/kernels/target.hpp"

/// Convolution as it is defined, where there are too few channels to gain by transforming tiles:
/// vectors of neighbouring pixels times single weights. Registers hold the sums of a run of pixels
/// for some output channels, so that every vector loaded serves as many multiplications as there
/// are channels, and every weight as many as there are vectors.
namespace sfumato::cpu::SFUMATO_NAMESPACE {

inline constexpr std::int64_t kRunChannels = 4;
inline constexpr std::int64_t kRunVectors = kLanes == 16 ? 5 : 2;
inline constexpr std::int64_t kRunDepth = 8;  ///< input channels that are summed over at a time

/// What a strip sees of up to kRunDepth channels, padded, in float, and its sums so far.
struct StripRows {
  std::int64_t columns;
  std::int64_t channel_stride;
  Tensor<float, Cpu> pixels;
  Tensor<float, Cpu> sums;  ///< of each output channel; none where the first sums are the last

  // A run ends with a whole vector, which reads two columns on.
  static std::int64_t padded_columns(const Conv2dGeometry& g) {
    return round_up(g.out_w, kLanes) + kLanes;
  }
  static std::int64_t depth(const Conv2dGeometry& g) { return std::min(g.in_channels, kRunDepth); }

  StripRows(const Conv2dGeometry& g, std::int64_t out_rows)
      : columns(padded_columns(g)),
        channel_stride((out_rows + 2) * columns),
        pixels(Tensor<float, Cpu>::empty({depth(g) * channel_stride})) {
    if (g.in_channels > kRunDepth) {
      sums = Tensor<float, Cpu>::empty({g.out_channels * channel_stride});
    }
  }
  float* pixel(std::int64_t channel, std::int64_t row, std::int64_t column) {
    return at(pixels, channel, row, column);
  }
  float* sum(std::int64_t channel, std::int64_t row, std::int64_t column) {
    return !sums.defined() ? nullptr : at(sums, channel, row, column);
  }

 private:
  float* at(Tensor<float, Cpu>& values, std::int64_t channel, std::int64_t row,
            std::int64_t column) const {
    return values.data() + channel * channel_stride + row * columns + column;
  }
};

/// Pads the columns from `first` to `last` of a row of a plane; the padding is what comes first.
/// Returns the column behind the last whole vector.
template <class S>
SFUMATO_TARGET inline std::int64_t pad_columns(const Convolution<S>& task, std::int64_t plane,
                                               std::int64_t row, std::int64_t first,
                                               std::int64_t last, float* target) {
  for (; first < last; first += kLanes) {
    store(target + first, load_columns(task, plane, row, first - task.g.padding_w));
  }
  return first;
}

/// The same for all `columns` columns.
template <class S>
SFUMATO_TARGET inline void pad_row(const Convolution<S>& task, std::int64_t plane, std::int64_t row,
                                   std::int64_t columns, float* target) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t edge = std::min(round_up(g.padding_w, kLanes), columns);
  std::int64_t column = pad_columns(task, plane, row, 0, edge, target);
  if (row >= 0 && row < g.in_h) {  // whole vectors, which need no tests
    const std::int64_t line = plane * g.in_h + row;
    const S* const source = task.x + line * g.in_w - g.padding_w;
    const std::int64_t end = std::min(columns, g.in_w + g.padding_w - kLanes + 1);
    if (task.mask == nullptr) {
      for (; column < end; column += kLanes) store(target + column, load(source + column));
    } else {
      const std::uint8_t* const bits = task.mask + line * BitRows{1, g.in_w}.bytes_per_row();
      for (; column < end; column += kLanes) {
        store(target + column, let_through(bits, column - g.padding_w, load(source + column)));
      }
    }
  }
  pad_columns(task, plane, row, column, columns, target);
}

/// The filters of each kRunChannels output channels, or those that are left: for each input channel
/// and tap their weights.
template <class S>
Tensor<float, Cpu> order_filters(const Convolution<S>& task) {
  const Filters<S>& filters = task.filters;
  const Conv2dGeometry& g = task.g;
  auto ordered = Tensor<float, Cpu>::empty({g.out_channels * g.in_channels * 9});
  float* next = ordered.data();
  for (std::int64_t first = 0; first < g.out_channels; first += kRunChannels) {
    const std::int64_t last = std::min(first + kRunChannels, g.out_channels);
    for (std::int64_t channel = 0; channel < g.in_channels; ++channel) {
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        const S* weights =
            filters.weight + channel * filters.in_stride + (filters.turned ? 8 - tap : tap);
        for (std::int64_t out = first; out < last; ++out) {
          *next++ = static_cast<float>(weights[out * filters.out_stride]);
        }
      }
    }
  }
  return ordered;
}

/// Neighbouring pixels of a row of the output in some channels, and what is added to them.
struct Run {
  const float* pixels;  ///< of the first input channel, where the first output's filter begins
  std::int64_t row_stride;
  std::int64_t channel_stride;  ///< of pixels and of sums
  std::int64_t depth;           ///< input channels
  const float* filters;         ///< see order_filters()
  float* sums;                  ///< of the first output channel
  bool first;                   ///< there are no sums yet
  bool last;                    ///< they are the results
  std::int64_t image;
  std::int64_t channel;  ///< the first output channel
  std::int64_t row;
  std::int64_t column;
};

/// Writes the results of a run in its output channel `channel`.
template <int kVectors, class S>
SFUMATO_INLINE void store_run(const Convolution<S>& task, const Run& run, std::int64_t channel,
                              const Vector (&sums)[std::size_t{kVectors}]) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t line =
      (run.image * g.out_channels + run.channel + channel) * g.out_h + run.row;
  S* const y = task.y + line * g.out_w;
  std::uint8_t* const positive = task.positive == nullptr
                                     ? nullptr
                                     : task.positive + line * BitRows{1, g.out_w}.bytes_per_row();
#pragma GCC unroll 5
  for (int j = 0; j < kVectors; ++j) {
    const std::int64_t column = run.column + j * kLanes;
    store_columns(task.relu, sums[j], g.out_w - column, y + column,
                  positive == nullptr ? nullptr : positive + column / 8);
  }
}

template <int kChannels, int kVectors, class S>
SFUMATO_TARGET inline void convolve_run(const Convolution<S>& task, const Run& run) {
  Vector sums[std::size_t{kChannels}][std::size_t{kVectors}];
#pragma GCC unroll 4
  for (int i = 0; i < kChannels; ++i) {
    const bool biased = run.first && task.bias != nullptr;
    const Vector bias = biased ? broadcast(static_cast<float>(task.bias[run.channel + i])) : zero();
#pragma GCC unroll 5
    for (int j = 0; j < kVectors; ++j) {
      sums[i][j] = run.first ? bias : load(run.sums + i * run.channel_stride + j * kLanes);
    }
  }
  const float* filters = run.filters;
  for (std::int64_t channel = 0; channel < run.depth; ++channel) {
    for (std::int64_t row = 0; row < 3; ++row) {
      const float* const pixels = run.pixels + channel * run.channel_stride + row * run.row_stride;
#pragma GCC unroll 1  // or the registers would not suffice
      for (std::int64_t column = 0; column < 3; ++column) {
        Vector values[std::size_t{kVectors}];
#pragma GCC unroll 5
        for (int j = 0; j < kVectors; ++j) values[j] = load(pixels + column + j * kLanes);
#pragma GCC unroll 4
        for (int i = 0; i < kChannels; ++i) {
          const Vector weight = broadcast(filters[i]);
#pragma GCC unroll 5
          for (int j = 0; j < kVectors; ++j) {
            sums[i][j] = multiply_add(weight, values[j], sums[i][j]);
          }
        }
        filters += kChannels;
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kChannels; ++i) {
    if (run.last) {
      store_run<kVectors>(task, run, i, sums[i]);
      continue;
    }
#pragma GCC unroll 5
    for (int j = 0; j < kVectors; ++j) {
      store(run.sums + i * run.channel_stride + j * kLanes, sums[i][j]);
    }
  }
}

/// convolve_run() for any number of channels and vectors up to the most.
template <class S>
void convolve_run(std::int64_t channels, std::int64_t vectors, const Convolution<S>& task,
                  const Run& run) {
  constexpr auto kBySize = []<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return std::array{&convolve_run<kIndex / kRunVectors + 1, kIndex % kRunVectors + 1, S>...};
  }
  (std::make_integer_sequence<int, kRunChannels * kRunVectors>());
  kBySize[static_cast<std::size_t>((channels - 1) * kRunVectors + vectors - 1)](task, run);
}

/// Adds what the input channels from `in` on give to a strip.
template <class S>
void convolve_strip(const Convolution<S>& task, const float* filters, const Strip& strip,
                    std::int64_t in, StripRows& rows) {
  const Conv2dGeometry& g = task.g;
  const std::int64_t depth = std::min(kRunDepth, g.in_channels - in);
  for (std::int64_t channel = 0; channel < depth; ++channel) {
    for (std::int64_t i = 0; i < strip.rows + 2; ++i) {
      pad_row(task, strip.image * g.in_channels + in + channel, strip.first + i - g.padding_h,
              rows.columns, rows.pixel(channel, i, 0));
    }
  }
  // One group of output channels after the other, as few planes are written faster than many.
  for (std::int64_t out = 0; out < g.out_channels; out += kRunChannels) {
    const std::int64_t outs = std::min(kRunChannels, g.out_channels - out);
    for (std::int64_t row = 0; row < strip.rows; ++row) {
      std::int64_t column = 0;
      while (column < g.out_w) {
        // Runs of nearly equal length, as a short one takes more than its share of time.
        const std::int64_t left = round_up(g.out_w - column, kLanes) / kLanes;
        const std::int64_t runs = ceil_div(left, kRunVectors);
        const std::int64_t vectors = ceil_div(left, runs);
        convolve_run(outs, vectors, task,
                     {.pixels = rows.pixel(0, row, column),
                      .row_stride = rows.columns,
                      .channel_stride = rows.channel_stride,
                      .depth = depth,
                      .filters = filters + 9 * (out * g.in_channels + outs * in),
                      .sums = rows.sum(out, row, column),
                      .first = in == 0,
                      .last = in + depth == g.in_channels,
                      .image = strip.image,
                      .channel = out,
                      .row = strip.first + row,
                      .column = column});
        column += vectors * kLanes;
      }
    }
  }
}

/// A 3 × 3 convolution that winograd_applies() to.
template <class S>
void convolve_directly(const Convolution<S>& task) {
  constexpr std::int64_t kElements = kLanes == 16 ? 1 << 17 : 1 << 16;  // of a strip, to stay in L2
  const Conv2dGeometry& g = task.g;
  const std::int64_t row_elements = StripRows::depth(g) * StripRows::padded_columns(g);
  const Strips strips(g, row_elements, kElements, thread_count());
  const Tensor<float, Cpu> filters = order_filters(task);
  parallel_for(g.batch * strips.per_image, 1, [&](std::int64_t index, std::int64_t) {
    const Strip strip = strips.strip(g, index);
    StripRows rows(g, strip.rows);
    for (std::int64_t in = 0; in < g.in_channels; in += kRunDepth) {
      convolve_strip(task, filters.data(), strip, in, rows);
    }
  });
}

}  // namespace sfumato::cpu::SFUMATO_NAMESPACE

#endif  // the target's guard
