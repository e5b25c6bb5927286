# What takes minutes to build: the preset `full` has it, `ci` does not.

# The vector kernels as a program gets them that is compiled without flags for this processor.
add_executable(untuned_tests main.cpp cpu_convolution_test.cpp)
target_link_libraries(untuned_tests PRIVATE sfumato::sfumato doctest::doctest)
sfumato_optimise(untuned_tests -O1)
add_test(NAME cpu_convolution_untuned COMMAND untuned_tests)

# The kernels for AVX-512 where no processor has it: with SIMDe's vectors in the place of the processor's.
find_path(SFUMATO_SIMDE simde/x86/avx512.h)
mark_as_advanced(SFUMATO_SIMDE)
if(SFUMATO_SIMDE)
  add_executable(emulated_avx512_tests support/emulated_avx512.cpp cpu_convolution_test.cpp
    ops_matmul_test.cpp ops_pooling_test.cpp)
  target_link_libraries(emulated_avx512_tests PRIVATE sfumato_test_main)
  sfumato_optimise(emulated_avx512_tests -O1)
  target_include_directories(emulated_avx512_tests SYSTEM PRIVATE "${SFUMATO_SIMDE}")
  # SIMDe must not use the processor's own AVX-512, but may make halves of AVX2; more optimisation takes minutes.
  set_source_files_properties(support/emulated_avx512.cpp PROPERTIES COMPILE_OPTIONS "-march=x86-64-v3;-Wno-psabi;-w;-O1")
  add_test(NAME emulated_avx512 COMMAND emulated_avx512_tests)
else()
  message(STATUS "sfumato: no SIMDe (Debian libsimde-dev, Homebrew simde), so kernels for AVX-512 are "
    "tested only on processors that have it")
endif()

# Presets against the programs that they are named after, in double precision.
add_executable(style_peers_tests style_peers_test.cpp)
target_link_libraries(style_peers_tests PRIVATE sfumato_test_main)
sfumato_optimise(style_peers_tests -O1)
add_test(NAME style_peers COMMAND style_peers_tests)

# Lines that are wrong, and how much a compiler has to say of them.
add_test(NAME wrong_lines
  COMMAND "${CMAKE_COMMAND}" -D "CXX=${CMAKE_CXX_COMPILER}"
          -D "EIGEN=$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>"
          -D "SCRATCH=${CMAKE_CURRENT_BINARY_DIR}/wrong_lines"
          -P "${CMAKE_CURRENT_SOURCE_DIR}/wrong_lines.cmake")

# What is installed serves a program elsewhere.
add_test(NAME install_consumer
  COMMAND "${CMAKE_COMMAND}" -D "BUILD=${PROJECT_BINARY_DIR}" -D "CONFIG=$<CONFIG>"
          -D "GENERATOR=${CMAKE_GENERATOR}" -D "CXX=${CMAKE_CXX_COMPILER}"
          -D "CXX_FLAGS=${CMAKE_CXX_FLAGS}" -D "LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}"
          -D "SCRATCH=${CMAKE_CURRENT_BINARY_DIR}/install_consumer"
          -P "${CMAKE_CURRENT_SOURCE_DIR}/install_consumer.cmake")
set_tests_properties(install_consumer PROPERTIES PROCESSORS 2)
if(NOT SFUMATO_INSTALL)
  set_tests_properties(install_consumer PROPERTIES DISABLED ON)
endif()

# One header of all.
if(Python3_FOUND)
  add_test(NAME single_header
    COMMAND "${CMAKE_COMMAND}" -D "PYTHON=${Python3_EXECUTABLE}" -D "CXX=${CMAKE_CXX_COMPILER}"
            -D "EIGEN=$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>"
            -D "SCRATCH=${CMAKE_CURRENT_BINARY_DIR}/single_header"
            -P "${CMAKE_CURRENT_SOURCE_DIR}/single_header.cmake")
endif()

# The C++ of the pages: each page's blocks as a program, and PyTorch's names and ours.
if(Python3_FOUND)
  set(compiler "${CMAKE_CXX_COMPILER}" -std=c++20 -DSFUMATO_COMPILED_KERNELS "-I${PROJECT_SOURCE_DIR}/include" -isystem
    "$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>" -w)
  if(SFUMATO_NATIVE AND SFUMATO_HAS_MARCH_NATIVE)
    list(APPEND compiler -march=native)  # as the kernels: Eigen aligns its memory by the instruction set
  endif()
  file(GLOB reference RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/reference/*.md")
  foreach(page README.md CONTRIBUTING.md docs/autodiff.md docs/cluster.md docs/convolution.md docs/cuda.md docs/presets.md docs/tasks.md ${reference})
    get_filename_component(name "${page}" NAME_WE)
    string(TOLOWER "${name}" name)
    if(name MATCHES "^(cluster|distributed)$")
      if(NOT TARGET sfumato_distributed)
        continue()
      endif()
      set(more ${MPI_CXX_COMPILE_OPTIONS} ${MPI_CXX_LIBRARIES})
      set(folders ${MPI_CXX_INCLUDE_DIRS})
    elseif(name STREQUAL "cuda")
      if(NOT SFUMATO_HAS_CUDA_HEADERS)
        continue()
      endif()
      set(emulator "${CMAKE_CURRENT_SOURCE_DIR}/cuda_emulator")
      set(more -DSFUMATO_CUDA_EMULATED "-iquote${emulator}/shadow" "-I${emulator}"
        $<TARGET_FILE:sfumato_cuda_emulator> $<TARGET_FILE:sfumato_kernels>)
      set(folders ${SFUMATO_CUDA_INCLUDE_DIRS})
    else()
      set(more)
      set(folders)
    endif()
    foreach(folder IN LISTS folders)
      list(APPEND more -isystem "${folder}")
    endforeach()
    add_test(NAME docs_code_${name}
      COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/docs_code.py" "${PROJECT_SOURCE_DIR}/${page}" --
              ${compiler} -O0 SOURCE $<TARGET_FILE:sfumato_kernels> -ljpeg -lpng -lwebpdemux -lwebp -llcms2 -lzip -lz
              -pthread ${more} -o BINARY)
  endforeach()
  if(TEST docs_code_cuda)
    set_tests_properties(docs_code_cuda PROPERTIES ENVIRONMENT SFUMATO_EMULATOR_FORGIVES_LEAKS=1)
  endif()
  if(NOT TARGET xtensor)
    set_tests_properties(docs_code_tasks PROPERTIES DISABLED ON)
  endif()
  add_test(NAME docs_pytorch_names
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/pytorch_table.py" ${compiler} -fsyntax-only SOURCE)
endif()

# A package of Conan's, made in a home of its own and used by a program. It asks no server for anything.
find_program(SFUMATO_CONAN conan)
mark_as_advanced(SFUMATO_CONAN)
if(SFUMATO_CONAN)
  add_test(NAME conan_profile COMMAND "${SFUMATO_CONAN}" profile detect --exist-ok)
  add_test(NAME conan COMMAND "${SFUMATO_CONAN}" create "${PROJECT_SOURCE_DIR}/.conan" --no-remote
    -s compiler.cppstd=20 -c "tools.cmake.cmake_layout:test_folder=${CMAKE_CURRENT_BINARY_DIR}/conan")
  set_tests_properties(conan_profile PROPERTIES FIXTURES_SETUP conan_profile)
  set_tests_properties(conan PROPERTIES FIXTURES_REQUIRED conan_profile)
  set_tests_properties(conan_profile conan PROPERTIES
    ENVIRONMENT "CONAN_HOME=${CMAKE_CURRENT_BINARY_DIR}/conan_home")
else()
  message(STATUS "sfumato: no Conan (pip install conan), so .conan/conanfile.py is not tested")
endif()

# How the slim network is made.
add_test(NAME distill_vgg19 COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/distill_vgg19.sh")
set_tests_properties(distill_vgg19 PROPERTIES SKIP_RETURN_CODE 77
  ENVIRONMENT "SFUMATO_BUILD_DIR=${PROJECT_BINARY_DIR};SFUMATO_SOURCE_DIR=${PROJECT_SOURCE_DIR}")

# The program's reports in a browser.
find_program(SFUMATO_CHROMIUM chromium)
mark_as_advanced(SFUMATO_CHROMIUM)
if(SFUMATO_CHROMIUM AND SFUMATO_EXAMPLES)
  add_test(NAME report_in_browser COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/report_in_browser.sh")
  set_tests_properties(report_in_browser PROPERTIES SKIP_RETURN_CODE 77
    ENVIRONMENT "SFUMATO_BUILD_DIR=${PROJECT_BINARY_DIR};SFUMATO_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
else()
  message(STATUS "sfumato: no chromium (Debian chromium), so reports are not tested in a browser")
endif()

# Films, where there are ffmpeg and OpenCV.
add_test(NAME film COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/film.sh")
set_tests_properties(film PROPERTIES SKIP_RETURN_CODE 77
  ENVIRONMENT "SFUMATO_BUILD_DIR=${PROJECT_BINARY_DIR};SFUMATO_SOURCE_DIR=${PROJECT_SOURCE_DIR}")

# Several ranks, where there is MPI.
if(TARGET sfumato_distributed)
  add_executable(distributed_ranks distributed_ranks.cpp)
  target_link_libraries(distributed_ranks PRIVATE sfumato_own sfumato::kernels sfumato::distributed doctest::doctest)
  sfumato_optimise(distributed_ranks -O0)
endif()
add_test(NAME distributed COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/distributed.sh")
set_tests_properties(distributed PROPERTIES SKIP_RETURN_CODE 77 PROCESSORS 2
  ENVIRONMENT "SFUMATO_BUILD_DIR=${PROJECT_BINARY_DIR};SFUMATO_SOURCE_DIR=${PROJECT_SOURCE_DIR}")

# The page of explain in a browser.
if(SFUMATO_CHROMIUM AND SFUMATO_EXAMPLES AND Python3_FOUND)
  add_test(NAME explain_in_browser
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/explain_in_browser.py" $<TARGET_FILE:explain>)
endif()

# The studio in a browser, and among clients that mean it no good.
if(Python3_FOUND AND TARGET sfumato_httplib)
  foreach(name IN ITEMS studio_in_browser studio_hostile)
    add_test(NAME ${name} COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/${name}.py")
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 RUN_SERIAL ON ENVIRONMENT
      "SFUMATO_BUILD_DIR=${PROJECT_BINARY_DIR};SFUMATO_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
  endforeach()
endif()
# Runs that are killed 20 times, where the ordinary test does it three times.
add_test(NAME neural_style_resume_often COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/neural_style_resume_test.sh")
set_tests_properties(neural_style_resume_often PROPERTIES SKIP_RETURN_CODE 77 ENVIRONMENT
  "SFUMATO_BUILD_DIR=${PROJECT_BINARY_DIR};SFUMATO_SOURCE_DIR=${PROJECT_SOURCE_DIR};SFUMATO_KILLS=20")
