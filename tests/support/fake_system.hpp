#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "temporary_directory.hpp"

/// A root folder with what the system says of memory and control groups.
class FakeSystem {
 public:
  FakeSystem() = default;
  FakeSystem(const std::string& cgroup, const std::string& mounts) {
    write("/proc/self/cgroup", cgroup);
    write("/proc/self/mountinfo", mounts);
  }
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path place = root() + path;
    std::filesystem::create_directories(place.parent_path());
    std::ofstream(place) << text;
  }
  std::string root() const { return folder_.path().string(); }

 private:
  TemporaryDirectory folder_;
};
