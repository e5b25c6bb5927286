# Makes libzip::zip. libzip's own CMake package, where a system has one, fails on Debian unless its
# command-line tools are installed too, so the header and the library are looked for directly.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_libzip QUIET libzip)
endif()
find_path(libzip_INCLUDE_DIR zip.h HINTS ${PC_libzip_INCLUDE_DIRS})
find_library(libzip_LIBRARY zip HINTS ${PC_libzip_LIBRARY_DIRS})
mark_as_advanced(libzip_INCLUDE_DIR libzip_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(libzip REQUIRED_VARS libzip_LIBRARY libzip_INCLUDE_DIR)
if(libzip_FOUND AND NOT TARGET libzip::zip)
  add_library(libzip::zip UNKNOWN IMPORTED)
  set_target_properties(libzip::zip PROPERTIES
    IMPORTED_LOCATION "${libzip_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${libzip_INCLUDE_DIR}")
endif()
