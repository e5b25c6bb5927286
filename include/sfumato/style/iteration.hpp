#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/style/average.hpp"

namespace sfumato::style {

/// The losses of one evaluation: with Adam one of each step, before it.
struct Iteration {
  std::int64_t number = 0;  ///< from 1
  bool has_losses = true;   ///< false: those of the last iteration that had; see losses_every
  std::map<std::string, double> losses;  ///< weighted, summed over the terms of each kind
  double total = 0.0;
  double seconds = 0.0;  ///< since the first iteration began, at the end of this one

  /// The loss of one kind; 0 where there is none.
  double loss(const std::string& kind) const {
    const auto found = losses.find(kind);
    return found == losses.end() ? 0.0 : found->second;
  }
};

/// All that is carried from one iteration to the next: a run that is given it goes on from there,
/// to the same bits. state_tensors.hpp makes tensors of it, which can be saved.
template <class T, class Device = Cpu>
struct MinimizerState {
  std::int64_t iterations = 0;                         ///< done so far
  Tensor<T, Device> pixels = {};                       ///< the picture that is painted, in Pixels
  std::map<std::string, Tensor<T, Device>> optimizer;  ///< its state_dict(); empty: a new one
  AveragePicture<T, Device> average;                   ///< of the pictures so far

  // What follows is of no use without `pixels`.
  Tensor<T, Device> before = {};  ///< the last picture whose losses are known, in Pixels
  Tensor<T, Device> best = {};    ///< with L-BFGS the one whose loss was least …
  double least = std::numeric_limits<double>::infinity();  ///< … which was this
  bool reached = false;                                    ///< whether until_loss was
  std::vector<Iteration> history = {};                     ///< those so far that have losses
};

/// A picture and how it came about.
template <class T, class Device = Cpu>
struct TransferResult {
  Tensor<T, Device> image;               ///< normalised, (1, 3, h, w)
  std::vector<Iteration> history;        ///< every iteration that has losses
  bool stopped = false;                  ///< whether the progress callback ended it early
  bool reached = false;                  ///< whether the total came to until_loss, which ended it
  bool converged = false;                ///< whether L-BFGS found no smaller loss, which ended it
  MinimizerState<T, Device> state = {};  ///< after the last step
};

/// A loss or a gradient that is not finite: the run has left the numbers that there are,
/// and no later iteration would bring it back.
template <class T, class Device = Cpu>
class DivergenceError : public Error {
 public:
  DivergenceError(const std::string& what, TransferResult<T, Device> until_then)
      : Error(what), result(std::move(until_then)) {}

  /// The last picture whose loss was finite (or else the initial one), and the iterations whose
  /// losses were.
  TransferResult<T, Device> result;
};

/// An iteration while it is there.
template <class T, class Device = Cpu>
struct Moment : Iteration {
  std::map<std::string, double> terms;  ///< the weighted loss of each, by Objective::names()
  /// What would come out now, normalised, (1, 3, h, w). It changes with the next step.
  std::function<Tensor<T, Device>()> picture;
  /// From where the run can be gone on with: after this iteration, or the last before it that was
  /// no trial of a line search. Good until the next step, as far as tensors are not copied.
  std::function<MinimizerState<T, Device>()> state;
};

/// Is told of every iteration; returns false to stop. What takes an Iteration is one, too.
template <class T, class Device = Cpu>
using Progress = std::function<bool(const Moment<T, Device>&)>;

}  // namespace sfumato::style
