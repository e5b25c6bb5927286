#!/usr/bin/env bash
# One, two and four ranks compute the same, and all end where one ends.
set -euo pipefail

command -v mpirun >/dev/null || { echo "SKIPPED: no mpirun (Debian's packages openmpi-bin and libopenmpi-dev)"; exit 77; }
program=$SFUMATO_BUILD_DIR/tests/distributed_ranks
[ -x "$program" ] || { echo "SKIPPED: built without MPI (Debian's package libopenmpi-dev)"; exit 77; }
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
ranks() { timeout 300 mpirun --allow-run-as-root --oversubscribe -np "$@"; }

for number in 1 2 4; do
  ranks "$number" "$program" --no-colors >out.txt 2>&1 || fail "$number ranks: $(cat out.txt)"
  [ "$(grep -c SUCCESS out.txt)" -eq "$number" ] || fail "$number ranks: $(cat out.txt)"
  grep 'weights differ' out.txt | sort -u
done
"$program" >out.txt 2>&1 || fail "without mpirun: $(cat out.txt)"

# A rank that is killed, or has an error, ends all, which say so.
for number in 2 4; do
  ! ranks "$number" "$program" killed >out.txt 2>&1 || fail "a rank was killed, and nobody minded: $(cat out.txt)"
  grep -q "rank $((number - 1)) with PID .* exited on signal 9" out.txt || fail "no message: $(cat out.txt)"
  ! ranks "$number" "$program" thrown >out.txt 2>&1 || fail "a rank threw, and nobody minded: $(cat out.txt)"
  grep -q "^distributed_ranks: rank $((number - 1)) has no more data" out.txt || fail "no message: $(cat out.txt)"
done
! pgrep -f "$program (killed|thrown)" || fail "ranks are left"
