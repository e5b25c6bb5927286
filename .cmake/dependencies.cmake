# Where third-party code comes from: the system's own package first, otherwise a pinned download.
#
# sfumato_need(NAME) makes NAME's usual imported target, or stops with the name of the package to install.
# Downloads are pinned by SHA-256, and happen only if SFUMATO_FETCH is on. Image libraries are not downloaded: each has a build system of its own kind,
# and every system has them.
include_guard(GLOBAL)
include(FetchContent)
if(POLICY CMP0135)
  cmake_policy(SET CMP0135 NEW)  # unpacked files carry the time of unpacking
endif()

set(SFUMATO_PACKAGES_Eigen3        "Debian libeigen3-dev, Homebrew eigen, vcpkg eigen3")
set(SFUMATO_PACKAGES_JPEG "libjpeg-turbo: Debian libjpeg62-turbo-dev, Ubuntu libjpeg-turbo8-dev, Homebrew jpeg-turbo")
set(SFUMATO_PACKAGES_PNG           "libpng: Debian libpng-dev, Homebrew libpng")
set(SFUMATO_PACKAGES_WebP          "libwebp: Debian libwebp-dev, Homebrew webp")
set(SFUMATO_PACKAGES_LCMS2         "LittleCMS: Debian liblcms2-dev, Homebrew little-cms2")
set(SFUMATO_PACKAGES_nlohmann_json "Debian nlohmann-json3-dev, Homebrew nlohmann-json, vcpkg nlohmann-json")
set(SFUMATO_PACKAGES_libzip        "Debian libzip-dev, Homebrew libzip, vcpkg libzip")
set(SFUMATO_PACKAGES_ZLIB          "Debian zlib1g-dev, Homebrew zlib, vcpkg zlib")
set(SFUMATO_PACKAGES_CLI11         "Debian libcli11-dev, Homebrew cli11, vcpkg cli11")
set(SFUMATO_PACKAGES_doctest       "Debian doctest-dev, Homebrew doctest, vcpkg doctest")
set(SFUMATO_PACKAGES_benchmark     "Debian libbenchmark-dev, Homebrew google-benchmark, vcpkg benchmark")

macro(sfumato_begin_fetch name)
  if(NOT SFUMATO_FETCH)
    message(FATAL_ERROR "sfumato: install ${name} (${SFUMATO_PACKAGES_${name}}), or set SFUMATO_FETCH to ON to "
      "have it downloaded")
  endif()
  message(STATUS "sfumato: ${name} is not installed (${SFUMATO_PACKAGES_${name}}); fetching it")
endmacro()

# Downloads and unpacks without running the project's own CMake files: all that a header-only library needs.
# Then makes the imported target `target` for the headers in `subfolder` of what was unpacked.
macro(sfumato_fetch_headers name target subfolder)
  sfumato_begin_fetch(${name})
  string(TOLOWER "${name}" sfumato_lower)
  FetchContent_Declare(${name} ${ARGN} SOURCE_SUBDIR headers-only)
  FetchContent_MakeAvailable(${name})
  if(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE "${${sfumato_lower}_SOURCE_DIR}${subfolder}")
  endif()
endmacro()

# For libraries that must be built. Their options are plain variables of this function's scope.
macro(sfumato_fetch_library name)
  sfumato_begin_fetch(${name})
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(CMAKE_WARN_DEPRECATED OFF)
  set(BUILD_SHARED_LIBS OFF)
  FetchContent_Declare(${name} ${ARGN})
  FetchContent_MakeAvailable(${name})
endmacro()

# Headers of a target that was built here are third-party headers too: no warnings from them.
function(sfumato_as_system target)
  get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${folders}")
endfunction()

# The libraries that sfumato::io needs: `result` names those that are missing and are not downloaded.
function(sfumato_find_io_libraries result)
  set(missing "")
  foreach(name IN ITEMS JPEG PNG WebP LCMS2)
    find_package(${name} QUIET)
    if(NOT ${name}_FOUND)
      string(APPEND missing "\n  ${SFUMATO_PACKAGES_${name}}")
    endif()
  endforeach()
  if(JPEG_FOUND AND EXISTS "${JPEG_INCLUDE_DIR}/jpeglib.h")
    # IJG's libjpeg has the same file names but not all functions, and other pixels.
    file(STRINGS "${JPEG_INCLUDE_DIR}/jpeglib.h" turbo REGEX "JCS_EXT_RGBA" LIMIT_COUNT 1)
    if(NOT turbo)
      string(APPEND missing "\n  ${SFUMATO_PACKAGES_JPEG} (${JPEG_INCLUDE_DIR} holds another libjpeg)")
    endif()
  endif()
  if(NOT SFUMATO_FETCH)
    find_package(libzip QUIET MODULE)
    if(NOT TARGET libzip::zip)
      string(APPEND missing "\n  ${SFUMATO_PACKAGES_libzip}")
    endif()
    find_package(nlohmann_json 3.9 CONFIG QUIET)
    if(NOT TARGET nlohmann_json::nlohmann_json)
      string(APPEND missing "\n  ${SFUMATO_PACKAGES_nlohmann_json}")
    endif()
  endif()
  set(${result} "${missing}" PARENT_SCOPE)
endfunction()

function(sfumato_need name)
  if(name STREQUAL "Threads")
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)

  elseif(name STREQUAL "Eigen3")
    if(TARGET Eigen3::Eigen)
      return()
    endif()
    find_package(Eigen3 3.4 CONFIG QUIET)
    if(NOT TARGET Eigen3::Eigen)
      sfumato_fetch_headers(Eigen3 Eigen3::Eigen ""
        URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
        URL_HASH SHA256=8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72)
    endif()

  elseif(name STREQUAL "nlohmann_json")
    if(TARGET nlohmann_json::nlohmann_json)
      return()
    endif()
    find_package(nlohmann_json 3.9 CONFIG QUIET)
    if(NOT TARGET nlohmann_json::nlohmann_json)
      sfumato_fetch_headers(nlohmann_json nlohmann_json::nlohmann_json /include
        URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
        URL_HASH SHA256=d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)
    endif()

  elseif(name STREQUAL "libzip")
    find_package(libzip QUIET MODULE)
    if(NOT TARGET libzip::zip)
      find_package(ZLIB QUIET)
      if(NOT ZLIB_FOUND)
        message(FATAL_ERROR "sfumato: install libzip (${SFUMATO_PACKAGES_libzip}), "
          "or zlib to build libzip with (${SFUMATO_PACKAGES_ZLIB})")
      endif()
      foreach(part IN ITEMS COMMONCRYPTO GNUTLS MBEDTLS OPENSSL WINDOWS_CRYPTO BZIP2 LZMA ZSTD)
        set(ENABLE_${part} OFF)
      endforeach()
      foreach(part IN ITEMS TOOLS REGRESS EXAMPLES DOC OSSFUZZ)
        set(BUILD_${part} OFF)
      endforeach()
      set(LIBZIP_DO_INSTALL OFF)
      sfumato_fetch_library(libzip
        URL https://github.com/nih-at/libzip/releases/download/v1.10.1/libzip-1.10.1.tar.gz
        URL_HASH SHA256=9669ae5dfe3ac5b3897536dc8466a874c8cf2c0e3b1fdd08d75b273884299363)
      if(NOT TARGET libzip::zip)
        add_library(libzip::zip ALIAS zip)
      endif()
      sfumato_as_system(zip)
    endif()

  elseif(name STREQUAL "CLI11")
    find_package(CLI11 2.1 CONFIG QUIET)
    if(NOT TARGET CLI11::CLI11)
      sfumato_fetch_headers(CLI11 CLI11::CLI11 /include
        URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.3.2.tar.gz
        URL_HASH SHA256=aac0ab42108131ac5d3344a9db0fdf25c4db652296641955720a4fbe52334e22)
    endif()

  elseif(name STREQUAL "doctest")
    find_package(doctest 2.4 CONFIG QUIET)
    if(NOT TARGET doctest::doctest)
      sfumato_fetch_headers(doctest doctest::doctest ""
        URL https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz
        URL_HASH SHA256=632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186)
    endif()

  elseif(name STREQUAL "benchmark")
    find_package(benchmark 1.7 CONFIG QUIET)
    if(NOT TARGET benchmark::benchmark)
      set(BENCHMARK_ENABLE_TESTING OFF)
      set(BENCHMARK_ENABLE_INSTALL OFF)
      set(BENCHMARK_ENABLE_WERROR OFF)
      sfumato_fetch_library(benchmark
        URL https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz
        URL_HASH SHA256=6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7)
      sfumato_as_system(benchmark)
    endif()

  else()
    message(FATAL_ERROR "sfumato: unknown dependency ${name}")
  endif()
endfunction()

# Makes the target `xtensor` if that library is installed; our own tests fetch it otherwise.
function(sfumato_want_xtensor)
  find_package(xtensor CONFIG QUIET)
  if(TARGET xtensor)
    return()
  endif()
  if(NOT SFUMATO_TESTS)
    message(STATUS "sfumato: no xtensor (Debian libxtensor-dev, Homebrew xtensor, vcpkg xtensor), "
      "so <sfumato/io/xtensor.hpp> is left out")
    return()
  endif()
  set(SFUMATO_PACKAGES_xtl "Debian xtl-dev, Homebrew xtl, vcpkg xtl")
  set(SFUMATO_PACKAGES_xtensor "Debian libxtensor-dev, Homebrew xtensor, vcpkg xtensor")
  sfumato_fetch_headers(xtl xtl /include
    URL https://github.com/xtensor-stack/xtl/archive/refs/tags/0.7.7.tar.gz
    URL_HASH SHA256=44fb99fbf5e56af5c43619fc8c29aa58e5fad18f3ba6e7d9c55c111b62df1fbb)
  sfumato_fetch_headers(xtensor xtensor /include
    URL https://github.com/xtensor-stack/xtensor/archive/refs/tags/0.24.7.tar.gz
    URL_HASH SHA256=0fbbd524dde2199b731b6af99b16063780de6cf1d0d6cb1f3f4d4ceb318f3106)
  target_link_libraries(xtensor INTERFACE xtl)
endfunction()

# Makes the target `sfumato_httplib` if cpp-httplib is installed, by a CMake package or, as Debian has it, pkg-config.
function(sfumato_want_httplib)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    return()  # the studio waits for signals and sockets as only Linux does
  endif()
  find_package(httplib CONFIG QUIET)
  if(TARGET httplib::httplib)
    add_library(sfumato_httplib INTERFACE)
    target_link_libraries(sfumato_httplib INTERFACE httplib::httplib)
    return()
  endif()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(PC_HTTPLIB QUIET IMPORTED_TARGET cpp-httplib)
  endif()
  if(TARGET PkgConfig::PC_HTTPLIB)
    add_library(sfumato_httplib INTERFACE)
    target_link_libraries(sfumato_httplib INTERFACE PkgConfig::PC_HTTPLIB)
    return()
  endif()
  message(STATUS "sfumato: no cpp-httplib (Debian libcpp-httplib-dev, Fedora cpp-httplib-devel), so neural_style has no studio")
endfunction()
