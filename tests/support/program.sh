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
