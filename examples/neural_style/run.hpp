#pragma once

#include <algorithm>
#include <concepts>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "../find_weights.hpp"
#include "arguments.hpp"
#include "checkpoint.hpp"
#include "device.hpp"
#include "film.hpp"
#include "gpu.hpp"
#include "grid.hpp"
#include "jobs.hpp"
#include "memory.hpp"
#include "memory_plan.hpp"
#include "onlooker.hpp"
#include "outputs.hpp"
#include "paint.hpp"
#include "record.hpp"
#include "repeat.hpp"
#include "reporter.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/loss_scales.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"
#include "signals.hpp"
#include "sources.hpp"
#include "stages.hpp"
#include "studio.hpp"
#include "watch.hpp"

namespace neural_style {

/// The path of the weights, having said which they are.
inline std::filesystem::path choose_weights(const Arguments& a, const char* program,
                                            const Reporter& report) {
  std::filesystem::path path = examples::find_weights(a.weights, program);
  report.say("weights %s%s\n", path.c_str(),
             path.filename() == examples::kSlimWeights && a.weights.empty()
                 ? " (the slim network; weights/fetch.sh gets the full one, which paints better)"
                 : "");
  return path;
}

/// Saves what there is of a run and says so. `trouble` is why it ended before its end, or nothing.
/// Returns the exit status.
template <class Device>
int finish(const Arguments& a, Painting<Device>& painting, std::string trouble,
           const Reporter& report, Watch& watch) {
  const int signal = interrupted;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) trouble += (trouble.empty() ? "" : "; ") + text;
  };
  if (painting.picture.defined()) {
    const HoldSignals whole_files;
    interrupted = 0;  // a signal that comes now is too late to end anything early
    const std::string outcome = !trouble.empty() ? trouble : signal != 0 ? "interrupted" : "done";
    const auto pixels = painting.pixels(a);
    std::map<std::string, std::string> texts;
    if (trouble.empty() && painting.record.valid() && !a.no_metadata) {
      try {
        Record record = painting.record.get();
        record.stopped_after = signal == 0 ? a.stopped_after : painting.iterations;
        texts[kRecordKeyword] = to_json(record);
      } catch (const sfumato::IoError& error) {
        add(sfumato::message("the picture can't carry how it was painted: ", error.what()));
      }
    }
    const std::string failure = write_picture(a.output, painting.written(pixels), texts);
    if (failure.empty() && !trouble.empty()) {
      add(sfumato::message("wrote the last good picture to ", a.output));
    }
    add(failure);
    try {
      if (!a.losses.empty()) write_losses(a.losses, painting.history);
    } catch (const sfumato::IoError& error) {
      add(error.what());
    }
    add(watch.finish(pixels, outcome));
  }
  add(painting.trouble);
  if (const std::error_code failure = report.failure()) {
    add(sfumato::message("the reports could not be written: ", failure.message()));
  }
  if (!trouble.empty()) {
    report.end_line();
    watch.tell(trouble);
    std::fprintf(stderr, "neural_style: %s\n", sfumato::printable(trouble).c_str());
    return 1;
  }
  if (signal == SIGPIPE) {
    std::fprintf(stderr, "neural_style: nobody reads the reports; wrote what there is to %s\n",
                 sfumato::printable(a.output).c_str());
  } else {
    report.say("%s%s\n", signal != 0 ? "interrupted; wrote what there is to " : "wrote ",
               a.output.c_str());
    if (!a.repeats.empty()) report.say("%s\n", comparison(a.repeats, a.output).c_str());
  }
  if (!painting.warning.empty()) {
    std::fprintf(stderr, "neural_style: warning: %s\n", painting.warning.c_str());
  }
  if (signal != 0) return kBySignal + signal;
  if (!a.transfer.until_loss || painting.reached) return 0;
  std::fprintf(stderr,
               "neural_style: the loss did not come to --until-loss %s in %lld iterations\n",
               detail::show_number(*a.transfer.until_loss).c_str(),
               static_cast<long long>(painting.history.back().number));
  return kNotReached;
}

/// Reads everything, checks it and paints. `painting` is as paint() leaves it, also when this
/// throws.
template <class Device, class Stored>
void load_and_paint(const Arguments& a, Loaded<Device, Stored>& loaded, const Reporter& report,
                    Watch& watch, Painting<Device>& painting) {
  using namespace sfumato;
  const std::filesystem::path& weights = loaded.weights;
  if (a.threads) set_thread_count(*a.threads);
  const bool keeps = !a.checkpoint.empty() || !a.resume.empty();
  const Sources sources = read_sources(a, report);
  std::vector<Stage> stages = plan_stages(a, sources.content.shape());
  if (painting.kept) {
    std::erase_if(stages, [](const Stage& stage) { return stage.anew; });
    stages.erase(stages.begin(), stages.end() - 1);
    stages[0].goes_on = false;
  }
  {
    const HoldSignals no_file_is_left_behind;
    check_outputs(a, weights, stages.size());
  }
  const std::vector<std::string> layers = style::layers_of(a.transfer.objective);
  if (!loaded.has(layers, a.network)) {
    if (loaded.styles && !(loaded.options == a.network)) loaded.styles->clear();
    loaded.network.reset();
    loaded.scales = sfumato::style::loss_scales_of(weights);
    loaded.network.emplace(
        sfumato::style::load_vgg<Stored, Device>(weights, examples::print_note, a.network));
    loaded.options = a.network;
    loaded.network->forget_behind(style::deepest_layer(*loaded.network, layers));
  }
  auto& network = *loaded.network;
  const std::int64_t least_side = style::deepest_pixel(network, a.transfer.objective);
  for (const Stage& stage : stages) refuse_thin(stage, least_side);

  const std::size_t free = loaded.styles ? loaded.styles->most_bytes() - loaded.styles->bytes() : 0;
  const std::int64_t tile =
      plan_memory(a, network, sources, report, static_cast<double>(free), stages);
  if (keeps || (!a.no_metadata && io::detail::image_extension(a.output) == ".png")) {
    // Beside the painting, as a large network takes seconds.
    painting.record = std::async([a, weights, tile] {
      Record record = record_for(a, weights);
      if (tile > 0 && !a.tile) record.options.push_back({"--tile", std::to_string(tile)});
      return record;
    });
  }

  check_frames(a, weights, stages);
  Position<Device> from;
  if (!a.resume.empty()) {
    from = read_checkpoint<Device>(a.resume, painting.record.get());
    if (from.stage < 1 || from.stage > stages.size()) {
      throw IoError(message(a.resume, ": there is no stage ", from.stage));
    }
  }
  watch.begin(stages, weights, sources);
  if (!a.resume.empty()) {
    report.say("resumed after iteration %lld of stage %lld\n",
               static_cast<long long>(from.state.iterations), static_cast<long long>(from.stage));
  }
  begin_painting();
  try {
    paint(a, stages, loaded, sources, report, watch, std::move(from), painting);
  } catch (const ValueError& error) {
    if (a.resume.empty()) throw;
    throw IoError(message(a.resume, ": ", error.what()));
  }
}

/// Paints one picture; `kept` is what it is to keep of the last frame of a film. Returns the exit
/// status.
template <class Device, class Stored>
int paint_one(const Arguments& a, Loaded<Device, Stored>& loaded, const Reporter& report,
              const std::optional<sfumato::Tensor<float>>& kept = {},
              Onlooker* onlooker = nullptr) {
  using namespace sfumato;
  Watch watch(a, report, onlooker);
  Painting<Device> painting;
  painting.kept = kept;
  std::string trouble;
  try {
    load_and_paint(a, loaded, report, watch, painting);
  } catch (const style::DivergenceError<float, Device>& error) {
    painting.add(error.result);
    trouble = error.what();
  } catch (const ResourceError& error) {
    trouble = message(error.what(), "; ", memory_remedy(a, usable_processors()));
  } catch (const std::bad_alloc&) {
    trouble = message("there is no more memory; ", memory_remedy(a, usable_processors()));
  }
  const int status = finish(a, painting, trouble, report, watch);
  const std::string failure = watch.end(status);
  if (failure.empty()) return status;
  std::fprintf(stderr, "neural_style: %s\n", failure.c_str());
  return status == 0 ? 1 : status;
}

/// Paints what a job asks for, unless it is done already; then there is nothing returned. Else it
/// is the exit status, having said whose it is if there is no picture.
template <class Device, class Stored>
std::optional<int> paint_job(const Arguments& all, const Job& job, Loaded<Device, Stored>& loaded) {
  const Arguments& a = job.arguments;
  const Reporter report(a);
  int status = 1;
  std::string why;
  try {
    const std::string mark = done_mark(a, loaded.weights);
    if (is_done(a.output, mark)) {
      report.say("line %zu: %s is done\n", job.line, a.output.c_str());
      return std::nullopt;
    }
    report.say("line %zu: %s\n", job.line, a.output.c_str());
    status = paint_one(a, loaded, report);
    const HoldSignals whole_file;
    if (has_painted(status)) {
      sfumato::io::write_file_atomically(done_path(a.output), mark);
      return status;
    }
  } catch (const std::exception& error) {
    why = std::string(": ") + error.what();
    status = 1;
  }
  const std::string what =
      sfumato::message(all.jobs, ", line ", job.line, ": ", a.output, " is not done", why);
  std::fprintf(stderr, "neural_style: %s\n", sfumato::printable(what).c_str());
  return std::max(status, 1);
}

/// Paints this part of the jobs, one after the other, with one network. Returns the exit status: 1
/// if some failed, else 3 if some have not come to their --until-loss.
template <class Device, class Stored>
int paint_jobs(const Arguments& a, Loaded<Device, Stored>& loaded, const Reporter& report) {
  const std::vector<Job> jobs = read_jobs(a);
  std::size_t painted = 0;
  std::size_t before = 0;
  std::size_t failed = 0;
  int status = 0;
  int worst = 0;
  for (std::size_t i = 0; i < jobs.size() && status <= kBySignal; ++i) {
    if (static_cast<std::int64_t>(i) % a.shard.of != a.shard.number - 1) continue;
    const std::optional<int> result = paint_job(a, jobs[i], loaded);
    if (!result) ++before;
    if (result && has_painted(*result)) {
      ++painted;
      worst = std::max(worst, *result);
    } else if (result) {
      ++failed;
    }
    if (result.value_or(0) > kBySignal) status = *result;
    if (interrupted != 0) status = kBySignal + interrupted;
  }
  report.say("%lld style pictures looked at, %lld known\n",
             static_cast<long long>(loaded.styles->computed()),
             static_cast<long long>(loaded.styles->found()));
  report.say("%zu painted, %zu done before, %zu failed\n", painted, before, failed);
  return status != 0 ? status : failed > 0 ? 1 : worst;
}

/// A picture of a grid. Throws Error where there is none.
template <class Device, class Stored>
sfumato::Tensor<std::uint8_t> paint_small(const Arguments& a, Loaded<Device, Stored>& loaded) {
  const Reporter nothing(a);
  Watch watch(a, nothing);
  Painting<Device> painting;
  load_and_paint(a, loaded, nothing, watch, painting);
  return painting.pixels(a);
}

/// Everything but reading the command line, on one device and with a network of Stored. Returns the
/// exit status.
template <class Device, class Stored>
int run(const Arguments& a, const char* program) {
  const Reporter report(a);
  Loaded<Device, Stored> loaded;
  loaded.weights = choose_weights(a, program, report);
  const bool many = !a.jobs.empty() || !a.film.empty() || !a.grid.empty() || a.studio;
  if (many) {
    using Cache = sfumato::style::StyleCache<float, Device>;
    loaded.styles = std::make_shared<Cache>(bytes_to_share(a));
  }
  if (!a.film.empty()) {
    return paint_film(a, loaded.weights, report, [&](const Arguments& frame, const auto& kept) {
      return paint_one(frame, loaded, report, kept);
    });
  }
#ifdef SFUMATO_WITH_STUDIO
  if (a.studio) {
    return serve_studio(a, [&](const Arguments& job, Onlooker& onlooker) {
      return paint_one(job, loaded, Reporter(job), {}, &onlooker);
    });
  }
#endif
  if (!a.grid.empty()) {
    return paint_grid(a, report,
                      [&](const Arguments& small) { return paint_small(small, loaded); });
  }
  return a.jobs.empty() ? paint_one(a, loaded, report) : paint_jobs(a, loaded, report);
}

template <class Device>
int run(const Arguments& a, const char* program) {
  return a.precision == "bf16" ? run<Device, sfumato::BFloat16>(a, program)
                               : run<Device, float>(a, program);
}

/// Runs where --device says. Returns the exit status.
inline int run_on_device(const Arguments& a, const char* program) {
  const std::optional<int> gpu = choose_gpu(a.device);
  if (gpu) return gpu_half().run(a, program, *gpu);
  return run<sfumato::Cpu>(a, program);
}

}  // namespace neural_style
