#!/usr/bin/env bash
# weights/fetch.sh against a web server on this machine: whole, resumed, damaged, cut off, absent, present.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fetch=$here/../weights/fetch.sh
for tool in python3 curl; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

scratch=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT
fail() {
  echo "FAILED: $*" >&2
  [ ! -f "$scratch/said" ] || sed 's/^/  fetch.sh: /' "$scratch/said" >&2
  exit 1
}

# The file to fetch, 200 kB, named after its own hash; and one whose name tells another hash.
mkdir "$scratch/site"
head -c 200000 /dev/urandom >"$scratch/site/whole"
sum=$(sha256sum <"$scratch/site/whole")
name=net-${sum:0:8}.pth
mv "$scratch/site/whole" "$scratch/site/$name"
damaged=net-00000000.pth
if [ "$name" = "$damaged" ]; then damaged=net-11111111.pth; fi
cp "$scratch/site/$name" "$scratch/site/$damaged"

python3 "$here/support/range_server.py" "$scratch/site" "$scratch/log" >"$scratch/port" &
server=$!
for _ in $(seq 100); do
  [ ! -s "$scratch/port" ] || break
  sleep 0.1
done
[ -s "$scratch/port" ] || fail "the server did not start"
url=http://127.0.0.1:$(cat "$scratch/port")
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

# Runs fetch.sh into $scratch/got; its words go to $scratch/said, and the server's log starts anew.
run() {
  : >"$scratch/log"
  "$fetch" --dir "$scratch/got" --url "$url" "$@" >"$scratch/said" 2>&1
}
asked() { [ "$(cat "$scratch/log")" = "$1" ] || fail "$2: the server was asked for '$(cat "$scratch/log")'"; }
arrived() { cmp -s "$scratch/site/$name" "$scratch/got/$name" || fail "$1: the file is not what the server has"; }
only() { [ "$(ls "$scratch/got")" = "$1" ] || fail "$2: left behind: $(ls "$scratch/got")"; }
says() { grep -q -- "$1" "$scratch/said" || fail "$2: the message lacks '$1'"; }

run "$name" || fail "whole: exit status $?"
arrived whole
only "$name" whole
asked whole whole

run "$name" || fail "present: exit status $?"
arrived present
asked "" present
says "there already" present

rm "$scratch/got/$name"
head -c 70000 "$scratch/site/$name" >"$scratch/got/$name.part"
run "$name" || fail "resumed: exit status $?"
arrived resumed
only "$name" resumed
asked "bytes=70000-" resumed

mv "$scratch/got/$name" "$scratch/got/$name.part"
run "$name" || fail "whole but not renamed: exit status $?"
arrived "whole but not renamed"
asked "" "whole but not renamed"

rm "$scratch/got/$name"
head -c 70000 /dev/zero >"$scratch/got/$name.part"
if run "$name"; then fail "damaged part: exit status 0"; fi
says "was damaged" "damaged part"
only "" "damaged part"
run "$name" || fail "after a damaged part: exit status $?"
arrived "after a damaged part"

rm "$scratch/got/$name"
head -c 300000 /dev/zero >"$scratch/got/$name.part"
if run "$name"; then fail "part longer than the file: exit status 0"; fi
says "removed; run fetch.sh again" "part longer than the file"
only "" "part longer than the file"

if command -v wget >/dev/null; then  # the same resumption on a machine without curl
  mkdir "$scratch/bin"
  for tool in bash dirname mkdir mv rm sha256sum wget; do ln -s "$(command -v $tool)" "$scratch/bin/"; done
  head -c 70000 "$scratch/site/$name" >"$scratch/got/$name.part"
  (PATH=$scratch/bin; run "$name") || fail "wget: exit status $?"
  arrived wget
  only "$name" wget
  asked "bytes=70000-" wget
  rm "$scratch/got/$name"
fi

if run "$damaged"; then fail "damaged on the server: exit status 0"; fi
says "was damaged" "damaged on the server"
only "" "damaged on the server"

if run --url "$url/short" "$name"; then fail "cut off: exit status 0"; fi
says "take it up" "cut off"
only "$name.part" "cut off"
run "$name" || fail "after being cut off: exit status $?"
arrived "after being cut off"
asked "bytes=100000-" "after being cut off"

echo damaged >"$scratch/got/$name"
if run "$name"; then fail "damaged file in place: exit status 0"; fi
says "not what its name says" "damaged file in place"
rm "$scratch/got/$name"

if run net-22222222.pth; then fail "not on the server: exit status 0"; fi
says "could not download" "not on the server"
only "" "not on the server"

if run no-hash.pth; then fail "no hash in the name: exit status 0"; fi
says "SHA-256" "no hash in the name"

kill "$server"
wait "$server" 2>/dev/null || true
server=
if run "$name"; then fail "no server: exit status 0"; fi
says "could not download" "no server"
only "" "no server"

XDG_CACHE_HOME=$scratch/cache
export XDG_CACHE_HOME
mkdir -p "$scratch/cache/sfumato"
cp "$scratch/site/$name" "$scratch/cache/sfumato/"
run --cache "$name" || fail "--cache: exit status $?"
says "$scratch/cache/sfumato/$name is there already" "--cache"

echo "all of fetch.sh's cases passed"
