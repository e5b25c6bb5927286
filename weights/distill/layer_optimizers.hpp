#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "state.hpp"

namespace distill {

using sfumato::Variable;

/// AdamW with a rate for each parameter. Inputs of a convolution are outputs of a ReLU with mean 1,
/// so a step that changes all weights of a filter alike changes its output by as much as there are
/// of them: rates go with 1 / inputs (as in Yang et al., "Tensor programs V", 2022).
class LayerOptimizers {
 public:
  explicit LayerOptimizers(const std::vector<Variable<float>>& parameters) {
    for (const Variable<float>& parameter : parameters) {
      const std::int64_t inputs =
          parameter.rank() == 1 ? 1 : parameter.numel() / parameter.shape()[0];
      shares_.push_back(1.0 / static_cast<double>(inputs));
      // Few steps are few to forget early gradients in. Biases do not decay, as is usual.
      const sfumato::optim::AdamOptions options{.beta2 = 0.99,
                                                .weight_decay = parameter.rank() == 1 ? 0.0 : 0.01,
                                                .decoupled_weight_decay = true};
      adams_.push_back(
          std::make_unique<sfumato::optim::Adam<float>>(std::vector{parameter}, options));
    }
  }

  void step(double learning_rate) {
    for (std::size_t i = 0; i < adams_.size(); ++i) {
      adams_[i]->set_learning_rate(learning_rate * shares_[i]);
      adams_[i]->step();
      adams_[i]->zero_grad();
    }
  }

  State state() const {
    State state;
    for (std::size_t i = 0; i < adams_.size(); ++i) {
      insert_prefixed(state, sfumato::message(i, "."), adams_[i]->state_dict());
    }
    return state;
  }

  void load_state(const State& state) {
    for (std::size_t i = 0; i < adams_.size(); ++i) {
      adams_[i]->load_state_dict(select_prefixed(state, sfumato::message(i, ".")));
    }
  }

 private:
  std::vector<std::unique_ptr<sfumato::optim::Adam<float>>> adams_;
  std::vector<double> shares_;
};

}  // namespace distill
