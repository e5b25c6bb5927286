#pragma once

#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>

#include "connections.hpp"

namespace studio {

/// A connection as the HTTP library reads and writes it: with an end to everybody's patience, and
/// to what a request may hold.
class Wire : public httplib::Stream {
 public:
  static constexpr std::size_t kMostHead = std::size_t{32} << 10;  ///< bytes of a request's head
  static constexpr int kHeadSeconds = 10;  ///< until that is there, or a moment without progress
  static constexpr std::int64_t kSlowest = std::int64_t{64} << 10;  ///< bytes a second, beyond that

  explicit Wire(Connection& connection) : connection_(connection), socket_(connection.socket) {}

  /// The head is there, and a body of so many bytes follows.
  void expect_body(std::size_t bytes) {
    allowed_ = bytes - std::min(bytes, filled_ - taken_);
    connection_.heard = allowed_ == 0;
    until_ = after(bytes);
  }

  // Newer versions of the library have renamed some.
  bool is_readable() const { return wait(POLLIN, until_); }
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return is_writable(); }
  bool is_peer_alive() const { return is_writable(); }
  /// Whether the other side is still there.
  bool is_writable() const {
    pollfd one{socket_, POLLOUT | POLLRDHUP, 0};
    const int ready = poll(&one, 1, kHeadSeconds * 1000);
    return ready == 1 && (one.revents & (POLLERR | POLLHUP | POLLNVAL | POLLRDHUP)) == 0;
  }

  ssize_t read(char* target, size_t size) {
    if (taken_ == filled_) {
      if (allowed_ == 0 || !wait(POLLIN, until_)) return -1;
      const ssize_t got = recv(socket_, buffer_.data(), std::min(buffer_.size(), allowed_), 0);
      if (got <= 0) return got;
      allowed_ -= static_cast<std::size_t>(got);
      connection_.heard = allowed_ == 0;
      taken_ = 0;
      filled_ = static_cast<std::size_t>(got);
    }
    const std::size_t count = std::min(size, filled_ - taken_);
    std::memcpy(target, buffer_.data() + taken_, count);
    taken_ += count;
    return static_cast<ssize_t>(count);
  }

  using httplib::Stream::write;
  ssize_t write(const char* source, size_t size) {
    const Clock::time_point until = after(size);
    for (std::size_t at = 0; at < size;) {
      const ssize_t sent = send(socket_, source + at, size - at, MSG_NOSIGNAL);
      if (sent > 0) {
        at += static_cast<std::size_t>(sent);
      } else if (errno != EINTR && (errno != EAGAIN || !wait(POLLOUT, until))) {
        return -1;
      }
    }
    return static_cast<ssize_t>(size);
  }

  /// Has the other side read the answer, also where it is still sending: closing at once would take
  /// that from it.
  void close_in_order() {
    shutdown(socket_, SHUT_WR);
    const Clock::time_point until = Clock::now() + std::chrono::milliseconds(300);
    while (wait(POLLIN, until) && recv(socket_, buffer_.data(), buffer_.size(), 0) > 0) continue;
  }

  void get_remote_ip_and_port(std::string&, int&) const {}
  void get_local_ip_and_port(std::string&, int&) const {}
  socket_t socket() const { return socket_; }
  time_t duration() const { return 0; }

 private:
  using Clock = std::chrono::steady_clock;

  static Clock::time_point after(std::size_t bytes) {
    return Clock::now() + std::chrono::seconds(kHeadSeconds) +
           std::chrono::seconds(static_cast<std::int64_t>(bytes) / kSlowest);
  }

  bool wait(short what, Clock::time_point until) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd one{socket_, what, 0};
    return left > 0 && poll(&one, 1, static_cast<int>(left)) == 1;
  }

  Connection& connection_;
  int socket_;
  std::array<char, 16384> buffer_;
  std::size_t taken_ = 0;
  std::size_t filled_ = 0;
  std::size_t allowed_ = kMostHead;
  Clock::time_point until_ = after(0);
};

}  // namespace studio
