#!/usr/bin/env bash
# Builds everything and runs every test, on a machine as it comes: what is missing is installed first.
#   tests/run.sh [--preset NAME]        release, debug, asan, full (with slow tests) or ci (the default)
# Ends with ctest's closing line and ctest's exit status.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=ci
while [ $# -gt 0 ]; do
  case $1 in
    --preset) [ $# -ge 2 ] || { echo "run.sh: --preset needs a name" >&2; exit 2; }; preset=$2; shift ;;
    *) echo "usage: tests/run.sh [--preset NAME]" >&2; exit 2 ;;
  esac
  shift
done

packages=(g++ cmake ninja-build ccache pkg-config libeigen3-dev libxtensor-dev doctest-dev
  libbenchmark-dev libsimde-dev libjpeg62-turbo-dev libpng-dev libwebp-dev liblcms2-dev libcli11-dev
  nlohmann-json3-dev libzip-dev libcpp-httplib-dev python3 curl)
[ "$preset" != full ] || packages+=(ffmpeg libopencv-dev libopenmpi-dev openmpi-bin)
case $preset in asan | tsan) packages+=(clang libclang-rt-dev) ;; esac
.ci/install "${packages[@]}"

cmake --preset "$preset"
cmake --build --preset "$preset"

# ctest lists the failures after its closing line; the closing line is said once more, last of all.
log=build/$preset/ctest.log
status=0
ctest --preset "$preset" --parallel "$(nproc 2>/dev/null || echo 2)" 2>&1 | tee "$log" || status=$?
grep -E '^[0-9]+% tests passed|^No tests were found' "$log" | tail -n 1 || true
exit "$status"
