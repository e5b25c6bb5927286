#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sfumato/autodiff/backward.hpp"
#include "sfumato/autodiff/grad_mode.hpp"
#include "sfumato/autodiff/record.hpp"
#include "sfumato/autodiff/variable.hpp"
#include "sfumato/core/random_journal.hpp"

namespace sfumato {

namespace detail {

/// The same value at a place of its own on the tape, so that what is made from it can be told from
/// what is made from `input` otherwise, by another path.
template <class T, class Device>
Variable<T, Device> handle_to(const Variable<T, Device>& input, const char* op = "checkpoint") {
  return record("checkpoint_input", input.value(op), {input},
                [](const Backward<T, Device>& ctx) { return ctx.gradient(); });
}

/// What a function was found to depend on besides its inputs.
struct Dependencies {
  std::vector<std::shared_ptr<Node>> nodes;
  Versions versions;  // of all values that its gradient may read
};

/// Reads the record of a run. What was made before it began, by these numbers, is outside, and so
/// are parameters that it made itself.
inline Dependencies find_dependencies(const std::shared_ptr<Node>& result,
                                      const std::vector<std::shared_ptr<Node>>& handles,
                                      std::uint64_t first_node, std::uint64_t first_version) {
  const auto is_outside = [&](const Node& node) {
    return node.number() < first_node || node.is_leaf();
  };
  const auto is_end = [&](const Node& node) {
    const auto is_node = [&](const auto& handle) { return handle.get() == &node; };
    return is_outside(node) || std::any_of(handles.begin(), handles.end(), is_node);
  };
  Dependencies found;
  for (const auto& [number, node] : nodes_behind({result}, is_end)) {
    if (is_outside(*node)) {
      found.nodes.push_back(node);
    } else {
      std::copy_if(node->versions().begin(), node->versions().end(),
                   std::back_inserter(found.versions),
                   [&](std::uint64_t version) { return version < first_version; });
    }
  }
  return found;
}

/// Throws GraphError if the result comes from an operation that the first run did not use.
inline void check_same_dependencies(const std::shared_ptr<Node>& result,
                                    const std::vector<std::shared_ptr<Node>>& handles,
                                    const std::vector<std::shared_ptr<Node>>& known,
                                    std::uint64_t first_node) {
  for (const auto& node : find_dependencies(result, handles, first_node, 0).nodes) {
    if (node->is_leaf() || std::find(known.begin(), known.end(), node) != known.end()) continue;
    throw GraphError(message("checkpoint: the function used a result of ", node->name(), " ",
                             node->shape(),
                             " that it had not used when it was first called; it "
                             "must do the same every time, so capture Variables by value"));
  }
}

/// The public checkpoint(), under the name of an operation.
template <class T, class Device, class Function>
auto checkpoint(const char* name, const Function& function,
                const std::vector<Variable<T, Device>>& inputs) {
  using Result = std::decay_t<decltype(function(inputs))>;
  if (!grad_enabled()) return Result(function(inputs));
  const std::uint64_t first_version = Storage::next_version();
  const std::uint64_t first_node = Node::next_number();
  Inputs all(name, inputs);
  Result value;  // without its place on the tape
  std::vector<std::shared_ptr<Node>> outside;
  Versions versions;
  std::vector<RandomEntry> randoms;
  {
    std::vector<Variable<T, Device>> handles;
    for (const auto& input : inputs) handles.push_back(handle_to(input, name));
    const RandomJournal journal;
    const ReadJournal reads;
    const Result result = function(handles);
    auto found = find_dependencies(result.node(), nodes_of(handles), first_node, first_version);
    value = result.detach();
    outside = std::move(found.nodes);
    versions = std::move(found.versions);
    versions.insert(versions.end(), reads.versions().begin(), reads.versions().end());
    randoms = journal.entries();
  }
  for (const auto& node : outside) all.nodes.push_back(node->requires_grad() ? node : nullptr);
  const auto is_constant = [](const auto& node) { return node == nullptr; };
  if (std::all_of(all.nodes.begin(), all.nodes.end(), is_constant)) return value;

  auto gradient = [function, inputs, outside, randoms,
                   thread = std::this_thread::get_id()](const auto& ctx) {
    // A pass that is itself recorded goes on from here to what the inputs came from.
    const bool create_graph = grad_enabled();
    const GradMode recording(true);
    const std::uint64_t first = Node::next_number();
    std::vector<Variable<T, Device>> handles;
    std::vector<std::shared_ptr<Node>> ends;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool differentiated = ctx.needs(i) || (create_graph && inputs[i].requires_grad());
      handles.push_back(differentiated ? handle_to(inputs[i]) : inputs[i].detach());
      ends.push_back(ctx.needs(i) ? handles[i].node() : nullptr);
    }
    for (std::size_t i = 0; i < outside.size(); ++i) {
      ends.push_back(ctx.needs(ends.size()) ? outside[i] : nullptr);
    }
    const Result result = [&] {
      const RandomReplay replay(randoms);
      Result again = function(handles);
      if (!replay.is_same()) {
        throw GraphError(message(
            "checkpoint: the function used other random numbers than when it was first called; it "
            "must do the same every time, so ",
            thread == std::this_thread::get_id()
                ? "change a module's mode after the backward pass"
                : "give it a Random of its own: default_random() is another in this thread"));
      }
      return again;
    }();
    check_same_dependencies(result.node(), nodes_of(handles), outside, first);
    if (result.shape() != ctx.gradient().shape()) {
      throw GraphError(message("checkpoint: the function gave ", ctx.gradient().shape(),
                               " and now ", result.shape(),
                               "; it must do the same every time it is called"));
    }
    const std::vector<Start> start{{result.node(), ctx.gradient()}};
    auto gradients = gradients_at(ends, start, {.create_graph = create_graph}, true);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (!ctx.needs(i) || gradients[i].defined()) continue;
      gradients[i] = ends[i]->type().zeros(ends[i]->shape());
    }
    return gradients;
  };
  return record_inputs(name, value.value(), std::move(all), std::move(gradient), versions);
}

}  // namespace detail

/// function(inputs), of which only the inputs are kept: what its gradient needs is computed again
/// when it is asked for, which takes time and saves memory (Chen et al., "Training deep nets with
/// sublinear memory cost", 2016).
///
/// `function` takes a vector of Variables and returns one, of any element type and device. It is
/// called again in every backward pass, so what it refers to must live until then, and must do the
/// same again: every Random that it uses gives it the same numbers, and everyone else those that
/// would have come without it. Gradients reach the inputs and all else that it uses, such as the
/// parameters of a layer. The pass throws GraphError where a value that is read again has been
/// changed in place, where other Variables or random numbers are used than before, or where the
/// result has another shape.
///
///     auto y = checkpoint([&](const auto& in) { return block(in[0]); }, {x});
template <class T, class Device, class Function>
auto checkpoint(const Function& function, const std::vector<Variable<T, Device>>& inputs) {
  return detail::checkpoint("checkpoint", function, inputs);
}

template <class T, class Device, class Function>
auto checkpoint(const Function& function, std::initializer_list<Variable<T, Device>> inputs) {
  return checkpoint(function, std::vector<Variable<T, Device>>(inputs));
}

}  // namespace sfumato
