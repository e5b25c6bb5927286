# Compiles stb's two image headers into the static library sfumato_stb.
function(sfumato_compile_stb include_dir)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/sfumato_stb.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image.h>
#include <stb_image_write.h>
")
  add_library(sfumato_stb STATIC "${source}")
  target_include_directories(sfumato_stb SYSTEM PUBLIC "${include_dir}")
  set_target_properties(sfumato_stb PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# Makes stb::stb for <stb_image.h> and <stb_image_write.h>. stb ships no CMake package of its own.
# Debian compiles the headers to a library; where there is none, stb_compiled below does.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_stb QUIET stb)
endif()
find_path(stb_INCLUDE_DIR stb_image.h HINTS ${PC_stb_INCLUDE_DIRS} PATH_SUFFIXES stb)
find_library(stb_LIBRARY stb HINTS ${PC_stb_LIBRARY_DIRS})
mark_as_advanced(stb_INCLUDE_DIR stb_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(stb REQUIRED_VARS stb_INCLUDE_DIR)
if(stb_FOUND AND NOT TARGET stb::stb)
  add_library(stb::stb INTERFACE IMPORTED)
  target_include_directories(stb::stb SYSTEM INTERFACE "${stb_INCLUDE_DIR}")
  if(stb_LIBRARY)
    target_link_libraries(stb::stb INTERFACE "${stb_LIBRARY}")
  else()
    sfumato_compile_stb("${stb_INCLUDE_DIR}")
    target_link_libraries(stb::stb INTERFACE sfumato_stb)
  endif()
endif()
