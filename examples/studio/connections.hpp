#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "sfumato/core/error.hpp"

namespace studio {

/// A connection for as long as a thread serves it.
struct Connection {
  int socket = -1;
  std::atomic<bool> heard = false;  ///< its request is complete
  std::atomic<bool> over = false;
  std::thread thread;
};

/// A socket that listens, at an address or a name, at a port or, with 0, any. Throws IoError.
class Listener {
 public:
  Listener(const std::string& host, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failure != 0) {
      throw sfumato::IoError(
          sfumato::message("--host ", host, ": ", std::string(gai_strerror(failure))));
    }
    constexpr int kBacklog = 256;
    const int on = 1;
    socket_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const bool listens = socket_ != -1 && bind(socket_, found->ai_addr, found->ai_addrlen) == 0 &&
                         listen(socket_, kBacklog) == 0;
    const int error = errno;
    freeaddrinfo(found);
    if (listens) return;
    if (socket_ != -1) close(socket_);
    throw sfumato::IoError(sfumato::message("can't serve at ", host, ", port ", port, ": ",
                                            std::string(std::strerror(error)),
                                            error == EADDRINUSE ? "; take another --port" : ""));
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { close(socket_); }

  int socket() const { return socket_; }

  int port() const {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    char port[16] = "0";
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    getnameinfo(reinterpret_cast<sockaddr*>(&address), size, nullptr, 0, port, sizeof(port),
                NI_NUMERICSERV);
    return std::stoi(port);
  }

 private:
  int socket_ = -1;
};

/// Serves connections, each by a thread of its own, so many at once at most. Where there are more,
/// the one whose request has been incomplete for longest has to go, or else the oldest: who sends
/// or reads slowly keeps nobody out.
class Connections {
 public:
  static constexpr std::size_t kMost = 48;

  explicit Connections(std::function<void(Connection&)> serve) : serve_(std::move(serve)) {}
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /// Ends them all.
  ~Connections() {
    std::unique_lock lock(mutex_);
    for (Connection& connection : live_) {
      if (!connection.over) shutdown(connection.socket, SHUT_RDWR);
    }
    changed_.wait(lock, [&] { return running_ == 0; });
    reap();
  }

  /// Takes one that waits at a listening socket.
  void accept_from(const Listener& listener) {
    const int socket = accept4(listener.socket(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket != -1) {
      const int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      add(socket);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // until some have ended
    }
  }

 private:
  void add(int socket) {
    std::unique_lock lock(mutex_);
    reap();
    if (running_ >= kMost) {
      end_oldest();
      constexpr auto kPatience = std::chrono::milliseconds(1500);
      if (!changed_.wait_for(lock, kPatience, [&] { return running_ < kMost; })) {
        close(socket);
        return;
      }
      reap();
    }
    Connection& connection = live_.emplace_back();
    connection.socket = socket;
    ++running_;
    try {
      connection.thread = std::thread([this, &connection] { run(connection); });
    } catch (const std::system_error&) {
      --running_;
      live_.pop_back();
      close(socket);
    }
  }

  /// Of those whose request is incomplete, or else of all.
  void end_oldest() {
    for (const bool heard : {false, true}) {
      for (Connection& connection : live_) {
        if (connection.over || connection.heard != heard) continue;
        shutdown(connection.socket, SHUT_RDWR);
        return;
      }
    }
  }

  void run(Connection& connection) {
    serve_(connection);
    const std::lock_guard lock(mutex_);
    close(connection.socket);  // under the lock, so that nobody shuts down another's
    connection.over = true;
    --running_;
    changed_.notify_all();
  }

  /// Joins the threads that have ended, or are about to.
  void reap() {
    for (auto connection = live_.begin(); connection != live_.end();) {
      if (!connection->over) {
        ++connection;
        continue;
      }
      connection->thread.join();
      connection = live_.erase(connection);
    }
  }

  std::function<void(Connection&)> serve_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Connection> live_;
  std::size_t running_ = 0;
};

}  // namespace studio
