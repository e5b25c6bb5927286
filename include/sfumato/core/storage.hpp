#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace sfumato {

namespace detail {

/// A block of a device's memory and what those who share it know of it. Who makes it, as the pool
/// does, gets it back by `put_back` when the last of them lets go: that must need nothing which may
/// fail.
struct Block {
  std::byte* memory = nullptr;
  std::size_t size = 0;  // in bytes
  std::atomic<std::size_t> owners = 0;
  std::atomic<std::uint64_t> version = 0;
  bool foreign = false;  // not a pool's: others may use it who have no share
  void (*put_back)(Block&) noexcept = nullptr;
};

}  // namespace detail

/// A share in a block of a device's memory, which returns to its pool when the last share goes.
/// Counts how often the values in it may have been changed, so that whoever saved them can tell
/// whether they are still the same. Copying and dropping shares is safe on several threads.
class Storage {
 public:
  /// No memory at all.
  Storage() = default;

  /// The first share in a block.
  explicit Storage(detail::Block& block) noexcept : block_(&block) {
    block.owners.store(1, std::memory_order_relaxed);
    block.version.store(next_first_version(), std::memory_order_relaxed);
  }

  Storage(const Storage& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Storage(Storage&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Storage& operator=(Storage other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Storage() {
    // What others did to the memory comes before what its next owner does.
    if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      block_->put_back(*block_);
    }
  }

  /// The memory; null when there is none.
  std::byte* data() const { return block_ == nullptr ? nullptr : block_->memory; }

  bool owned_alone() const {
    return block_ != nullptr && !block_->foreign &&
           block_->owners.load(std::memory_order_acquire) == 1;
  }

  /// Which block this is and how often note_change() has been called since the pool handed it out:
  /// no two have a version in common, even if they are the same memory. 0 when there is none.
  std::uint64_t version() const {
    return block_ == nullptr ? 0 : block_->version.load(std::memory_order_relaxed);
  }

  /// To be called by whoever gets a way to write into the memory.
  void note_change() const {
    if (block_ != nullptr) block_->version.fetch_add(1, std::memory_order_relaxed);
  }

  /// Whether two versions are of one block.
  static bool same_block(std::uint64_t a, std::uint64_t b) {
    return first_version(a) == first_version(b);
  }

  /// The version that the block of a version began with.
  static std::uint64_t first_version(std::uint64_t version) {
    return version >> kChangeBits << kChangeBits;
  }

  /// What is handed out from now on has at least this version, and what was before a smaller one.
  static std::uint64_t next_version() {
    return (blocks().load(std::memory_order_relaxed) + 1) << kChangeBits;
  }

  /// True for two shares in one block, and for none and none.
  friend bool operator==(const Storage&, const Storage&) = default;

 private:
  static constexpr int kChangeBits = 32;  // below them, a version has the number of the block

  static std::atomic<std::uint64_t>& blocks() {
    static std::atomic<std::uint64_t> count = 0;
    return count;
  }
  static std::uint64_t next_first_version() {
    return (blocks().fetch_add(1, std::memory_order_relaxed) + 1) << kChangeBits;
  }

  detail::Block* block_ = nullptr;
};

}  // namespace sfumato
