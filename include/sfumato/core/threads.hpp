#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <list>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sfumato/core/error.hpp"
#include "sfumato/core/fork.hpp"
#include "sfumato/core/processors.hpp"

namespace sfumato {

namespace detail {

/// Workers that share the chunks of one loop at a time with the thread that started it. In a child
/// of fork(), where none of them lives, the first loop starts others.
class ThreadPool {
 public:
  static ThreadPool& shared() {
    static ThreadPool pool;
    return pool;
  }

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { stop(); }

  int thread_count() const { return thread_count_.load(std::memory_order_relaxed); }

  /// Throws ValueError inside a parallel loop, which would wait for itself.
  void resize(int threads) {
    if (inside_loop()) {
      throw ValueError("set_thread_count: called inside a parallel loop; call it outside");
    }
    const std::lock_guard caller(meeting_.caller);
    stop();
    thread_count_.store(threads, std::memory_order_relaxed);
    start();
  }

  /// Runs `body(context, chunk)` for every chunk in [0, chunks), each exactly once, and returns
  /// when all are done. The first exception is thrown again here.
  void run(std::int64_t chunks, void (*body)(void*, std::int64_t), void* context) {
    // A loop inside a loop, or in a second program thread, runs on its own thread: no waiting for
    // workers that may be waiting for us.
    std::unique_lock caller(meeting_.caller, std::defer_lock);
    if (inside_loop() || chunks <= 1 || thread_count() == 1 || !caller.try_lock()) {
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
      return;
    }
    if (!started_) start();
    const int forks = forks_;
    {
      const std::lock_guard lock(meeting_.mutex);
      body_ = body;
      context_ = context;
      share_out(chunks);
      meeting_.failure = nullptr;
      meeting_.open = true;
      ++meeting_.loop_number;
    }
    meeting_.wake.notify_all();
    work(0);
    if (forks_ != forks) {
      caller.release();  // what it held is not in this process
      throw ResourceError(
          "parallel_for: the process was forked inside the loop, whose other threads are in the "
          "parent alone; leave such a child by exec or _exit");
    }
    std::unique_lock lock(meeting_.mutex);
    meeting_.open = false;  // whoever has slept until now has nothing left to do
    lock.unlock();
    spin_until([this] { return meeting_.busy == 0; });
    lock.lock();
    meeting_.done.wait(lock, [this] { return meeting_.busy == 0; });
    if (meeting_.failure) std::rethrow_exception(std::exchange(meeting_.failure, nullptr));
  }

 private:
  /// Consecutive chunks that one thread begins with. In the next loop over the same data it gets
  /// the same part and finds it in its own cache.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next = 0;
    std::int64_t end = 0;
  };

  /// Where the threads meet.
  struct Meeting {
    std::mutex caller;  // held by the program thread whose loop is running
    std::mutex mutex;   // guards what follows
    std::condition_variable wake;
    std::condition_variable done;
    bool stopping = false;
    bool open = false;  // a loop is running that workers may join
    // Changed with the mutex held, but watched without it.
    std::atomic<std::uint64_t> loop_number = 0;
    std::atomic<int> busy = 0;  // workers in the loop
    std::exception_ptr failure;
  };

  ThreadPool() : thread_count_(usable_processors()) {
    static ThreadPool* only;
    only = this;
    lost_threads();  // made now, as the child can't be sure of memory
    at_fork(nullptr, nullptr, [] { only->begin_anew(); });
  }

  static bool& inside_loop() {
    thread_local bool inside = false;
    return inside;
  }

  /// Threads of processes that this one was forked from. Never destroyed: they can't be joined.
  static std::list<std::thread>& lost_threads() {
    static auto* const lost = new std::list<std::thread>();
    return *lost;
  }

  /// What a child does first.
  void begin_anew() noexcept {
    lost_threads().splice(lost_threads().end(), workers_);
    new (&meeting_) Meeting;  // over one that those who hold its mutexes will never leave
    started_ = false;
    ++forks_;
  }

  /// Throws std::bad_alloc, and has started nothing then.
  void start() {
    const int threads = thread_count();
    shares_ = std::vector<Share>(static_cast<std::size_t>(threads));
    meeting_.stopping = false;
    try {
      for (int i = 1; i < threads; ++i) {
        workers_.emplace_back([this, i, seen = meeting_.loop_number.load()] {
          serve(static_cast<std::size_t>(i), seen);
        });
      }
    } catch (const std::system_error&) {
      // Fewer threads than asked for still compute the same results.
    } catch (...) {
      stop();
      throw;
    }
    thread_count_.store(static_cast<int>(workers_.size()) + 1, std::memory_order_relaxed);
    started_ = true;
  }

  void stop() {
    {
      const std::lock_guard lock(meeting_.mutex);
      meeting_.stopping = true;
    }
    meeting_.wake.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    started_ = false;
  }

  /// Waits a little, awake: loops follow one another so closely that falling asleep and being woken
  /// would cost more. Other programs that want the processor get it meanwhile.
  template <class Condition>
  static void spin_until(const Condition& condition) {
    constexpr std::chrono::milliseconds kLongest{1};
    constexpr int kSpins = 1000;  // some 50 µs
    if (condition()) return;      // before a look at the clock, which takes time itself
    const auto end = std::chrono::steady_clock::now() + kLongest;
    do {
      for (int i = 0; i < kSpins; ++i) {
        if (condition()) return;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
      }
      std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < end);
  }

  void serve(std::size_t thread, std::uint64_t seen) {
    while (true) {
      spin_until([&] { return meeting_.loop_number != seen; });
      std::unique_lock lock(meeting_.mutex);
      meeting_.wake.wait(lock, [&] { return meeting_.stopping || meeting_.loop_number != seen; });
      if (meeting_.stopping) return;
      seen = meeting_.loop_number;
      if (!meeting_.open) continue;
      ++meeting_.busy;
      lock.unlock();
      work(thread);
      lock.lock();
      if (--meeting_.busy == 0) meeting_.done.notify_one();
    }
  }

  void share_out(std::int64_t chunks) {
    const int threads = thread_count();
    for (std::int64_t thread = 0; thread < threads; ++thread) {
      Share& share = shares_[static_cast<std::size_t>(thread)];
      share.next.store(chunks * thread / threads, std::memory_order_relaxed);
      share.end = chunks * (thread + 1) / threads;
    }
  }

  /// Takes chunks of the thread's own share, then of others' that have not finished theirs.
  void work(std::size_t thread) {
    inside_loop() = true;
    try {
      for (std::size_t i = 0; i < shares_.size(); ++i) {
        Share& share = shares_[(thread + i) % shares_.size()];
        while (true) {
          const std::int64_t chunk = share.next.fetch_add(1, std::memory_order_relaxed);
          if (chunk >= share.end) break;
          body_(context_, chunk);
        }
      }
    } catch (...) {
      const std::lock_guard lock(meeting_.mutex);
      if (!meeting_.failure) meeting_.failure = std::current_exception();
      for (Share& share : shares_) share.next.store(share.end, std::memory_order_relaxed);
    }
    inside_loop() = false;
  }

  Meeting meeting_;
  std::list<std::thread> workers_;
  std::atomic<int> thread_count_;  // the workers and the caller; read without the mutexes
  bool started_ = false;           // there are as many workers as that
  int forks_ = 0;                  // between the first process and this one
  void (*body_)(void*, std::int64_t) = nullptr;
  void* context_ = nullptr;
  std::vector<Share> shares_;  // the caller's and each worker's; more when threads were refused
};

}  // namespace detail

/// How many threads the CPU's loops use: usable_processors() unless set.
inline int thread_count() {
  return detail::ThreadPool::shared().thread_count();
}

/// Sets how many threads the CPU's loops use. Results do not depend on it: the same bits for any
/// number. Throws ValueError for a number below 1 or above 1024, and inside a parallel loop.
inline void set_thread_count(int threads) {
  if (threads < 1 || threads > 1024) {
    throw ValueError(message("set_thread_count: ", threads, " is not between 1 and 1024"));
  }
  detail::ThreadPool::shared().resize(threads);
}

/// Calls `body(begin, end)` for consecutive pieces of [0, count), `grain` long (the last one may be
/// shorter), on all threads. How the range is cut depends on `grain` alone, never on the number of
/// threads, so a body that combines results by piece gives the same bits on any machine.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  struct Context {
    const Body& body;
    std::int64_t count;
    std::int64_t grain;
  } context{body, count, std::max<std::int64_t>(grain, 1)};
  const std::int64_t chunks = count <= 0 ? 0 : (count - 1) / context.grain + 1;
  detail::ThreadPool::shared().run(
      chunks,
      [](void* opaque, std::int64_t chunk) {
        const Context& loop = *static_cast<Context*>(opaque);
        const std::int64_t begin = chunk * loop.grain;
        loop.body(begin, begin + std::min(loop.grain, loop.count - begin));
      },
      &context);
}

}  // namespace sfumato
