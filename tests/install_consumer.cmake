# Installs sfumato to a scratch folder and builds and runs tests/consumer against it with the warnings of a strict
# consumer as errors: by find_package, pkg-config, with and without CMake, and add_subdirectory, also for its core.
# Run as: cmake -D BUILD=... -D SCRATCH=... -D GENERATOR=... -D CXX=... -P install_consumer.cmake
cmake_minimum_required(VERSION 3.22)

get_filename_component(source "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
set(consumer "${CMAKE_CURRENT_LIST_DIR}/consumer")
set(installed "${SCRATCH}/first prefix")
set(prefix "${SCRATCH}/prefix")
set(strict "-Wall -Wextra -Wconversion -Wsign-conversion -Werror")

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGV}")
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
endfunction()

# No file that a consumer reads may name the folders that sfumato was built from or first installed to.
function(check_no_paths)
  file(GLOB_RECURSE files "${prefix}/*.cmake" "${prefix}/*.pc")
  list(LENGTH files count)
  if(count LESS 4)
    message(FATAL_ERROR "the CMake and pkg-config packages were not installed: found only '${files}'")
  endif()
  foreach(file IN LISTS files)
    file(READ "${file}" text)
    foreach(path IN ITEMS "${source}" "${BUILD}" "${SCRATCH}")
      string(FIND "${text}" "${path}" position)
      if(NOT position EQUAL -1)
        message(SEND_ERROR "${file} names ${path}")
      endif()
    endforeach()
  endforeach()
endfunction()

# Configures, builds and runs the consumer, and checks that it was compiled with no flag of ours.
function(consume way)
  set(build "${SCRATCH}/${way}")
  file(REMOVE_RECURSE "${build}")
  run("${CMAKE_COMMAND}" -S "${consumer}" -B "${build}" -G "${GENERATOR}" -D "CMAKE_CXX_COMPILER=${CXX}"
    -D "CMAKE_CXX_FLAGS=${CXX_FLAGS} ${strict}" -D "CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
    -D CMAKE_BUILD_TYPE=Debug -D CMAKE_EXPORT_COMPILE_COMMANDS=ON -D WAY=${way} ${ARGN})
  run("${CMAKE_COMMAND}" --build "${build}")
  run("${build}/core")
  if(NOT way STREQUAL "core")
    run("${build}/consumer")
  endif()
  if(EXISTS "${build}/compile_commands.json")
    file(STRINGS "${build}/compile_commands.json" commands REGEX "\"command\".*/consumer/[a-z]*\\.cpp")
    string(REPLACE "${strict}" "" commands "${commands}")
    if(commands MATCHES " (-W[a-z]|-march|-O[1-9s])" AND NOT CXX_FLAGS MATCHES "-W|-march|-O")
      message(SEND_ERROR "the consumer (${way}) was compiled with our own flag ${CMAKE_MATCH_1}...")
    endif()
  endif()
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --config "${CONFIG}" --prefix "${installed}")
file(RENAME "${installed}" "${prefix}")  # what is installed can be moved
check_no_paths()

consume(find_package -D "CMAKE_PREFIX_PATH=${prefix}")

# The same as a package of Debian's, for /usr.
find_program(dpkg_deb dpkg-deb)
if(dpkg_deb)
  run("${CMAKE_CPACK_COMMAND}" -G DEB --config "${BUILD}/CPackConfig.cmake" -C "${CONFIG}" -B "${SCRATCH}/deb")
  file(GLOB package "${SCRATCH}/deb/*.deb")
  run("${dpkg_deb}" -x "${package}" "${SCRATCH}/deb")
  consume(find_package -D "CMAKE_PREFIX_PATH=${SCRATCH}/deb/usr")
else()
  message(STATUS "no dpkg-deb on this machine: the package for Debian was not tried")
endif()

find_program(pkg_config NAMES pkg-config pkgconf)
if(pkg_config)
  set(ENV{PKG_CONFIG_PATH} "${prefix}/share/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  consume(pkg_config)
  # Without CMake, whose targets make system headers of all that is installed.
  execute_process(COMMAND "${pkg_config}" --cflags --libs sfumato OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${CXX_FLAGS} ${strict} ${flags}")
  run("${CXX}" "${consumer}/core.cpp" ${flags} -o "${SCRATCH}/by_hand")
  run("${SCRATCH}/by_hand")
else()
  message(STATUS "no pkg-config on this machine: that way was not tried")
endif()

consume(add_subdirectory -D "SFUMATO_FOLDER=${source}")
consume(core -D "SFUMATO_FOLDER=${source}")
file(REMOVE_RECURSE "${SCRATCH}")
