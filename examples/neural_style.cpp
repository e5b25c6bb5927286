// Neural style transfer: a picture with the content of one image and the style of another.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "neural_style/arguments.hpp"
#include "neural_style/options.hpp"
#include "neural_style/run.hpp"
#include "neural_style/signals.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/threads.hpp"

namespace {

using namespace neural_style;

/// Reads the command line and runs. Returns the exit status: 2 for bad arguments, 1 for bad files.
int run_program(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Neural style transfer (Gatys, Ecker and Bethge, 2016) with VGG-19.",
               "neural_style");
  try {
    add_options(app, arguments);
    app.parse(argc, argv);
    if (arguments.size && (arguments.height || arguments.width)) {
      throw CLI::ValidationError("--size does not go with --height or --width");
    }
    if (!arguments.preset.empty() && (arguments.size || arguments.height || arguments.width)) {
      throw CLI::ValidationError("--preset sets the sizes itself");
    }
    if (arguments.memory == "low" && arguments.precision != "float32") {
      throw CLI::ValidationError("--memory low goes with --precision float32 only");
    }
    arguments.transfer.objective.low_memory = arguments.memory == "low";
    if (arguments.threads > 0) sfumato::set_thread_count(arguments.threads);
    catch_signals();
    return run_on_device(arguments, argv[0]);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "neural_style: %s; see --help\n", error.what());
    return 2;
  } catch (const sfumato::ValueError& error) {
    std::fprintf(stderr, "neural_style: %s\n", error.what());
    return 2;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "neural_style: %s\n", error.what());
    return 1;
  }
}
