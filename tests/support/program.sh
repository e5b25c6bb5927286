# For tests of programs, which source this: a folder of their own to work in, with nothing of the user's in reach,
# and how to complain.

images=$SFUMATO_SOURCE_DIR/examples/images
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset SFUMATO_WEIGHTS
export HOME=$folder/home XDG_CACHE_HOME=$folder/cache

fail() { echo "FAILED: $*" >&2; exit 1; }

# refuses STATUS MESSAGE ARGUMENTS...: one line on stderr that holds MESSAGE, and no picture.
refuses() {
  local wanted=$1 message=$2 status=0
  shift 2
  "$@" >out.txt 2>err.txt || status=$?
  [ "$status" -eq "$wanted" ] || fail "$* ended with $status, not $wanted: $(cat err.txt)"
  [ "$(wc -l <err.txt)" -eq 1 ] || fail "$* wrote more than one line: $(cat err.txt)"
  grep -qF -- "$message" err.txt || fail "$* said: $(cat err.txt)"
  [ ! -e x.png ] || fail "$* left a picture behind"
}

# waits_for TEXT FILE PROCESS: until FILE holds TEXT; fails when the process ends before.
waits_for() {
  # As long as PROCESS is a fork of this shell, FILE may be what a run before has written, and a signal would end that
  # fork, which takes the folder with it.
  while [ "$(cat "/proc/$3/comm" 2>/dev/null)" = "$(cat /proc/$$/comm)" ]; do sleep 0.01; done
  until grep -qF -- "$1" "$2"; do
    kill -0 "$3" 2>/dev/null || fail "ended before it said '$1': $(cat "$2")"
    sleep 0.05
  done
}

# ends_with STATUS PROCESS: waits for its end.
ends_with() {
  local status=0
  wait "$2" || status=$?
  [ "$status" -eq "$1" ] || fail "ended with $status, not $1"
}

# is_picture FILE...: all are whole PNGs.
is_picture() {
  local file
  for file; do
    head -c 4 "$file" | grep -q PNG || fail "$file is not a PNG"
    tail -c 8 "$file" | grep -q IEND || fail "$file is not whole"
  done
}
