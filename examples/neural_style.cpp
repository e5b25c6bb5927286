// Neural style transfer: a picture with the content of one image and the style of another.

#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string>

#include "neural_style/answers.hpp"
#include "neural_style/arguments.hpp"
#include "neural_style/memory.hpp"
#include "neural_style/outputs.hpp"
#include "neural_style/parse.hpp"
#include "neural_style/repeat.hpp"
#include "neural_style/run.hpp"
#include "neural_style/signals.hpp"
#include "neural_style/studio.hpp"
#include "sfumato/core/error.hpp"

namespace {

/// Reads the command line and runs. Returns the exit status.
int run_program(std::span<char* const> words) {
  using namespace neural_style;
  const std::string program = words.empty() ? "" : words[0];
  words = words.subspan(words.empty() ? 0 : 1);
  const std::string command = words.empty() ? "" : words[0];
  Arguments arguments = command == "repeat"   ? parse_repeat(words.subspan(1), program)
                        : command == "studio" ? parse_studio(words.subspan(1))
                                              : parse(words);
  if (!arguments.answer.empty()) {
    const std::string answer = answer_to(arguments);
    const bool said = std::fputs(answer.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    return said ? 0 : 1;
  }
  if (arguments.output.empty() && arguments.jobs.empty() && !arguments.studio) {
    const char* const ending = arguments.grid.empty() ? ".png" : "-grid.png";
    arguments.output = arguments.film.empty()
                           ? free_output(arguments.content, arguments.styles, ending)
                           : free_output(arguments.film, arguments.styles, ".mp4");
  }
  if (arguments.studio) {
    block_signals();
  } else {
    catch_signals();
  }
  return run_on_device(arguments, program.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    neural_style::open_standard_streams();
    neural_style::give_back_large_blocks();
    return run_program({argv, static_cast<std::size_t>(argc)});
  } catch (const sfumato::ValueError& error) {
    std::fprintf(stderr, "neural_style: %s\n", error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fputs("neural_style: there is no more memory; take a smaller --size\n", stderr);
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "neural_style: %s\n", error.what());
    return 1;
  }
}
