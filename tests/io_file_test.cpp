// Reading files at any offset, and writing them whole or not at all.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sfumato/cpu/cpu.hpp"
#include "sfumato/io/file.hpp"
#include "support/complaint.hpp"
#include "support/temporary_directory.hpp"

namespace sfumato::io_file_test {

namespace {

std::vector<std::string> names_in(const TemporaryDirectory& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Gives a folder its permissions back, so that it can be removed.
struct ReadOnly {
  explicit ReadOnly(std::filesystem::path folder) : path(std::move(folder)) {
    using std::filesystem::perms;
    std::filesystem::permissions(path, perms::owner_read | perms::owner_exec);
  }
  ReadOnly(const ReadOnly&) = delete;
  ReadOnly& operator=(const ReadOnly&) = delete;
  ~ReadOnly() { std::filesystem::permissions(path, std::filesystem::perms::owner_all); }
  std::filesystem::path path;
};

/// What a call complains of while no file may grow beyond `bytes`, much as on a full disk.
template <class Call>
std::string with_small_disk(rlim_t bytes, const Call& call) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // which would end the program
  const rlimit small{bytes, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text = complaint(call);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  return text;
}

using Names = std::vector<std::string>;

const std::string kUnwritable = ": can't be written: ";

}  // namespace

TEST_CASE("a reader knows the size and reads at any offset") {
  const TemporaryDirectory folder;
  const auto path = folder / "digits";
  write_bytes(path, "0123456789");
  const io::FileReader file(path);
  CHECK(file.size() == 10);
  CHECK(file.name() == path.string());
  char piece[4] = "---";
  file.read_at(7, piece, 3);
  CHECK(std::string(piece) == "789");
  file.read_at(0, piece, 3);  // backwards too
  CHECK(std::string(piece) == "012");
  CHECK_NOTHROW(file.read_at(10, nullptr, 0));
  const auto all = file.read_all(10);
  CHECK(std::string(all.begin(), all.end()) == "0123456789");
}

TEST_CASE("an empty file reads as no bytes") {
  const TemporaryDirectory folder;
  write_bytes(folder / "empty", "");
  const io::FileReader file(folder / "empty");
  CHECK(file.size() == 0);
  CHECK(file.read_all(0).empty());
}

TEST_CASE("reading beyond the end says what is missing and where") {
  const TemporaryDirectory folder;
  const auto path = folder / "digits";
  write_bytes(path, "0123456789");
  const io::FileReader file(path);
  char piece[16];
  const auto says = [&](std::uint64_t offset, std::size_t bytes) {
    return complaint([&] { file.read_at(offset, piece, bytes); });
  };
  const std::string truncated = path.string() + ": truncated: needs ";
  CHECK(says(8, 3) == truncated + "3 bytes at offset 8 but the file has 10");
  CHECK(says(11, 0) == truncated + "0 bytes at offset 11 but the file has 10");
  // A sum of offset and size that wraps around must not look small.
  CHECK(says(~std::uint64_t{0}, 2) ==
        truncated + "2 bytes at offset 18446744073709551615 but the file has 10");
  CHECK(says(5, ~std::size_t{0}) ==
        truncated + "18446744073709551615 bytes at offset 5 but the file has 10");
  CHECK(complaint([&] { file.read_all(9); }) ==
        path.string() + ": has 10 bytes; at most 9 are expected");
}

TEST_CASE("a file that shrinks while it is read gives an error") {
  const TemporaryDirectory folder;
  const auto path = folder / "digits";
  write_bytes(path, "0123456789");
  const io::FileReader file(path);
  std::filesystem::resize_file(path, 4);
  char piece[10];
  CHECK(complaint([&] { file.read_at(0, piece, 10); }) ==
        path.string() + ": reading 10 bytes at offset 0 failed");
}

TEST_CASE("what is no readable file is named in the error") {
  const TemporaryDirectory folder;
  const auto open = [](const std::filesystem::path& path) {
    return complaint([&] { const io::FileReader file(path); });
  };
  const auto missing = folder / "none";
  CHECK(open(missing) == missing.string() + ": no such file");
  CHECK(open("") == ": no such file");
  CHECK(open(folder.path()) == folder.path().string() + ": not a regular file");
  write_bytes(folder / "file", "x");
  CHECK(open(folder / "file/below") == (folder / "file/below").string() + ": no such file");
  CHECK_THROWS_AS(io::FileReader{missing}, IoError);
  if (geteuid() == 0) {
    MESSAGE("SKIPPED: root reads every file, so that permissions can't be tested");
    return;
  }
  std::filesystem::permissions(folder / "file", std::filesystem::perms::none);
  CHECK(open(folder / "file") ==
        (folder / "file").string() + ": can't be opened for reading; check its permissions");
}

TEST_CASE("a committed file is whole and alone in its folder") {
  const TemporaryDirectory folder;
  const auto path = folder / "new";
  io::AtomicFileWriter file(path);
  file.write("first ", 6);
  file.write(nullptr, 0);  // the values of an empty tensor
  file.write("second", 6);
  CHECK_FALSE(std::filesystem::exists(path));  // not before commit()
  file.commit();
  CHECK(read_bytes(path) == "first second");
  CHECK(names_in(folder) == Names{"new"});
}

TEST_CASE("without a commit the target is untouched and nothing is left behind") {
  const TemporaryDirectory folder;
  const auto path = folder / "kept";
  write_bytes(path, "old");
  {
    io::AtomicFileWriter file(path);
    file.write("new", 3);
    CHECK(names_in(folder).size() == 2);
  }
  CHECK(names_in(folder) == Names{"kept"});
  const auto interrupted = [&] {
    io::AtomicFileWriter file(path);
    file.write("new", 3);
    throw std::runtime_error("in the middle");
  };
  CHECK_THROWS_WITH(interrupted(), "in the middle");
  CHECK(names_in(folder) == Names{"kept"});
  CHECK(read_bytes(path) == "old");
}

TEST_CASE("a disk that fills up gives an error and leaves nothing behind") {
  const TemporaryDirectory folder;
  const auto path = folder / "kept";
  write_bytes(path, "old");
  const std::string large(100'000, 'x');  // fails in write(), being larger than any buffer
  const std::string small(3000, 'x');     // fails in commit()
  for (const std::string& content : {large, small}) {
    CHECK(with_small_disk(2000, [&] { io::write_file_atomically(path, content); }) ==
          path.string() +
              ": writing failed: File too large; is the disk full? Make room or name "
              "another place; the old file is as it was");
    CHECK(read_bytes(path) == "old");
    CHECK(names_in(folder) == Names{"kept"});
  }
}

TEST_CASE("what an error ended, or is complete, takes no more and is not put in place") {
  const TemporaryDirectory folder;
  const auto path = folder / "kept";
  write_bytes(path, "old");
  const std::string over = path.string() + kUnwritable + "it is complete, or an error ended it";
  io::AtomicFileWriter ended(path);
  const std::string large(100'000, 'x');
  CHECK(with_small_disk(2000, [&] { ended.write(large.data(), large.size()); }) != "");
  CHECK(names_in(folder) == Names{"kept"});
  CHECK(complaint([&] { ended.write("more", 4); }) == over);
  CHECK(complaint([&] { ended.commit(); }) == over);
  CHECK(read_bytes(path) == "old");
  io::AtomicFileWriter complete(path);
  complete.write("new", 3);
  complete.commit();
  CHECK(complaint([&] { complete.write("more", 4); }) == over);
  CHECK(complaint([&] { complete.commit(); }) == over);
  CHECK(read_bytes(path) == "new");
}

TEST_CASE("two writers of one target don't disturb each other") {
  const TemporaryDirectory folder;
  const auto path = folder / "shared";
  io::AtomicFileWriter first(path);
  io::AtomicFileWriter second(path);
  first.write("the first, longer one", 21);
  second.write("the second", 10);
  first.commit();
  CHECK(read_bytes(path) == "the first, longer one");
  second.commit();
  CHECK(read_bytes(path) == "the second");
  CHECK(names_in(folder) == Names{"shared"});
}

TEST_CASE("a folder that can't be written to is found out before anything is computed") {
  const TemporaryDirectory folder;
  const auto open = [](const std::filesystem::path& path) {
    return complaint([&] { const io::AtomicFileWriter file(path); });
  };
  CHECK(open(folder / "no/file") == message((folder / "no/file").string(), kUnwritable,
                                            "there is no folder ", (folder / "no").string()));
  write_bytes(folder / "file", "x");
  CHECK(open(folder / "file/below") ==
        (folder / "file/below").string() + kUnwritable + "Not a directory");
  CHECK(names_in(folder) == Names{"file"});
  if (geteuid() == 0) {
    MESSAGE("SKIPPED: root writes everywhere, so that permissions can't be tested");
    return;
  }
  std::filesystem::create_directory(folder / "closed");
  const ReadOnly closed(folder / "closed");
  CHECK(open(folder / "closed/file") == message((folder / "closed/file").string(), kUnwritable,
                                                "the folder ", (folder / "closed").string(),
                                                " may not be written to (Permission denied)"));
}

TEST_CASE("a whole file is written at once and replaces an old one") {
  const TemporaryDirectory folder;
  const std::string bytes("a\0b\n", 4);
  io::write_file_atomically(folder / "x", "something longer than what follows");
  io::write_file_atomically(folder / "x", bytes);
  CHECK(read_bytes(folder / "x") == bytes);
  io::write_file_atomically(folder / "x", "");
  CHECK(read_bytes(folder / "x").empty());
  CHECK(names_in(folder) == Names{"x"});
}

}  // namespace sfumato::io_file_test
