#!/usr/bin/env bash
# Prints the processor time and memory that g++ takes for the README's example, with headers alone and with
# sfumato::kernels, for the headers without a program, and for what sfumato::kernels compiles once:
#   benchmarks/compile_time.sh [COMPILER]
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=${1:-g++}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n '/^```cpp$/,/^```$/p' README.md | sed '/^```/d' > "$folder/example.cpp"
echo '#include <sfumato/sfumato.hpp>' > "$folder/headers.cpp"
measure() {
  local name=$1
  shift
  /usr/bin/time -f "$name: %U s, %M KiB" "$compiler" -std=c++20 -O2 -Iinclude -isystem /usr/include/eigen3 "$@" \
    -c -o "$folder/out.o"
}
measure "example, headers alone" "$folder/example.cpp"
measure "example, sfumato::kernels" -DSFUMATO_COMPILED_KERNELS "$folder/example.cpp"
measure "headers" "$folder/headers.cpp"
for source in instances cpu/instances cpu/kernels/compiled; do
  measure "once: $source.cpp" -DSFUMATO_COMPILED_KERNELS "include/sfumato/$source.cpp"
done
