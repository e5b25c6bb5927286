"""A program that uses the package: tests/consumer."""
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout


class Consumer(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeToolchain", "CMakeDeps"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def build(self):
        cmake = CMake(self)
        consumer = os.path.join(self.source_folder, "..", "..", "tests", "consumer")
        cmake.configure(variables={"WAY": "find_package"}, build_script_folder=consumer)
        cmake.build(target="core")

    def test(self):
        if can_run(self):
            self.run(os.path.join(self.cpp.build.bindir, "core"), env="conanrun")
