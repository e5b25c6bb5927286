// neural_style studio: pictures painted in the browser. What takes long to compile of it is here
// alone.

#include <malloc.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "connections.hpp"
#include "document.hpp"
#include "neural_style/signals.hpp"
#include "neural_style/studio.hpp"
#include "painter.hpp"
#include "pictures.hpp"
#include "queue.hpp"
#include "results.hpp"
#include "routes.hpp"
#include "server.hpp"

namespace {

using namespace studio;

/// 128 random bits.
std::string new_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) {
    char word[16];
    std::snprintf(word, sizeof(word), "%08x", static_cast<unsigned>(random()));
    token += word;
  }
  return token;
}

/// A thread that ends with its block, whatever ends that.
class Host {
 public:
  template <class Work>
  Host(const Work& work, std::atomic<bool>& over) : over_(over), thread_(work) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool>& over_;
  std::thread thread_;
};

/// Takes connections until a signal comes, of which it tells the queue. A second one ends the
/// program at once.
void take_connections(const Listener& listener, const sigset_t& signals, Connections& connections,
                      Queue& queue, const std::atomic<bool>& over) {
  constexpr int kMilliseconds = 200;
  const int told = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  while (!over) {
    std::array<pollfd, 2> both{pollfd{listener.socket(), POLLIN, 0}, pollfd{told, POLLIN, 0}};
    poll(both.data(), both.size(), kMilliseconds);
    signalfd_siginfo signal{};
    if (read(told, &signal, sizeof(signal)) == sizeof(signal)) {
      const int number = static_cast<int>(signal.ssi_signo);
      if (queue.ends() != 0) _exit(neural_style::kBySignal + number);
      queue.end(number);
    }
    if ((both[0].revents & POLLIN) != 0 && queue.ends() == 0) connections.accept_from(listener);
  }
  close(told);
}

}  // namespace

int neural_style::serve_studio(const Arguments& a, const Paint& paint) {
#ifdef M_ARENA_MAX          // glibc's
  mallopt(M_ARENA_MAX, 2);  // else every thread that has ever served keeps some memory
#endif
  const sigset_t signals = block_signals();
  begin_painting();
  const std::filesystem::path root =
      a.folder.empty() ? usual_folder() : std::filesystem::path(a.folder);
  const Folder folder(root, {"pictures", "results"});
  Pictures pictures(root / "pictures");
  Queue queue(Results(root / "results"));
  const Listener listener(a.host, a.port);
  const Door door{a.host, is_loopback(a.host) ? "" : new_token()};
  const Document document = studio_document();
  std::atomic<int> listeners = 0;
  std::atomic<bool> over = false;
  Server server(door, document.policy);
  add_routes(server, document.text, a, pictures, queue, listeners);

  const bool is_six = a.host.find(':') != std::string::npos;
  std::printf(
      "The studio is at http://%s%s%s:%d/%s%s\nWhat it paints is kept in %s; Ctrl-C ends it.\n",
      is_six ? "[" : "", a.host.c_str(), is_six ? "]" : "", listener.port(),
      door.token.empty() ? "" : "?token=", door.token.c_str(), root.c_str());
  std::fflush(stdout);
  {
    Connections connections([&](Connection& connection) { server.answer(connection); });
    const Host host([&] { take_connections(listener, signals, connections, queue, over); }, over);
    while (const std::optional<studio::Job> job = queue.next()) {
      paint_job(*job, a, pictures, queue, paint);
    }
  }
  return kBySignal + queue.ends();
}
