# Makes WebP::demux, for <webp/decode.h> and <webp/demux.h>. Debian's libwebp has no CMake package of its own.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_WebP QUIET libwebpdemux)
endif()
find_path(WebP_INCLUDE_DIR webp/demux.h HINTS ${PC_WebP_INCLUDE_DIRS})
find_library(WebP_LIBRARY webp HINTS ${PC_WebP_LIBRARY_DIRS})
find_library(WebP_DEMUX_LIBRARY webpdemux HINTS ${PC_WebP_LIBRARY_DIRS})
mark_as_advanced(WebP_INCLUDE_DIR WebP_LIBRARY WebP_DEMUX_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(WebP REQUIRED_VARS WebP_LIBRARY WebP_DEMUX_LIBRARY WebP_INCLUDE_DIR)
if(WebP_FOUND AND NOT TARGET WebP::demux)
  add_library(WebP::demux UNKNOWN IMPORTED)
  set_target_properties(WebP::demux PROPERTIES
    IMPORTED_LOCATION "${WebP_DEMUX_LIBRARY}" INTERFACE_LINK_LIBRARIES "${WebP_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${WebP_INCLUDE_DIR}")
endif()
