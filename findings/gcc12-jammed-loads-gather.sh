#!/usr/bin/env bash
# Guess:   -O3 makes sums of neighbouring elements, totals[k] += weight * row[k] for each of some rows, no slower than
#          -O2 with the same vectors: the rows are read one element after the other.
# Seen:    -O3 joins the loop of one row with that of the next (-floop-unroll-and-jam), reads the first row as it
#          stands, and gathers the second's neighbouring floats from memory one by one, which takes four to six times as long.
#          Without that option there is no gather. A function of its own for the inner loop helps as well.
# Version: g++ 12.2.0 (Debian 12), with -march=haswell and later ones (not with -mavx2 alone)
# Matters: resizing, sparse products and separable filters are such loops: a resized picture took three times as long.
set -euo pipefail
[ "$(g++-12 -dumpfullversion 2> /dev/null)" = 12.2.0 ] || { echo "SKIP: no g++ 12.2.0"; exit 0; }
grep -q avx2 /proc/cpuinfo && grep -q fma /proc/cpuinfo || { echo "SKIP: no AVX2"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > sums.cpp <<'END'
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

__attribute__((noipa)) void weigh(long count, float* out, const float* x, long stride, const long* rows,
                                  const double* weights, long terms) {
  double totals[256];
  for (double& total : totals) total = 0.0;
  for (long i = 0; i < terms; ++i) {
    const float* row = x + rows[i] * stride;
    for (long k = 0; k < count; ++k) totals[k] += weights[i] * row[k];
  }
  for (long k = 0; k < count; ++k) out[k] = float(totals[k]);
}

int main() {
  const std::vector<float> x(64 * 256, 0.5F);
  std::vector<float> out(256);
  const long rows[8] = {3, 9, 17, 22, 31, 40, 47, 60};
  const double weights[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  double best = 1e9;
  for (int turn = 0; turn < 200; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; ++i) weigh(256, out.data(), x.data(), 256, rows, weights, 8);
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / (200.0 * 256 * 8));
  }
  std::printf("%.4f\n", out[255] == 18 ? best : -1);
}
END
build() { g++-12 -march=haswell "$@" -S sums.cpp -o sums.s && g++-12 sums.s -o sums; grep -c vgather sums.s || true; }
gathers=$(build -O3); slow=$(./sums)
none=$(build -O3 -fno-loop-unroll-and-jam); fast=$(./sums)
echo "g++ 12.2.0 -O3 -march=haswell: $gathers gathers, $slow ns a term; with -fno-loop-unroll-and-jam: $none, $fast ns"
[ "$gathers" -gt 0 ]
[ "$none" -eq 0 ]
awk -v slow="$slow" -v fast="$fast" 'BEGIN { exit !(fast > 0 && slow > 1.5 * fast) }'
echo "as described"
