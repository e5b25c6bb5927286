"""Makes a Conan 2 package of this repository: `conan create .conan`. Eigen and the libraries of sfumato::io are the
system's own, so that nothing is downloaded."""
import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Sfumato(ConanFile):
    name = "sfumato"
    license = "MIT"
    description = "Header-only C++20 tensors, reverse-mode autodiff and neural style transfer"
    settings = "os", "arch", "compiler", "build_type"
    options = {"kernels": [True, False]}  # sfumato::kernels, which takes minutes to compile
    default_options = {"kernels": False}

    def set_version(self):
        version = load(self, os.path.join(self.recipe_folder, "..", "include", "sfumato", "core", "version.hpp"))
        self.version = version.split('SFUMATO_VERSION "')[1].split('"')[0]

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "README.md", ".cmake/*", "include/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def package_id(self):
        if not self.info.options.kernels:
            self.info.settings.clear()  # headers alone are the same for everyone

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "BENCHMARKS", "NATIVE", "FETCH", "CUDA"):
            toolchain.cache_variables[f"SFUMATO_{part}"] = "OFF"
        toolchain.cache_variables["SFUMATO_IO"] = "AUTO"
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        if self.options.kernels:
            cmake.build(target="sfumato_kernels")

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # find_package(sfumato) finds our own package, as everywhere.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "sfumato")]
        self.cpp_info.libdirs = ["lib"] if self.options.kernels else []
