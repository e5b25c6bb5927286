#!/usr/bin/env bash
# Guess:   memcpy of a constant of 32 bytes, compiled for a processor with AVX-512, copies the constant; what goes wrong
#          in GCC 12 there is its vectoriser's work, and turning that off is the remedy.
# Seen:    of a constant that begins with equal words of 8 bytes and goes on with zeros, the zeros are lost: the first
#          word is copied over all four, at -O1 already, and without the vectoriser. The number that the compiler takes
#          the 32 bytes for has no leading zeros, and it asks only whether the words that are left are alike. With
#          -mmove-max=128 -mstore-max=128 no number is so long, and the copy is right.
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
#include <initializer_list>

__attribute__((noipa)) void equal_words(char* to) {
  std::memcpy(to, "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
}
__attribute__((noipa)) void other_words(char* to) {
  std::memcpy(to, "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
}

int main() {
  long long words[4];
  for (auto copy : {equal_words, other_words}) {
    copy(reinterpret_cast<char*>(words));
    for (long long word : words) std::printf("%lld", word);
    std::puts("");
  }
}
END
while IFS="|" read -r options expected; do
  g++-12 $options copy.cpp -o copy
  found=$(./copy | tr '\n' ' ')
  echo "g++ 12.2.0 $options: $found"
  [ "$found" = "$expected " ]
done <<'END'
-O0|1100 1200
-O3 -mavx2|1100 1200
-O1 -mavx512f|1111 1200
-O2 -mavx512f -fno-tree-vectorize|1111 1200
-O3 -march=x86-64-v4|1111 1200
-O3 -march=x86-64-v4 -mmove-max=128 -mstore-max=128|1100 1200
END
echo "as described"
