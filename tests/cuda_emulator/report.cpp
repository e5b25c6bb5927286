#include "report.hpp"

#include <cuda_runtime_api.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "memory.hpp"

namespace emulator {

namespace {

struct Order {
  std::string call;
  int status;
  std::size_t wait;   // calls until the next failure
  std::size_t every;  // 0: once
};

struct Handle {
  const char* kind;
  bool alive;
  std::string context;
};

// Never destroyed: programs' static objects call in when they are.
struct Report {
  std::recursive_mutex lock;
  std::string context;
  std::deque<std::string> violations;
  std::size_t dropped = 0;
  bool doomed = false;  // a test left violations
  std::map<const void*, Handle> handles;
  std::size_t forgiven = 0;
  std::vector<Order> orders;
  std::string failed_call;
  Counters counters;
  int device_count = 1;
};

Report& report() {
  static Report* const instance = new Report();
  return *instance;
}

void print_untaken() {
  for (const std::string& what : take_violations()) {
    std::fprintf(stderr, "cuda emulator: %s\n", what.c_str());
    report().doomed = true;
  }
}

/// Says that all there was is gone, by kind; nothing if there was nothing.
void print_all_gone() {
  std::map<std::string, std::size_t> kinds;
  for (const auto& [address, handle] : report().handles) ++kinds[handle.kind];
  const std::size_t blocks = allocations_so_far();
  if (blocks == 0 && kinds.empty()) return;
  std::string all = text("memory block: ", blocks);
  for (const auto& [kind, number] : kinds) all += text(", ", kind, ": ", number);
  std::printf("cuda emulator: no leaks; made and destroyed were: %s\n", all.c_str());
  if (report().forgiven > 0) {
    std::printf("cuda emulator: %zu of them were forgiven, where a test made destroying fail\n",
                report().forgiven);
  }
}

/// Last of all that the program does, behind its static destructors. Whoever sets the variable runs
/// a program as users write it, which leaves to the system what it has at the end.
void finish() {
  const bool strict = std::getenv("SFUMATO_EMULATOR_FORGIVES_LEAKS") == nullptr;
  if (strict) check_leaks();
  print_untaken();
  if (!report().doomed) {
    if (strict) print_all_gone();
    return;
  }
  std::fputs("cuda emulator: no test took these wrong uses\n", stderr);
  std::fflush(nullptr);
  ::_exit(kUntakenExit);
}

// What is registered first runs last.
__attribute__((constructor(101))) void register_finish() {
  std::atexit(finish);
}

}  // namespace

std::recursive_mutex& big_lock() {
  return report().lock;
}

void add_violation(std::string what) {
  const std::lock_guard lock(big_lock());
  constexpr std::size_t kEnough = 1000;
  if (report().violations.size() >= kEnough) {
    ++report().dropped;
    return;
  }
  if (!report().context.empty()) what += " [in " + report().context + "]";
  report().violations.push_back(std::move(what));
}

std::vector<std::string> take_violations() {
  const std::lock_guard lock(big_lock());
  std::vector<std::string> taken(report().violations.begin(), report().violations.end());
  if (report().dropped > 0) taken.push_back(text("and ", report().dropped, " more"));
  report().violations.clear();
  report().dropped = 0;
  return taken;
}

std::size_t violation_count() {
  const std::lock_guard lock(big_lock());
  return report().violations.size();
}

void end_of_test() {
  const std::lock_guard lock(big_lock());
  print_untaken();
  report().orders.clear();
  report().device_count = 1;
  set_memory_limit(kMemoryLimit);
}

void set_context(const std::string& context) {
  const std::lock_guard lock(big_lock());
  report().context = context;
}

std::vector<std::string> live_objects() {
  const std::lock_guard lock(big_lock());
  std::vector<std::string> live = live_memory();
  for (const auto& [address, handle] : report().handles) {
    if (handle.alive) {
      live.push_back(text(handle.kind, " ", address, " created in '", handle.context, "'"));
    }
  }
  return live;
}

void forgive_live_objects() {
  const std::lock_guard lock(big_lock());
  report().forgiven += live_objects().size();
  forgive_live_memory();
  for (auto& [address, handle] : report().handles) handle.alive = false;
}

void check_leaks() {
  for (const std::string& object : live_objects()) violation("leak: ", object);
}

void fail_next_call(const std::string& call, int status, std::size_t after) {
  const std::lock_guard lock(big_lock());
  report().orders.push_back({call, status, after, 0});
  report().failed_call.clear();
}

void fail_every_call(const std::string& call, int status, std::size_t n) {
  const std::lock_guard lock(big_lock());
  report().orders.push_back({call, status, n - 1, n});
}

bool stop_failing() {
  const std::lock_guard lock(big_lock());
  const bool all = std::all_of(report().orders.begin(), report().orders.end(),
                               [](const Order& order) { return order.every > 0; });
  report().orders.clear();
  return all;
}

std::string failed_call() {
  const std::lock_guard lock(big_lock());
  return report().failed_call;
}

int called(const char* call, bool& by_any) {
  ++report().counters.calls[call];
  auto& orders = report().orders;
  for (auto order = orders.begin(); order != orders.end(); ++order) {
    by_any = order->call == "*";
    if (!by_any && order->call != call) continue;
    if (order->wait > 0) {
      --order->wait;
      continue;
    }
    const int status = order->status;
    report().failed_call = call;
    if (order->every > 0) {
      order->wait = order->every - 1;
    } else {
      orders.erase(order);
    }
    return status;
  }
  return 0;
}

void set_device_count(int count) {
  const std::lock_guard lock(big_lock());
  report().device_count = count;
}

int device_count() {
  return report().device_count;
}

Counters& count() {
  return report().counters;
}

Counters counters() {
  const std::lock_guard lock(big_lock());
  return report().counters;
}

void reset_counters() {
  const std::lock_guard lock(big_lock());
  const std::size_t in_use = report().counters.bytes_in_use;
  report().counters = {};
  report().counters.bytes_in_use = report().counters.peak_bytes_in_use = in_use;
}

void handle_created(const void* handle, const char* kind) {
  report().handles[handle] = {kind, true, report().context};
}

bool handle_alive(const char* call, const void* handle, const char* kind) {
  if (handle == nullptr) {
    violation(call, ": the ", kind, " is null");
    return false;
  }
  const auto found = report().handles.find(handle);
  if (found == report().handles.end()) {
    violation(call, ": ", handle, " is no ", kind);
    return false;
  }
  if (found->second.kind != std::string(kind)) {
    violation(call, ": ", handle, " is a ", found->second.kind, " and no ", kind);
    return false;
  }
  if (!found->second.alive) {
    violation(call, ": the ", kind, " ", handle, " was destroyed");
    return false;
  }
  return true;
}

bool handle_destroyed(const char* call, const void* handle, const char* kind) {
  if (!handle_alive(call, handle, kind)) return false;
  report().handles[handle].alive = false;
  return true;
}

}  // namespace emulator
