#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/style/iteration.hpp"
#include "sfumato/style/term.hpp"

namespace sfumato::style::detail {

/// Losses on the device: those of the terms, the total, and what else there is room for. What has
/// not been kept yet is 0, as all are read at once.
template <class T, class Device>
class Report {
 public:
  template <class Objective>
  Report(const Objective& objective, std::int64_t more)
      : kinds_(objective.kinds()),
        names_(objective.names()),
        values_(Tensor<T, Device>::zeros({static_cast<std::int64_t>(kinds_.size()) + 1 + more})) {}

  void keep(const Losses<T, Device>& losses) {
    for (std::size_t i = 0; i < losses.terms.size(); ++i) keep(i, losses.terms[i]);
    keep(kinds_.size(), losses.total);
  }
  void keep_last(const Variable<T, Device>& value) {
    keep(static_cast<std::size_t>(values_.numel()) - 1, value);
  }

  void read() { read_ = values_.to_vector(); }
  T total() const { return read_[kinds_.size()]; }
  T last() const { return read_.back(); }
  void write_to(Moment<T, Device>& iteration) const {
    iteration.losses.clear();
    iteration.terms.clear();
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      iteration.losses[kinds_[i]] += static_cast<double>(read_[i]);
      iteration.terms[names_[i]] += static_cast<double>(read_[i]);
    }
    iteration.total = static_cast<double>(total());
  }

 private:
  void keep(std::size_t i, const Variable<T, Device>& value) {
    Device::copy(values_.data() + i, value.value().data(), sizeof(T));
  }

  std::vector<std::string> kinds_;
  std::vector<std::string> names_;
  Tensor<T, Device> values_;
  std::vector<T> read_;
};

}  // namespace sfumato::style::detail
