# include/single_header.py makes one file of the headers, which serves a program of two files that has nothing else.
# Run as: cmake -D PYTHON=... -D CXX=... -D EIGEN=folder -D SCRATCH=folder -P single_header.cmake
cmake_minimum_required(VERSION 3.22)
get_filename_component(source "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}/sfumato")
file(WRITE "${SCRATCH}/other.cpp" "#include <sfumato/sfumato.hpp>\nsfumato::Tensor<float> unused;\n")
execute_process(COMMAND "${PYTHON}" "${source}/include/single_header.py"
  OUTPUT_FILE "${SCRATCH}/sfumato/sfumato.hpp" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CXX}" -std=c++20 -pthread -Wall -Wextra -Wconversion -Wsign-conversion -Werror
  "-I${SCRATCH}" "-I${EIGEN}" "${source}/tests/consumer/core.cpp" "${SCRATCH}/other.cpp" -o "${SCRATCH}/core"
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${SCRATCH}/core" COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE_RECURSE "${SCRATCH}")
