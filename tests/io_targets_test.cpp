// What a file is written over: files and nothing else, whole, with links, modes and owners kept.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/file.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_targets_test {
namespace fs = std::filesystem;

namespace {

struct stat status_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status;
}
mode_t mode_of(const fs::path& path) {
  return status_of(path).st_mode & 07777;
}

/// Both ways in which a target can be refused must say the same.
std::string refusal(const fs::path& path) {
  const std::string early = complaint([&] { io::check_writable(path); });
  CHECK(complaint([&] { io::write_file_atomically(path, "new"); }) == early);
  const std::string name = path.string() + ": can't be written: ";
  return early.starts_with(name) ? early.substr(name.size()) : early;
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Sets the mask that new files get their modes by, as long as it lives.
struct Umask {
  explicit Umask(mode_t mask) : before(umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { umask(before); }
  mode_t before;
};

}  // namespace

TEST_CASE("devices are written to and stay devices") {
  for (const char* const device : {"/dev/null", "/dev/zero"}) {
    const struct stat before = status_of(device);
    REQUIRE(S_ISCHR(before.st_mode));
    CHECK_NOTHROW(io::check_writable(device));
    CHECK_NOTHROW(io::write_file_atomically(device, "lost"));
    const struct stat after = status_of(device);
    CHECK(S_ISCHR(after.st_mode));
    CHECK(after.st_ino == before.st_ino);
    CHECK(after.st_mode == before.st_mode);
  }
  const TemporaryDirectory folder;
  fs::create_symlink("/dev/null", folder / "link");
  CHECK_NOTHROW(io::write_file_atomically(folder / "link", "lost"));
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(files_in(folder.path()) == 1);
  CHECK(complaint([] { io::write_file_atomically("/dev/full", "x"); }) ==
        "/dev/full: writing failed: No space left on device; is the disk full? Make room or name "
        "another place");
}

TEST_CASE("pipes are written to and stay pipes") {
  const TemporaryDirectory folder;
  const auto path = folder / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK_NOTHROW(io::check_writable(path));  // which waits for no reader
  std::string arrived;
  std::thread reader([&] { arrived = read_bytes(path); });
  io::write_file_atomically(path, "through the pipe");
  reader.join();
  CHECK(arrived == "through the pipe");
  CHECK(S_ISFIFO(status_of(path).st_mode));
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("an open file is written to where it stands") {
  // As `program --losses /dev/stdout > log` after the program has printed something.
  const TemporaryDirectory folder;
  const int log = open((folder / "log").c_str(), O_WRONLY | O_CREAT, 0600);
  REQUIRE(log != -1);
  REQUIRE(write(log, "printed\n", 8) == 8);
  for (const char* const numbers : {"/dev/fd/", "/proc/self/fd/"}) {
    const std::string path = message(numbers, log);
    CHECK_NOTHROW(io::check_writable(path));
    io::write_file_atomically(path, "table\n");
  }
  fs::create_symlink(message("/dev/fd/", log), folder / "link");
  io::write_file_atomically(folder / "link", "by a link\n");
  REQUIRE(write(log, "more\n", 5) == 5);
  close(log);
  CHECK(read_bytes(folder / "log") == "printed\ntable\ntable\nby a link\nmore\n");
  CHECK(files_in(folder.path()) == 2);
  CHECK(refusal(message("/dev/fd/", log)) == "Bad file descriptor");
  CHECK(io::detail::open_descriptor("/dev/stdout") == 1);
  CHECK(io::detail::open_descriptor("/dev/stderr") == 2);
  CHECK_FALSE(io::detail::open_descriptor("/dev/fd/1x"));
  CHECK_FALSE(io::detail::open_descriptor("/dev/fd/"));
}

TEST_CASE("links are followed to their targets, also to what is not there yet") {
  const TemporaryDirectory folder;
  fs::create_directory(folder / "far");
  write_bytes(folder / "far/target", "old");
  fs::create_symlink("far/target", folder / "link");
  fs::create_symlink("link", folder / "link of link");
  io::write_file_atomically(folder / "link of link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(fs::is_symlink(folder / "link of link"));
  CHECK(fs::is_regular_file(fs::symlink_status(folder / "far/target")));
  CHECK(read_bytes(folder / "far/target") == "new");

  fs::create_symlink("far/made", folder / "dangling");
  io::check_writable(folder / "dangling");
  CHECK_FALSE(fs::exists(folder / "far/made"));
  io::write_file_atomically(folder / "dangling", "made");
  CHECK(fs::is_symlink(folder / "dangling"));
  CHECK(read_bytes(folder / "far/made") == "made");

  fs::create_symlink("circle b", folder / "circle a");
  fs::create_symlink("circle a", folder / "circle b");
  CHECK(refusal(folder / "circle a") == "its links go in a circle");
  fs::create_symlink("none/made", folder / "nowhere");
  CHECK(refusal(folder / "nowhere") == "there is no folder " + (folder / "none").string());
  fs::create_symlink("far", folder / "to a folder");
  CHECK(refusal(folder / "to a folder") == "it is a folder; name a file in it");
  CHECK(files_in(folder / "far") == 2);
}

TEST_CASE("modes are kept, and new files get theirs by the mask") {
  const TemporaryDirectory folder;
  const auto path = folder / "x";
  for (const mode_t mode : {0600U, 0640U, 0755U, 0666U, 0200U}) {
    write_bytes(path, "old");
    REQUIRE(chmod(path.c_str(), mode) == 0);
    io::write_file_atomically(path, "new");
    CHECK(mode_of(path) == mode);
    REQUIRE(chmod(path.c_str(), 0600) == 0);
    CHECK(read_bytes(path) == "new");
  }
  for (const mode_t mask : {022U, 077U, 002U}) {
    const Umask masked(mask);
    fs::remove(path);
    io::write_file_atomically(path, "new");
    CHECK(mode_of(path) == (0666U & ~mask));
  }
  if (geteuid() != 0) {
    MESSAGE("SKIPPED: only root can give files away");
    return;
  }
  REQUIRE(chown(path.c_str(), 12345, 23456) == 0);
  io::write_file_atomically(path, "newer");
  CHECK(status_of(path).st_uid == 12345);
  CHECK(status_of(path).st_gid == 23456);
}

TEST_CASE("what is no file, or protected, is refused before anything is computed") {
  const TemporaryDirectory folder;
  const auto file = folder / "read-only";
  write_bytes(file, "old");
  REQUIRE(chmod(file.c_str(), 0444) == 0);
  const std::string read_only =
      "it is read-only; change its permissions (chmod u+w) or name another file";
  CHECK(refusal(file) == read_only);  // also for root
  fs::create_symlink("read-only", folder / "link");
  CHECK(refusal(folder / "link") == read_only);
  CHECK(read_bytes(file) == "old");
  CHECK(refusal(folder.path()) == "it is a folder; name a file in it");
  CHECK(refusal(folder / "none/") == "there is no such folder");
  CHECK(refusal(folder / "none/file") == "there is no folder " + (folder / "none").string());
  CHECK(refusal("") == "the name of a file to write is empty");
  CHECK(refusal(folder / std::string(300, 'n')) == "File name too long");
  CHECK(files_in(folder.path()) == 2);
  io::check_writable(folder / "new");
  io::check_writable(folder / std::string(255, 'n'));  // as long as names may be
  CHECK(files_in(folder.path()) == 2);
}

TEST_CASE("nobody can foresee the temporary name") {
  const TemporaryDirectory folder;
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    const io::AtomicFileWriter file(folder / "x");
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      names.push_back(entry.path().filename().string());
    }
  }
  REQUIRE(names.size() == 20);
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("what replaces a private file is never readable by others") {
  const TemporaryDirectory folder;
  const Umask open_mask(0);
  write_bytes(folder / "x", "old");
  REQUIRE(chmod((folder / "x").c_str(), 0600) == 0);
  const io::AtomicFileWriter file(folder / "x");
  for (const auto& entry : fs::directory_iterator(folder.path())) CHECK(mode_of(entry) == 0600);
}

TEST_CASE("files are the same through links, hard links and detours") {
  const TemporaryDirectory folder;
  fs::create_directory(folder / "sub");
  write_bytes(folder / "a", "a");
  write_bytes(folder / "b", "a");
  fs::create_symlink("a", folder / "link");
  fs::create_hard_link(folder / "a", folder / "hard");
  fs::create_directory_symlink("sub", folder / "folder link");
  CHECK(io::same_file(folder / "a", folder / "a"));
  CHECK(io::same_file(folder / "a", folder / "sub/../a"));
  CHECK(io::same_file(folder / "link", folder / "a"));
  CHECK(io::same_file(folder / "hard", folder / "link"));
  CHECK_FALSE(io::same_file(folder / "a", folder / "b"));
  // What does not exist yet.
  CHECK(io::same_file(folder / "sub/new", folder / "folder link/new"));
  CHECK(io::same_file(folder / "sub/new", folder / "sub/./../sub/new"));
  CHECK_FALSE(io::same_file(folder / "sub/new", folder / "new"));
  CHECK_FALSE(io::same_file(folder / "a", folder / "new"));
  fs::create_symlink("sub/new", folder / "dangling");
  CHECK(io::same_file(folder / "dangling", folder / "sub/new"));
  CHECK(io::same_file("new", fs::current_path() / "new"));
  CHECK(io::same_file("no folder/new", fs::current_path() / "no folder/new"));
  CHECK_FALSE(io::same_file("", ""));
  CHECK_FALSE(io::same_file("/dev/null", "/dev/null"));
}

TEST_CASE("a name with control characters is shown in one harmless line") {
  const TemporaryDirectory folder;
  const auto path = folder / "no\n\x1b[31m\xc2\x9b/file\xff";
  CHECK(complaint([&] { io::check_writable(path); }) ==
        message((folder / "").string(), R"(no\n\x1b[31m\u{9b}/file\xff: can't be written: )",
                "there is no folder ", (folder / "").string(), R"(no\n\x1b[31m\u{9b})"));
  CHECK(complaint([&] { const io::FileReader file(path); }) ==
        message((folder / "").string(), R"(no\n\x1b[31m\u{9b}/file\xff: no such file)"));
}

}  // namespace sfumato::io_targets_test
