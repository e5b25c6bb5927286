#!/usr/bin/env bash
# Builds the tests of the CPU, the ops and autodiff for 64-bit ARM and runs them under qemu-aarch64, which takes some
# minutes. Needs Debian's g++-aarch64-linux-gnu and qemu-user.
#   tests/aarch64.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$program" > /dev/null || { echo "aarch64.sh: no $program; apt install g++-aarch64-linux-gnu qemu-user" >&2; exit 1; }
done
cmake --preset aarch64
cmake --build --preset aarch64 --target cpu_tests ops_tests autodiff_tests
ctest --preset aarch64 -R '^(cpu|ops|autodiff)_' -j "$(nproc)"
