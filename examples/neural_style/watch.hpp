#pragma once

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "chart.hpp"
#include "curves.hpp"
#include "display.hpp"
#include "environment.hpp"
#include "frames.hpp"
#include "memory.hpp"
#include "onlooker.hpp"
#include "options.hpp"
#include "page.hpp"
#include "reporter.hpp"
#include "run_log.hpp"
#include "settings.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/tensor.hpp"
#include "sfumato/core/version.hpp"
#include "sfumato/io/file.hpp"
#include "sfumato/io/sha256.hpp"
#include "sfumato/style/pictures.hpp"
#include "signals.hpp"
#include "sources.hpp"
#include "stages.hpp"

namespace neural_style {

namespace detail {

/// "2026-11-29 17:12:05 UTC".
inline std::string readable_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

/// The values of the options that have a part in the run, and where each comes from.
inline std::vector<PageRow> settings_of(const Arguments& a) {
  const Arguments defaults;
  const char* const named =
      a.preset.empty() ? "by --method" : "by --preset";  // sets other defaults
  std::vector<PageRow> rows;
  for (const Option& option : options()) {
    const std::string value = option.value.show(a);
    const bool given = is_given(a.given, option.name);
    // STYLE has the value of all.
    if (value.empty() || has_no_part(option, a) || option.name == "--style") continue;
    rows.push_back({option.name, value,
                    given                                  ? "given"
                    : value != option.value.show(defaults) ? named
                                                           : "default"});
  }
  return rows;
}

/// The words that set what was given, as a shell takes them.
inline std::string command_of(const Settings& given) {
  std::string command = "neural_style";
  std::string pictures;
  bool dashed = false;
  for (const Setting& setting : given) {
    const Option& option = *find_option(setting.option);
    if (option.is_positional()) {
      dashed = dashed || setting.text.starts_with('-');
      pictures += " " + shell_word(setting.text);
    } else {
      command += " " + option.name + (option.is_flag() ? "" : " " + shell_word(setting.text));
    }
  }
  if (dashed) command += " --";
  return command + pictures;
}

}  // namespace detail

/// Looks on while a picture is painted: shows it on the terminal, keeps the log, and collects what
/// drawings, animations and reports need.
class Watch {
 public:
  Watch(const Arguments& a, const Reporter& report, Onlooker* onlooker = nullptr)
      : a_(a), report_(report), onlooker_(onlooker) {}

  /// Everything is loaded.
  void begin(const std::vector<Stage>& stages, const std::filesystem::path& weights,
             const Sources& sources) {
    std::int64_t iterations = 0;
    for (const Stage& stage : stages) {
      iterations += stage.transfer.iterations;
      work_.push_back(static_cast<double>(stage.size.height) *
                      static_cast<double>(stage.size.width) *
                      static_cast<double>(stage.transfer.iterations));
    }
    iterations_ = iterations;
    weights_ = weights;
    sources_ = sources;
    frames_.plan(a_, iterations, stages.back().size);
    // Beside the painting, as a large network takes seconds.
    if (!a_.report.empty()) {
      hash_ = std::async([weights] { return sfumato::io::sha256_of_file(weights); });
    }
    if (a_.log.empty()) return;
    log_.open(a_.log);
    nlohmann::ordered_json event{{"event", "start"},
                                 {"time", detail::readable_now()},
                                 {"sfumato", SFUMATO_VERSION},
                                 {"weights", weights.string()}};
    for (const PageRow& row : detail::settings_of(a_)) event["settings"][row.name] = row.value;
    log_.write(event);
  }

  /// A stage begins behind so many iterations, with what `pixels` returns.
  template <class Pixels>
  void begin_stage(std::size_t number, const Stage& stage, std::int64_t iterations,
                   const Pixels& pixels) {
    standing_.stages = work_.size();
    standing_.stage = number;
    standing_.last = stage.transfer.iterations;
    overall_ = iterations;
    count_ = 0;
    clock_ = Clock::now();
    if (overall_ == 0 && frames_.wants(0)) {
      frames_.add(0, pixels(), std::identity{});
    } else if (overall_ > 0) {
      curves_.stages.push_back(overall_);
      terms_.stages.push_back(overall_);
    }
    report_.say("%lld x %lld, %lld iterations\n", static_cast<long long>(stage.size.height),
                static_cast<long long>(stage.size.width), static_cast<long long>(standing_.last));
  }

  /// The stage goes on where another run ended, with losses in it or in those before.
  void resume(std::int64_t iterations, const std::vector<sfumato::style::Iteration>& in_stage,
              const std::vector<sfumato::style::Iteration>& before) {
    overall_ = iterations;
    const auto& history = in_stage.empty() ? before : in_stage;
    if (!history.empty()) last_ = history.back();
  }

  /// An iteration is done, a style::Moment, the so manieth of all stages. `pixels` returns what
  /// there is to be seen, `written` what files hold of that.
  template <class Moment, class Pixels, class Written>
  void operator()(const Moment& now, std::int64_t iterations, const Pixels& pixels,
                  const Written& written) {
    overall_ = iterations;
    stand(now.number);
    show(now);
    if (now.has_losses) {
      curves_.add(overall_, now.losses);
      terms_.add(overall_, now.terms);
      last_ = now;
      nlohmann::ordered_json event{{"event", "iteration"},
                                   {"stage", standing_.stage},
                                   {"iteration", now.number},
                                   {"of", standing_.last}};
      for (const auto& [kind, loss] : now.losses) event[kind] = loss;
      event["total"] = now.total;
      event["seconds"] = now.seconds;
      event["memory"] = static_cast<std::int64_t>(standing_.memory);
      log_.write(event);
    }
    if (frames_.wants(overall_)) frames_.add(overall_, pixels(), written);
    if (onlooker_ == nullptr) return;
    if (const int signal = onlooker_->see(standing_, pixels)) interrupted = signal;
  }

  /// The run ended before its end.
  void tell(const std::string& trouble) const {
    if (onlooker_ != nullptr) onlooker_->hear(trouble);
  }

  /// Writes what there is to be told of a picture. Returns what went wrong, or nothing.
  std::string finish(const sfumato::Tensor<std::uint8_t>& pixels, const std::string& outcome) {
    std::string trouble = frames_.finish(overall_, pixels);
    const auto attempt = [&](const auto& action) {
      try {
        action();
      } catch (const sfumato::Error& error) {
        trouble += (trouble.empty() ? "" : "; ") + std::string(error.what());
      }
    };
    if (!a_.plot.empty()) {
      attempt([&] { sfumato::io::write_file_atomically(a_.plot, chart_file(curves_)); });
    }
    if (!a_.report.empty()) {
      attempt([&] {
        const Page all = page(pixels, outcome, hash_.get());
        sfumato::io::write_file_atomically(a_.report, html(all));
      });
    }
    return trouble;
  }

  /// Writes the last line of the log. Returns why not all of it could be written, or nothing.
  std::string end(int status) {
    log_.write({{"event", "end"}, {"time", detail::readable_now()}, {"status", status}});
    const std::error_code failure = log_.failure();
    return failure ? "--log " + a_.log + " could not be written: " + failure.message() : "";
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  void stand(std::int64_t iteration) {
    standing_.iteration = iteration;
    // The first has prepared what the others use.
    if (count_++ == 0) {
      standing_.each = since(clock_);
      clock_ = Clock::now();
    } else {
      standing_.each = since(clock_) / static_cast<double>(count_ - 1);
    }
    const double last = static_cast<double>(standing_.last);
    const double own = work_[standing_.stage - 1];
    double all = 0.0;
    double done = own * static_cast<double>(iteration) / last;
    for (std::size_t i = 0; i < work_.size(); ++i) {
      all += work_[i];
      if (i + 1 < standing_.stage) done += work_[i];
    }
    standing_.done = done / all;
    standing_.left = standing_.each * last * (all - done) / own;
    standing_.memory = memory_in_use();
  }

  void show(const sfumato::style::Iteration& now) {
    if (report_.is_live()) {
      constexpr double kOften = 0.1;
      const bool last = now.number == standing_.last;
      if (!last && drawn_ > Clock::time_point{} && since(drawn_) < kOften) return;
      report_.draw(display(standing_, now, report_.columns()));
      drawn_ = Clock::now();
    } else if (now.number % a_.report_every == 0 || now.number == standing_.last) {
      report_.say(plain_line(standing_, now).c_str());
    }
  }

  Page page(const sfumato::Tensor<std::uint8_t>& pixels, const std::string& outcome,
            const std::string& hash) const {
    constexpr std::int64_t kLargeResult = 1600;
    constexpr std::int64_t kLargeInput = 640;
    constexpr int kQuality = 90;
    const auto captioned = [](const char* what, const std::string& path,
                              const sfumato::Tensor<std::uint8_t>& picture) {
      return sfumato::message(what, std::filesystem::path(path).filename().string(), ", ",
                              picture.shape()[1], " × ", picture.shape()[0]);
    };
    const auto name = [](const std::string& path) {
      return std::filesystem::path(path).stem().string();
    };
    constexpr std::size_t kShownStyles = 12;
    const double seconds = since(started_);
    Page page;
    page.title = name(a_.content) + " in the style of ";
    page.inputs.push_back(page_picture(sources_.content, kLargeInput, kQuality,
                                       captioned("Content: ", a_.content, sources_.content)));
    for (std::size_t i = 0; i < std::min(sources_.styles.size(), kShownStyles); ++i) {
      const StyleSource& style = sources_.styles[i];
      page.title += (i == 0 ? "" : ", ") + name(style.file.path);
      const std::string what =
          style.file.weight == 1.0
              ? "Style: "
              : sfumato::message("Style, weight ", detail::show_number(style.file.weight), ": ");
      page.inputs.push_back(page_picture(style.pixels, kLargeInput, kQuality,
                                         captioned(what.c_str(), style.file.path, style.pixels)));
    }
    if (sources_.styles.size() > kShownStyles) page.title += ", …";
    page.result =
        page_picture(pixels, kLargeResult, kQuality, captioned("The result: ", a_.output, pixels));
    page.frames = frames_.reported();
    page.curves = terms_;
    page.run = {{"Outcome", outcome, ""},
                {"Painted", detail::readable_now() + ", in " + readable_time(seconds), ""},
                {"Iterations", sfumato::message(overall_, " of ", iterations_), ""},
                {"Total loss at the end", readable_loss(last_.total), ""},
                {"Memory at the peak", readable_bytes(memory_in_use()), ""},
                {"Weights", weights_.string(), ""},
                {"SHA-256 of the weights", hash, ""}};
    for (auto [what, value] : environment(a_.device)) {
      if (what != "sfumato") what[0] = static_cast<char>(std::toupper(what[0]));
      page.run.push_back({what, value, ""});
    }
    page.settings = detail::settings_of(a_);
    page.command = detail::command_of(a_.given);
    return page;
  }

  const Arguments& a_;
  const Reporter& report_;
  Onlooker* onlooker_;
  RunLog log_;
  Frames frames_;
  Standing standing_;
  Curves curves_;  // by the kind
  Curves terms_;   // by the layer
  sfumato::style::Iteration last_;
  std::filesystem::path weights_;
  std::future<std::string> hash_;  // of the weights
  Sources sources_;
  std::vector<double> work_;     // of each stage: iterations times pixels
  std::int64_t iterations_ = 0;  // of all stages
  std::int64_t overall_ = 0;     // done
  std::int64_t count_ = 0;       // of this stage, seen here
  Clock::time_point started_ = Clock::now();
  Clock::time_point clock_ = Clock::now();
  Clock::time_point drawn_{};
};

}  // namespace neural_style
