#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/random_journal.hpp"

namespace sfumato {

namespace detail {

/// The same value at a place of its own on the tape, so that what is made from it can be told from
/// what is made from `input` otherwise, by another path.
template <class T, class Device>
Variable<T, Device> handle_to(const Variable<T, Device>& input) {
  return record("checkpoint_input", input.value(), {input},
                [](const Backward<T, Device>& at) { return at.gradient(); });
}

/// What a function was found to depend on besides its inputs.
template <class T, class Device>
struct Dependencies {
  std::vector<Variable<T, Device>> places;  // on the tape; without the values
  Versions versions;                        // of all values that its gradient may read
};

/// Reads the record of a run. What was made before it began, by these numbers, is outside, and so
/// are parameters that it made itself.
template <class T, class Device>
Dependencies<T, Device> find_dependencies(const Variable<T, Device>& result,
                                          const std::vector<Variable<T, Device>>& handles,
                                          std::uint64_t first_node, std::uint64_t first_version) {
  const auto is_outside = [&](const Node<T, Device>& node) {
    return node.number() < first_node || node.is_leaf();
  };
  const auto is_end = [&](const Node<T, Device>& node) {
    const auto is_node = [&](const auto& handle) { return handle.node().get() == &node; };
    return is_outside(node) || std::any_of(handles.begin(), handles.end(), is_node);
  };
  Dependencies<T, Device> found;
  for (const auto& [number, node] : nodes_behind(std::vector{result}, is_end)) {
    if (is_outside(*node)) {
      found.places.emplace_back(Tensor<T, Device>(), node);
    } else {
      std::copy_if(node->versions().begin(), node->versions().end(),
                   std::back_inserter(found.versions),
                   [&](std::uint64_t version) { return version < first_version; });
    }
  }
  return found;
}

/// Throws GraphError if the result comes from an operation that the first run did not use.
template <class T, class Device>
void check_same_dependencies(const Variable<T, Device>& result,
                             const std::vector<Variable<T, Device>>& handles,
                             const std::vector<std::shared_ptr<Node<T, Device>>>& known,
                             std::uint64_t first_node) {
  for (const auto& place : find_dependencies(result, handles, first_node, 0).places) {
    const Node<T, Device>& node = *place.node();
    const bool is_known =
        std::find(known.begin(), known.end(), place.node()) != known.end() || node.is_leaf();
    if (!is_known) {
      throw GraphError(message("checkpoint: the function used a result of ", node.name(), " ",
                               node.shape(),
                               " that it had not used when it was first called; it "
                               "must do the same every time, so capture Variables by value"));
    }
  }
}

}  // namespace detail

/// function(inputs), of which only the inputs are kept: what its gradient needs is computed again
/// when it is asked for, which takes time and saves memory (Chen et al., "Training deep nets with
/// sublinear memory cost", 2016).
///
/// `function` takes a vector of Variables and returns one. It is called again in every backward
/// sweep, so what it refers to must live until then, and must do the same again: every Random that
/// it uses gives it the same numbers, and everyone else those that would have come without it.
/// Gradients reach the inputs and all else that it uses, such as the parameters of a layer.
/// The sweep throws GraphError where a value that is read again has been changed in place, where
/// other Variables or random numbers are used than before, or where the result has another shape.
///
///     auto y = checkpoint([&](const auto& in) { return block(in[0]); }, {x});
template <class T, class Device, class Function>
Variable<T, Device> checkpoint(const Function& function,
                               const std::vector<Variable<T, Device>>& inputs) {
  if (!grad_enabled()) return function(inputs);
  const std::uint64_t first_version = Storage::next_version();
  const std::uint64_t first_node = Node<T, Device>::next_number();
  std::vector<Variable<T, Device>> places = inputs;
  Tensor<T, Device> value;
  detail::Versions versions;
  std::vector<detail::RandomEntry> randoms;
  {
    std::vector<Variable<T, Device>> handles;
    for (const auto& input : inputs) handles.push_back(detail::handle_to(input));
    const detail::RandomJournal journal;
    const detail::ReadJournal reads;
    const Variable<T, Device> result = function(handles);
    auto found = detail::find_dependencies(result, handles, first_node, first_version);
    places.insert(places.end(), found.places.begin(), found.places.end());
    value = result.value();
    versions = std::move(found.versions);
    versions.insert(versions.end(), reads.versions().begin(), reads.versions().end());
    randoms = journal.entries();
  }
  std::vector<std::shared_ptr<Node<T, Device>>> outside;
  for (std::size_t i = inputs.size(); i < places.size(); ++i) outside.push_back(places[i].node());

  auto gradient = [function, inputs, outside, randoms](const Backward<T, Device>& at) {
    // A sweep that is itself recorded goes on from here to what the inputs came from.
    const bool create_graph = grad_enabled();
    const GradMode recording(true);
    const std::uint64_t first = Node<T, Device>::next_number();
    std::vector<Variable<T, Device>> handles;
    std::vector<std::shared_ptr<Node<T, Device>>> ends;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool differentiated = at.needs(i) || (create_graph && inputs[i].requires_grad());
      handles.push_back(differentiated ? detail::handle_to(inputs[i]) : inputs[i].detach());
      ends.push_back(at.needs(i) ? handles[i].node() : nullptr);
    }
    for (std::size_t i = 0; i < outside.size(); ++i) {
      ends.push_back(at.needs(ends.size()) ? outside[i] : nullptr);
    }
    const Variable<T, Device> result = [&] {
      const detail::RandomReplay replay(randoms);
      Variable<T, Device> again = function(handles);
      if (!replay.is_same()) {
        throw GraphError(
            "checkpoint: the function used other random numbers than when it was first called; it "
            "must do the same every time, so change a module's mode after the backward sweep");
      }
      return again;
    }();
    detail::check_same_dependencies(result, handles, outside, first);
    if (result.shape() != at.gradient().shape()) {
      throw GraphError(message("checkpoint: the function gave ", at.gradient().shape(), " and now ",
                               result.shape(), "; it must do the same every time it is called"));
    }
    Gradients<T, Device> gradients =
        detail::gradients_at(ends, {result}, {at.gradient()}, {.create_graph = create_graph}, true);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (!at.needs(i) || gradients[i].defined()) continue;
      const Shape& shape =
          i < inputs.size() ? inputs[i].shape() : outside[i - inputs.size()]->shape();
      gradients[i] = Variable<T, Device>(Tensor<T, Device>::zeros(shape));
    }
    return gradients;
  };
  return record("checkpoint", std::move(value), places, std::move(gradient), std::move(versions));
}

template <class T, class Device, class Function>
Variable<T, Device> checkpoint(const Function& function,
                               std::initializer_list<Variable<T, Device>> inputs) {
  return checkpoint(function, std::vector<Variable<T, Device>>(inputs));
}

}  // namespace sfumato
