# The typed tests on the Cuda device, which tests/cuda_emulator plays on the CPU: the same sources with
# SFUMATO_TEST_CUDA defined, as the programs cuda_emulated_FAMILY_tests and the ctest entries
# cuda_emulated_NAME. What they compute is checked, and how they use CUDA: see cuda_emulator/README.md.
add_subdirectory(cuda_emulator)

set(typed_tests
  autodiff_checkpoint autodiff_debugging autodiff_graph autodiff_sweep autodiff_values
  core_tensor
  losses_matching losses_more losses_values
  nn_activations nn_batch_norm nn_layers nn_module nn_networks nn_vgg
  ops_cast ops_composed ops_convolution ops_custom ops_errors ops_functions ops_fuzz ops_gradients ops_half ops_matmul ops_numbers ops_pooling
  ops_singular ops_values
  optim_lbfgs optim_updates
  style_borders style_parity style_terms style_transfer)
# These have kernels of their own, which nvcc compiles for a real GPU.
set(typed_tests_with_kernels ops_custom)

# listener.cpp makes what the emulator finds a failure of the test case at hand.
add_library(sfumato_test_main_emulated OBJECT main.cpp cuda_emulator/listener.cpp)
target_link_libraries(sfumato_test_main_emulated PUBLIC sfumato_own sfumato::kernels sfumato::io doctest::doctest
  sfumato_cuda_emulator)
get_target_property(definitions sfumato_test_main INTERFACE_COMPILE_DEFINITIONS)
target_compile_definitions(sfumato_test_main_emulated PUBLIC ${definitions} SFUMATO_TEST_CUDA)
target_include_directories(sfumato_test_main_emulated PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
sfumato_optimise(sfumato_test_main_emulated -O0)

# A test source compiled by nvcc, without our warnings, which code of nvcc's own would set off.
function(sfumato_add_nvcc_object name source)
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/${name}.cu" CONTENT "#include \"${source}\"\n")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL "${CMAKE_CURRENT_BINARY_DIR}/${name}.cu")
  target_link_libraries(${name} PRIVATE sfumato::cuda sfumato::kernels doctest::doctest)
  target_compile_definitions(${name} PRIVATE ${definitions} SFUMATO_TEST_CUDA)
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE -std=c++20 --expt-relaxed-constexpr)
  sfumato_share_front_end(${name})
endfunction()

# The programs PREFIX_FAMILY_tests; each source's entry is PREFIX_NAME, if it is to be one.
function(sfumato_add_typed_tests prefix main has_entries)
  foreach(entry IN LISTS typed_tests)
    string(REGEX REPLACE "_.*" "_tests" family "${entry}")
    set(program ${prefix}_${family})
    if(NOT TARGET ${program})
      add_executable(${program})
      sfumato_unite(${program})
      target_link_libraries(${program} PRIVATE ${main})
      if(NOT has_entries)
        sfumato_optimise(${program} -O0)
      endif()
    endif()
    if(NOT has_entries AND entry IN_LIST typed_tests_with_kernels)
      sfumato_add_nvcc_object(${prefix}_${entry} "${CMAKE_CURRENT_SOURCE_DIR}/${entry}_test.cpp")
      target_sources(${program} PRIVATE $<TARGET_OBJECTS:${prefix}_${entry}>)
    else()
      target_sources(${program} PRIVATE ${entry}_test.cpp)
    endif()
    if(has_entries)
      add_test(NAME ${prefix}_${entry} COMMAND ${program} --source-file=*/${entry}_test.cpp)
    else()
      set_target_properties(${program} PROPERTIES EXCLUDE_FROM_ALL ON)
      set_property(GLOBAL APPEND PROPERTY SFUMATO_GPU_PROGRAMS ${program})
    endif()
  endforeach()
endfunction()
sfumato_add_typed_tests(cuda_emulated sfumato_test_main_emulated ON)
# Small tensors: optimising would take longer than it saves.
foreach(family IN ITEMS autodiff core losses nn ops optim)
  sfumato_optimise(cuda_emulated_${family}_tests -O0)
endforeach()
sfumato_optimise(cuda_emulated_style_tests -O1)

# The same programs on a real GPU, which gpu_check.sh builds and runs: cmake --build ... --target cuda_gpu_tests.
if(SFUMATO_HAS_CUDA)
  add_library(sfumato_test_main_gpu OBJECT EXCLUDE_FROM_ALL main.cpp)
  target_link_libraries(sfumato_test_main_gpu PUBLIC sfumato_own sfumato::kernels sfumato::io sfumato::cuda doctest::doctest)
  target_compile_definitions(sfumato_test_main_gpu PUBLIC ${definitions} SFUMATO_TEST_CUDA)
  target_include_directories(sfumato_test_main_gpu PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
  sfumato_add_typed_tests(cuda_gpu sfumato_test_main_gpu OFF)
  get_property(programs GLOBAL PROPERTY SFUMATO_GPU_PROGRAMS)
  list(REMOVE_DUPLICATES programs)
  add_custom_target(cuda_gpu_tests DEPENDS ${programs})
endif()

# The Cuda device's own tests, cuda_device/NAME_test.cpp.
file(GLOB device_tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cuda_device/*_test.cpp")
add_executable(cuda_device_tests ${device_tests})
sfumato_unite(cuda_device_tests)
target_link_libraries(cuda_device_tests PRIVATE sfumato_test_main_emulated)
sfumato_optimise(cuda_device_tests -O0)
foreach(source IN LISTS device_tests)
  get_filename_component(name "${source}" NAME_WE)
  string(REGEX REPLACE "_test$" "" entry "${name}")
  add_test(NAME cuda_device_${entry} COMMAND cuda_device_tests --source-file=*/${name}.cpp)
endforeach()

# What an iteration costs, for docs/cuda.md: cmake --build ... --target cuda_iteration_cost.
add_executable(cuda_iteration_cost EXCLUDE_FROM_ALL cuda_device/iteration_cost.cpp)
target_link_libraries(cuda_iteration_cost PRIVATE sfumato_own sfumato::kernels sfumato_cuda_emulator)
