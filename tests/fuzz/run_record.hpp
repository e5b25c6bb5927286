#pragma once

#include "../../examples/neural_style/record.hpp"

namespace fuzz {

/// As of a picture that neural_style has painted.
inline neural_style::Record run_record() {
  return {{{"sfumato", "0.2.0"}, {"device", "cpu"}, {"instruction set", "avx2"}},
          {{"--size", "64"}, {"--iterations", "9"}, {"--borders", "plain"}},
          {{"CONTENT", "a.jpg", 5, "ab"}, {"STYLE", "b.png", 7, "cd"}, {"--weights", "w", 9, "ef"}},
          "0"};
}

}  // namespace fuzz
