// The examples in one program, `all_examples NAME ARGUMENTS…`, as the library takes a compiler
// longer than any of them.

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/find_weights.hpp"
#include "sfumato/io/image.hpp"
#include "sfumato/io/npz.hpp"
#include "sfumato/sfumato.hpp"
#include "sfumato/style/pictures.hpp"
#include "sfumato/style/weights.hpp"

namespace custom_op {
#include "examples/custom_op.cpp"
}
namespace deep_dream {
#include "examples/deep_dream.cpp"
}
namespace digits {
#include "examples/digits.cpp"
}
namespace explain {
#include "examples/explain.cpp"
}
namespace hello_gradient {
#include "examples/hello_gradient.cpp"
}
namespace linear_regression {
#include "examples/linear_regression.cpp"
}
namespace micro {
#include "examples/micro.cpp"
}
namespace newton {
#include "examples/newton.cpp"
}
namespace style_transfer {
#include "examples/style_transfer.cpp"
}
namespace texture {
#include "examples/texture.cpp"
}
namespace xor_example {
#include "examples/xor.cpp"
}

int main(int argc, char** argv) {
  const auto plain = [](int (*example)()) { return [example](int, char**) { return example(); }; };
  const std::map<std::string, std::function<int(int, char**)>> examples{
      {"custom_op", plain(custom_op::main)},
      {"deep_dream", deep_dream::main},
      {"digits", digits::main},
      {"explain", explain::main},
      {"hello_gradient", plain(hello_gradient::main)},
      {"linear_regression", plain(linear_regression::main)},
      {"micro", plain(micro::main)},
      {"newton", plain(newton::main)},
      {"style_transfer", style_transfer::main},
      {"texture", texture::main},
      {"xor", plain(xor_example::main)}};
  const auto found = argc > 1 ? examples.find(argv[1]) : examples.end();
  if (found == examples.end()) {
    std::fputs("usage: all_examples NAME ARGUMENTS...\n", stderr);
    return 2;
  }
  return found->second(argc - 1, argv + 1);
}
