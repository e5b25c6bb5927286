#!/usr/bin/env bash
# Guess:   std::vector<double>{1, 1, 0, 0}, compiled for a processor with AVX-512, has those elements; and where GCC 12
#          gets a constant wrong there, it is its vectoriser's fault, and turning that off is the remedy.
# Seen:    the elements are 1, 1, 1, 1. A constant of 32 bytes that begins with equal words of 8 bytes and goes on with
#          zeros loses the zeros when it is copied: as a number it has no leading zeros, and the compiler asks only
#          whether the words that are left are alike. memcpy does it at -O1 already, and without the vectoriser. With
#          -mmove-max=128 -mstore-max=128 no number is so long, and all copies are right.
# Version: g++ 12.2.0 (Debian 12), with -mavx512f or a -march that has it
# Matters: one-hot rows, masks, shapes and texts are such constants, and -march=native makes them wrong without a word.
set -euo pipefail
[ "$(g++-12 -dumpfullversion 2> /dev/null)" = 12.2.0 ] || { echo "SKIP: no g++ 12.2.0"; exit 0; }
grep -q avx512f /proc/cpuinfo || { echo "SKIP: no AVX-512"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > copy.cpp <<'END'
#include <cstdio>
#include <cstring>
#include <vector>

template <class T>
__attribute__((noipa)) void print(const T* words) {
  std::printf("%.0f%.0f%.0f%.0f ", double(words[0]), double(words[1]), double(words[2]), double(words[3]));
}
__attribute__((noipa)) void copy_equal(char* to) {
  std::memcpy(to, "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
}
__attribute__((noipa)) void copy_other(char* to) {
  std::memcpy(to, "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
}

int main() {
  const std::vector<double> numbers{1, 1, 0, 0};
  print(numbers.data());
  long long words[4];
  copy_equal(reinterpret_cast<char*>(words));
  print(words);
  copy_other(reinterpret_cast<char*>(words));
  print(words);
}
END
while IFS="|" read -r options expected; do
  g++-12 $options copy.cpp -o copy
  found=$(./copy)
  echo "g++ 12.2.0 $options: vector {1, 1, 0, 0}, memcpy of 1, 1, 0, 0 and of 1, 2, 0, 0: $found"
  [ "$found" = "$expected " ]
done <<'END'
-O0|1100 1100 1200
-O3 -mavx2|1100 1100 1200
-O1 -mavx512f|1100 1111 1200
-O2 -mavx512f|1111 1111 1200
-O3 -march=x86-64-v4|1111 1111 1200
-O3 -march=x86-64-v4 -fno-tree-slp-vectorize|1100 1111 1200
-O3 -march=x86-64-v4 -mmove-max=128 -mstore-max=128|1100 1100 1200
END
echo "as described"
