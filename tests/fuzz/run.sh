#!/usr/bin/env bash
# Builds the fuzzers with clang, libFuzzer and the sanitizers, and runs each over its seeds:
#   tests/fuzz/run.sh [SECONDS [NAME …]]     SECONDS for each, 60 by default; all fuzzers by default
# What they have found to be worth trying stays in build/fuzz/corpus for the next run; an input that
# fails is named at the end, and left there.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do names+=("$(basename "$source" _fuzz.cpp)"); done
fi
cmake --preset fuzz > /dev/null
cmake --build --preset fuzz --target "${names[@]/#/fuzz_}" "${names[@]/#/libfuzzer_}"
cd build/fuzz
failed=()
for name in "${names[@]}"; do
  mkdir -p "corpus/$name" "found/$name"
  "tests/fuzz/fuzz_$name" --seeds "corpus/$name"
  # 2 GB for all and 512 MB for one allocation: no file may claim more than it holds.
  "tests/fuzz/libfuzzer_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 \
    -max_len=65536 -print_final_stats=1 -artifact_prefix="found/$name/" "corpus/$name" > "found/$name.log" 2>&1 ||
    failed+=("$name")
  echo "$name: $(grep -m 1 number_of_executed_units "found/$name.log" | tr -dc 0-9) inputs in $seconds s," \
    "$(ls "corpus/$name" | wc -l) kept"
done
if [ ${#failed[@]} -gt 0 ]; then
  for name in "${failed[@]}"; do
    echo "FAILED: $name, see build/fuzz/found/$name.log and $(ls -d found/"$name"/* 2> /dev/null | head -n 3 | tr '\n' ' ')" >&2
  done
  exit 1
fi
