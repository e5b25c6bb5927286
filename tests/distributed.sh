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

# One picture: the same bytes by any number of ranks, and from the checkpoint of a run of which a rank was killed.
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
# paint RANKS OUT [OPTION...]: of four rows of tiles.
paint() {
  local number=$1 out=$2
  shift 2
  ranks "$number" "$SFUMATO_BUILD_DIR/cluster_style" "$images/mosaic.jpg" "$images/suns.jpg" "$out" --size 166 --style-size 96 \
    --tile "${tile:-32}" --threads 1 --iterations 4 "$@"
}
for number in 1 2 4; do
  paint "$number" "$number.png" >out.txt 2>&1 || fail "$number ranks: $(cat out.txt)"
  [ "$(grep -c '^rank .* MiB at most' out.txt)" -eq "$number" ] || fail "$number ranks: $(cat out.txt)"
  is_picture "$number.png"
  cmp 1.png "$number.png"
done
! tile=512 paint 4 x.png >out.txt 2>&1 || fail "there is no row of tiles for each rank"
grep -q 'rows of tiles for 4 ranks; take smaller tiles, or fewer ranks' out.txt || fail "no message: $(cat out.txt)"
! paint 1 x.jpg >out.txt 2>&1 || fail "the picture is no PNG"
# others OPTION...: fails unless a rank 1 with other options than rank 0 is refused.
others() {
  ! paint 1 x.png "${own[@]}" : -np 1 "$SFUMATO_BUILD_DIR/cluster_style" "$images/mosaic.jpg" "$@" >out.txt 2>&1 ||
    fail "ranks with other options"
  grep -q 'rank 1 has other options, another style picture or another checkpoint than rank 0' out.txt || fail "no message: $(cat out.txt)"
  [ ! -e x.png ] || fail "there is a picture"
}
own=()
same=(x.png --style-size 96 --tile 32 --threads 1 --iterations)
others "$images/suns.jpg" "${same[@]}" 5
others "$images/mosaic.jpg" "${same[@]}" 4
paint 2 "$folder/killed.png" --checkpoint run.ckpt --checkpoint-every 1 >out.txt 2>&1 &
mpirun=$!
waits_for 'iteration 2' out.txt $mpirun
for process in $(pgrep -f "cluster_style .*$folder/killed.png"); do
  [ "$(cat "/proc/$process/comm")" != cluster_style ] || rank=$process
done
kill -KILL "$rank"
! wait $mpirun || fail "a rank was killed, and nobody minded: $(cat out.txt)"
grep -q 'exited on signal 9' out.txt || fail "no message: $(cat out.txt)"
[ ! -e killed.png ] || fail "there is a picture of a run that was killed"
own=(--resume run.ckpt)
head -c -1 run.ckpt >other.ckpt && printf x >>other.ckpt
others "$images/suns.jpg" "${same[@]}" 4 --resume other.ckpt
others "$images/suns.jpg" "${same[@]}" 4
paint 4 resumed.png --resume run.ckpt >out.txt 2>&1 || fail "going on: $(cat out.txt)"
! grep -q '^iteration 1:' out.txt || fail "it began again"
cmp 1.png resumed.png
