#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"
#include "state.hpp"
#include "training_pictures.hpp"

namespace distill {

/// Pictures that a slim network paints while it is trained, to be trained with. What a network that
/// never saw such pictures takes for style is noise to the full one: it must see where its own
/// gradients lead, as in "A reduction of imitation learning and structured prediction to no-regret
/// online learning" (Ross, Gordon and Bagnell, 2011).
class PaintedPictures {
 public:
  struct Options {
    std::int64_t groups = 8;  ///< which take turns
    std::int64_t group_size = 2;
    std::int64_t size = 96;           ///< pixels a side
    std::int64_t steps_a_turn = 2;    ///< of Adam
    std::int64_t shortest_life = 20;  ///< turns until a group begins with other pictures
    std::int64_t longest_life = 120;
  };

  /// `pictures` must outlive this.
  PaintedPictures(const std::vector<sfumato::Tensor<std::uint8_t>>& pictures,
                  const Options& options)
      : pictures_(pictures), options_(options), groups_(static_cast<std::size_t>(options.groups)) {}

  /// Paints on at the next group with the network as it is now, and returns its pictures,
  /// (group size, 3, size, size), normalised. Each group has one of the objectives, by turns.
  /// Leaves the network unfrozen.
  sfumato::Tensor<float> next(sfumato::nn::Vgg<float>& network,
                              const std::vector<sfumato::style::ObjectiveOptions>& objectives,
                              sfumato::Random& random) {
    using namespace sfumato;
    const auto number = static_cast<std::size_t>(turn_++ % options_.groups);
    Group& group = groups_[number];
    if (group.turns == group.life) begin(group, random);
    const bool late = 3 * group.turns > 2 * group.life;
    ++group.turns;
    style::ObjectiveOptions objective = objectives[number % objectives.size()];
    objective.content_weight *= group.content_factor;
    network.freeze();
    const auto one_of = [](const Variable<float>& pictures, std::int64_t k) {
      return ops::slice(pictures, 0, {.start = k, .stop = k + 1});
    };
    std::vector<style::Objective<nn::Vgg<float>, float>> losses;
    for (std::int64_t k = 0; k < options_.group_size; ++k) {
      const auto of = [&](const char* name) {
        return one_of(Variable<float>(group.pictures[name]), k).value();
      };
      losses.push_back(style::gatys_objective(network, of("content"), of("style"), objective));
    }
    Variable<float> image(group.pictures["image"], true);
    optim::Adam<float> adam({image});
    if (!group.adam.empty()) adam.load_state_dict(group.adam);
    adam.set_learning_rate(late ? 0.01 : 0.05);
    for (std::int64_t i = 0; i < options_.steps_a_turn; ++i) {
      adam.zero_grad();
      for (std::int64_t k = 0; k < options_.group_size; ++k) {
        backward(losses[static_cast<std::size_t>(k)](one_of(image, k)).total);
      }
      adam.step();
    }
    group.adam = adam.state_dict();
    network.unfreeze();
    return image.value().clone();
  }

  /// All that is needed to go on as if never interrupted, by name.
  State state() const {
    State state{{"turn", Tensor<float>::from({static_cast<float>(turn_)}, {1})}};
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const Group& group = groups_[i];
      if (group.life == 0) continue;
      insert_prefixed(state, prefix(i, "pictures"), group.pictures);
      insert_prefixed(state, prefix(i, "adam"), group.adam);
      state[prefix(i, "counts")] =
          Tensor<float>::from({static_cast<float>(group.content_factor),
                               static_cast<float>(group.turns), static_cast<float>(group.life)},
                              {3});
    }
    return state;
  }

  void load_state(const State& state) {
    turn_ = static_cast<std::int64_t>(state.at("turn").item());
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      Group& group = groups_[i];
      const auto take = [&](const char* kind, State& to) {
        for (const auto& [name, value] : select_prefixed(state, prefix(i, kind))) {
          to[name] = value.clone();
        }
      };
      take("pictures", group.pictures);
      take("adam", group.adam);
      const auto counts = state.find(prefix(i, "counts"));
      if (counts == state.end()) continue;
      group.content_factor = static_cast<double>(counts->second.at({0}));
      group.turns = static_cast<std::int64_t>(counts->second.at({1}));
      group.life = static_cast<std::int64_t>(counts->second.at({2}));
    }
  }

 private:
  struct Group {
    State pictures;  ///< content, style and image
    State adam;
    double content_factor = 1.0;
    std::int64_t turns = 0;
    std::int64_t life = 0;
  };

  static std::string prefix(std::size_t group, const char* kind) {
    return sfumato::message(group, ".", kind, ".");
  }

  void begin(Group& group, sfumato::Random& random) const {
    for (const char* const name : {"content", "style"}) {
      group.pictures[name] =
          random_crops(pictures_, options_.group_size, options_.size, false, random);
    }
    group.pictures["image"] = group.pictures["content"].clone();
    group.adam.clear();
    // A power of two, as compare_networks tries them; a float holds it exactly.
    group.content_factor = std::exp2(static_cast<double>(random.below(5)) - 1.0);
    group.turns = 0;
    group.life =
        options_.shortest_life + random.below(options_.longest_life - options_.shortest_life + 1);
  }

  const std::vector<sfumato::Tensor<std::uint8_t>>& pictures_;
  Options options_;
  std::vector<Group> groups_;
  std::int64_t turn_ = 0;
};

}  // namespace distill
