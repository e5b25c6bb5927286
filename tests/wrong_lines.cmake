# A line that somebody gets wrong is answered in fewer than 40 lines, and a line that is right without its
# template arguments compiles. Each is compiled alone; a precompiled header makes that quick.
# Run as: cmake -D CXX=... -D EIGEN=folder[;folder] -D SCRATCH=folder -P wrong_lines.cmake
cmake_minimum_required(VERSION 3.22)
get_filename_component(include "${CMAKE_CURRENT_LIST_DIR}/../include" ABSOLUTE)
list(TRANSFORM EIGEN PREPEND "-isystem")
set(most 39)

# What the compiler says of a file, in `output`, and whether it took it, in `status`.
macro(compile standard)
  execute_process(COMMAND "${CXX}" -std=${standard} "-I${include}" ${EIGEN} ${ARGN}
    WORKING_DIRECTORY "${SCRATCH}" RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
endmacro()

function(try line)
  file(WRITE "${SCRATCH}/line.cpp" "int main() {\n  ${line}\n}\n")
  compile(c++20 -fsyntax-only -Wall -Wextra -Wno-unused-variable -include all.hpp line.cpp)
  string(REGEX MATCHALL "\n" lines "${output}")
  list(LENGTH lines count)
  set(count ${count} PARENT_SCOPE)
  set(status ${status} PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(wrong line)
  try("${line}")
  if(status EQUAL 0)
    message(SEND_ERROR "this compiles: ${line}")
  elseif(count GREATER most)
    message(SEND_ERROR "${count} lines for: ${line}\n${output}")
  else()
    message(STATUS "${count} lines for: ${line}")
  endif()
endfunction()

function(right line)
  try("${line}")
  if(NOT status EQUAL 0 OR NOT count EQUAL 0)
    message(SEND_ERROR "this should compile: ${line}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
file(WRITE "${SCRATCH}/all.hpp" "#include <sfumato/sfumato.hpp>
using namespace sfumato;
inline Random random_(1);
inline const Variable<float> x(Tensor<float>::zeros({2, 3}), true);
inline Tensor<float> tensor = Tensor<float>::zeros({2, 3});
inline nn::Linear<float> linear(2, 3, random_);
inline nn::Sequential<float> model{nn::Linear<float>(2, 16, random_), nn::ReLU<float>()};
")
if(NOT CXX MATCHES "clang")
  compile(c++20 -Wall -Wextra -x c++-header all.hpp -o all.hpp.gch)
else()
  compile(c++20 -Wall -Wextra -x c++-header all.hpp -o all.hpp.pch)
endif()
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${output}")
endif()

# Template arguments that were forgotten: what can be meant is float on the CPU, or what the arguments are.
right("nn::Linear layer(2, 3, random_); static_assert(std::same_as<decltype(layer), nn::Linear<float>>);")
right("nn::Conv2d layer(3, 16, 3, random_); nn::ReLU relu; nn::MaxPool2d pool; nn::BatchNorm2d norm(16);")
right("Variable y; y = x; Tensor t; t = tensor;")
right("Variable y(Tensor<double>::zeros({2})); static_assert(std::same_as<decltype(y), Variable<double>>);")
right("nn::Sequential m{nn::Linear(2, 3, random_), nn::ReLU()}; x + m(x);")
right("nn::Sequential m{nn::ReLU<double>()}; static_assert(std::same_as<decltype(m), nn::Sequential<double>>);")
right("nn::Sequential m{std::make_shared<nn::ReLU<float>>(), std::make_shared<nn::ReLU<float>>()}; x + m(x);")
right("optim::Adam adam(model.parameters());")
right("optim::SGD sgd(model.parameters(), {.learning_rate = 0.1});")
right("model.push_back(nn::ReLU<float>());")
right("x + 1; 1 - x; x * 0.5;")
wrong("Tensor t = Tensor::zeros({2});")
wrong("Variable<float> y(Tensor::zeros({2}));")
wrong("Tensor<bool> t;")

# Layers, models and pointers to them.
wrong("model.push_back(linear);")
wrong("model.push_back(&linear);")
wrong("model.push_back(nn::ReLU<double>());")
wrong("nn::Sequential<float> m{linear, nn::ReLU<float>()};")
wrong("nn::Sequential<float> m{&linear, nn::ReLU<float>()};")
wrong("nn::Sequential m{linear, nn::ReLU()};")
wrong("nn::Sequential<float> m{nn::Linear<double>(2, 3, random_), nn::ReLU<float>()};")
wrong("auto copy = linear;")
wrong("model.load_state_dict(model);")
wrong("optim::Adam<float> adam(model);")
wrong("optim::Adam adam(model);")
wrong("optim::Adam<float> adam(model.parameters(), 0.1);")
wrong("optim::Adam<double> adam(model.parameters());")

# Tensors where Variables are wanted, and the other way round; other types.
wrong("x + \"text\";")
wrong("std::string(\"text\") * tensor;")
wrong("x / std::vector<float>{1};")
wrong("tensor - nullptr;")
wrong("ops::sum(tensor);")
wrong("x[0] = x[1];")
wrong("x[0] += x[1];")
wrong("tensor[0] = tensor[1];")
wrong("ops::relu(tensor);")
wrong("(tensor > 0).mean();")
wrong("ops::matmul(x, tensor);")
wrong("ops::conv2d(x, x, tensor);")
wrong("ops::reshape(x, 2, 3);")
wrong("model(tensor);")
wrong("backward(tensor);")
wrong("losses::cross_entropy(x, tensor);")

# Another language: one #error, and nothing that follows from it.
file(WRITE "${SCRATCH}/old.cpp" "#include <sfumato/sfumato.hpp>\nusing namespace sfumato;\nVariable<float> x;\n")
compile(c++17 -fsyntax-only old.cpp)
string(REGEX MATCHALL "error:" errors "${output}")
list(LENGTH errors count)
if(NOT output MATCHES "written in C\\+\\+20: compile with -std=c\\+\\+20" OR count GREATER 2)
  message(SEND_ERROR "of C++17 the compiler says:\n${output}")
endif()
file(REMOVE_RECURSE "${SCRATCH}")
