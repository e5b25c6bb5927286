#!/usr/bin/env bash
# Checks the layout of every C++ file; with --tidy, also runs clang-tidy over what a build compiles.
#   tests/format.sh [--fix] [--tidy [BUILD_FOLDER]]
# --fix rewrites the files instead of complaining. BUILD_FOLDER (default: build/release) must be configured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fix=(--dry-run -Werror)
tidy=
while [ $# -gt 0 ]; do
  case $1 in
    --fix) fix=(-i) ;;
    --tidy) tidy=build/release; if [ $# -ge 2 ]; then tidy=$2; shift; fi ;;
    *) echo "usage: tests/format.sh [--fix] [--tidy [BUILD_FOLDER]]" >&2; exit 2 ;;
  esac
  shift
done

folders=(include examples tests benchmarks weights/distill)
find "${folders[@]}" \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  xargs -0 -r clang-format "${fix[@]}"

if [ -n "$tidy" ]; then
  [ -f "$tidy/compile_commands.json" ] || { echo "format.sh: configure $tidy first" >&2; exit 1; }
  find examples tests benchmarks -path tests/consumer -prune -o -path tests/support -prune -o \
    -name '*.cpp' -print0 | xargs -0 -r -n 1 -P "$(nproc 2>/dev/null || echo 2)" clang-tidy --quiet -p "$tidy"
fi
