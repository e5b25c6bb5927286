#include <doctest/doctest.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <string>
#include <vector>

#include "sfumato/core/processors.hpp"
#include "sfumato/core/threads.hpp"
#include "support/fake_system.hpp"

namespace sfumato::core_processors_test {
namespace {

constexpr const char* kSecond =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 none rw\n";
constexpr const char* kFirst =
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

}  // namespace

TEST_CASE("control groups are found from the process's own up to the outermost") {
  const FakeSystem second("0::/a.slice/b.scope\n", kSecond);
  const std::string top = second.root() + "/sys/fs/cgroup";
  CHECK(detail::control_groups("cpu", second.root()) ==
        std::vector<std::string>{top + "/a.slice/b.scope", top + "/a.slice", top});

  const FakeSystem first("4:memory:/x/y\n2:cpuacct,cpu:/\n0::/\n", kFirst);
  const std::string memory = first.root() + "/sys/fs/cgroup/memory";
  CHECK(detail::control_groups("memory", first.root()) ==
        std::vector<std::string>{memory + "/x/y", memory + "/x", memory});
  CHECK(detail::control_groups("cpu", first.root()) ==
        std::vector<std::string>{first.root() + "/sys/fs/cgroup/cpu"});

  // In a container the mount begins at its own group, whose name outside is seen all the same.
  const FakeSystem inside("7:cpu:/docker/1234/sub\n",
                          "9 8 0:1 /docker/1234 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  const std::string cpu = inside.root() + "/sys/fs/cgroup/cpu";
  CHECK(detail::control_groups("cpu", inside.root()) ==
        std::vector<std::string>{cpu + "/sub", cpu});

  const FakeSystem other("0::/../else\n", kSecond);
  CHECK(detail::control_groups("cpu", other.root()) ==
        std::vector<std::string>{other.root() + "/sys/fs/cgroup"});

  CHECK(detail::control_groups("cpu", second.root() + "/nowhere").empty());
  const FakeSystem odd("nonsense\n:\n0::\n", "\n1 2 3\n- - - - - - -\n");
  CHECK(detail::control_groups("cpu", odd.root()).empty());
}

TEST_CASE("the processors' quota is the smallest of all groups") {
  FakeSystem second("0::/a/b\n", kSecond);
  CHECK(detail::processor_quota(second.root()) == 0.0);
  second.write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  CHECK(detail::processor_quota(second.root()) == 0.0);
  second.write("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  CHECK(detail::processor_quota(second.root()) == 1.5);
  second.write("/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  CHECK(detail::processor_quota(second.root()) == 1.5);
  second.write("/sys/fs/cgroup/a/b/cpu.max", "25000 50000\n");
  CHECK(detail::processor_quota(second.root()) == 0.5);

  FakeSystem first("2:cpu,cpuacct:/g\n", kFirst);
  first.write("/sys/fs/cgroup/cpu/g/cpu.cfs_quota_us", "-1\n");
  first.write("/sys/fs/cgroup/cpu/g/cpu.cfs_period_us", "100000\n");
  CHECK(detail::processor_quota(first.root()) == 0.0);
  first.write("/sys/fs/cgroup/cpu/g/cpu.cfs_quota_us", "300000\n");
  CHECK(detail::processor_quota(first.root()) == 3.0);
}

#ifdef __linux__
TEST_CASE("processors that the process may not run on are not counted") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
  CHECK(usable_processors() >= 1);
  CHECK(usable_processors() <= CPU_COUNT(&before));
  cpu_set_t one;
  CPU_ZERO(&one);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  CHECK(usable_processors() == 1);
  REQUIRE(sched_setaffinity(0, sizeof(before), &before) == 0);
}
#endif

}  // namespace sfumato::core_processors_test
