# Installs headers, the CMake package and the pkg-config files. All of it is independent of the machine,
# so it goes under share/, and no path of this machine is written into it. `cpack -G DEB` packs it for /usr.
include(CMakePackageConfigHelpers)
set(package_folder "${CMAKE_INSTALL_DATADIR}/cmake/sfumato")
set(pkgconfig_folder "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/sfumato" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cpp" PATTERN "*.cu" PATTERN "*.cuh")

# The kernels alone are compiled code and go where libraries go, if they have been built.
set(SFUMATO_LIBRARY_FOLDER "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS sfumato_kernels ARCHIVE DESTINATION "${SFUMATO_LIBRARY_FOLDER}" OPTIONAL)
if(SFUMATO_HAS_CUDA)
  install(TARGETS sfumato_cuda ARCHIVE DESTINATION "${SFUMATO_LIBRARY_FOLDER}" OPTIONAL)
endif()

set(SFUMATO_INCLUDE_FOLDER "${CMAKE_INSTALL_INCLUDEDIR}")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/sfumatoConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/package/sfumatoConfig.cmake" INSTALL_DESTINATION "${package_folder}"
  PATH_VARS SFUMATO_INCLUDE_FOLDER SFUMATO_LIBRARY_FOLDER NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/sfumatoConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/package/sfumatoConfig.cmake"
  "${PROJECT_BINARY_DIR}/package/sfumatoConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/FindWebP.cmake" "${CMAKE_CURRENT_LIST_DIR}/FindLCMS2.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/Findlibzip.cmake" "${CMAKE_CURRENT_LIST_DIR}/FindcuDNN.cmake"
  DESTINATION "${package_folder}")

# The prefix is written relative to the .pc file, so that an installation can be moved.
file(RELATIVE_PATH SFUMATO_PC_TO_PREFIX "/prefix/${pkgconfig_folder}" "/prefix")
string(REGEX REPLACE "/$" "" SFUMATO_PC_TO_PREFIX "${SFUMATO_PC_TO_PREFIX}")
foreach(file IN ITEMS sfumato.pc sfumato-io.pc)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/${file}.in" "${PROJECT_BINARY_DIR}/package/${file}" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/package/${file}" DESTINATION "${pkgconfig_folder}")
endforeach()

if(SFUMATO_TOP_LEVEL)
  set(CPACK_PACKAGE_NAME libsfumato-dev)
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
  set(CPACK_PACKAGE_CONTACT "The authors of sfumato")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4)")
  string(JOIN ", " CPACK_DEBIAN_PACKAGE_RECOMMENDS libjpeg62-turbo-dev libpng-dev libwebp-dev liblcms2-dev
    libzip-dev nlohmann-json3-dev)
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS libxtensor-dev)
  include(CPack)
endif()
