# Finds NVIDIA's cuDNN: cuDNN_FOUND, cuDNN_INCLUDE_DIR, cuDNN_VERSION and the target cuDNN::cudnn. Looks
# beside the CUDA toolkit, where $CUDNN_ROOT points, and where Debian, conda and pip put it.
find_path(cuDNN_INCLUDE_DIR cudnn.h
  HINTS ENV CUDNN_ROOT ENV CUDNN_PATH ${CUDAToolkit_INCLUDE_DIRS} ${CUDAToolkit_LIBRARY_ROOT} ENV CONDA_PREFIX
  PATH_SUFFIXES include include/${CMAKE_LIBRARY_ARCHITECTURE})
find_library(cuDNN_LIBRARY NAMES cudnn libcudnn.so.9
  HINTS ENV CUDNN_ROOT ENV CUDNN_PATH ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_LIBRARY_ROOT} ENV CONDA_PREFIX
  PATH_SUFFIXES lib64 lib lib/${CMAKE_LIBRARY_ARCHITECTURE})
mark_as_advanced(cuDNN_INCLUDE_DIR cuDNN_LIBRARY)

if(cuDNN_INCLUDE_DIR)
  set(cuDNN_VERSION "")
  foreach(name IN ITEMS cudnn_version.h cudnn_version_v9.h)
    if(NOT cuDNN_VERSION AND EXISTS "${cuDNN_INCLUDE_DIR}/${name}")
      file(STRINGS "${cuDNN_INCLUDE_DIR}/${name}" lines REGEX "define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
      string(REGEX REPLACE "[^0-9;]" "" cuDNN_VERSION "${lines}")
      string(REPLACE ";" "." cuDNN_VERSION "${cuDNN_VERSION}")
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(cuDNN REQUIRED_VARS cuDNN_LIBRARY cuDNN_INCLUDE_DIR
  VERSION_VAR cuDNN_VERSION)
if(cuDNN_FOUND AND NOT TARGET cuDNN::cudnn)
  add_library(cuDNN::cudnn UNKNOWN IMPORTED)
  set_target_properties(cuDNN::cudnn PROPERTIES IMPORTED_LOCATION "${cuDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${cuDNN_INCLUDE_DIR}")
endif()
