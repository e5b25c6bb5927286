#!/usr/bin/env bash
# Downloads the VGG-19 weights that PyTorch's torchvision publishes (548 MB), for neural_style.
set -euo pipefail

name=vgg19-dcbb9e9d.pth
base=${SFUMATO_WEIGHTS_URL:-https://download.pytorch.org/models/}
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<END
usage: fetch.sh [--dir FOLDER | --cache] [--url BASE] [NAME-HASH.pth]

Downloads $name (or another file of that site) and checks it against the start of its
SHA-256, which its name carries. A download that broke off is taken up where it stopped.

  --dir FOLDER  put it there (default: the folder of this script)
  --cache       put it into your cache folder, \${XDG_CACHE_HOME:-~/.cache}/sfumato
  --url BASE    download from BASE (default: \$SFUMATO_WEIGHTS_URL, or torchvision's site)
END
}

fail() {
  echo "fetch.sh: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --dir) [ $# -ge 2 ] || fail "--dir needs a folder"; folder=$2; shift ;;
    --cache) folder=${XDG_CACHE_HOME:-$HOME/.cache}/sfumato ;;
    --url) [ $# -ge 2 ] || fail "--url needs an address"; base=$2; shift ;;
    -h | --help) usage; exit ;;
    -*) usage >&2; fail "unknown option $1" ;;
    *) name=$1 ;;
  esac
  shift
done

[[ $name =~ ^[A-Za-z0-9_.]+-([0-9a-f]{8})\.pth$ ]] ||
  fail "'$name' does not carry the first 8 hexadecimal digits of its SHA-256, as in vgg19-dcbb9e9d.pth"
hash=${BASH_REMATCH[1]}
file=$folder/$name
part=$file.part

# Whether the file's SHA-256 begins with the digits in its name.
valid() {
  local sum
  if command -v sha256sum >/dev/null; then
    sum=$(sha256sum <"$1")
  elif command -v shasum >/dev/null; then
    sum=$(shasum -a 256 <"$1")
  else
    fail "sha256sum or shasum is needed to check the download"
  fi
  [ "${sum:0:8}" = "$hash" ]
}

# Adds to $part whatever it lacks. A status other than 0 leaves in place what has come so far, unless the
# server cannot go on from there (it knows no ranges, or the part is longer than its file).
download() {
  if command -v curl >/dev/null; then
    local code status=0
    code=$(curl --fail --location --continue-at - --output "$part" --write-out '%{http_code}' \
      "${base%/}/$name") || status=$?
    if [ "$code" = 416 ] || [ $status = 33 ]; then
      rm -f "$part"
      fail "the server could not go on with the part that was there, which was removed; run fetch.sh again"
    fi
    return $status
  elif command -v wget >/dev/null; then
    wget --continue --output-document="$part" "${base%/}/$name"
  else
    fail "curl or wget is needed to download $name"
  fi
}

mkdir -p "$folder"
if [ -f "$file" ]; then
  if valid "$file"; then
    echo "$file is there already."
    exit
  fi
  fail "$file is there but is not what its name says (its SHA-256 does not begin with $hash); remove it and try again"
fi

# A whole but unchecked .part needs no download, and a server would refuse to resume it.
if [ ! -f "$part" ] || ! valid "$part"; then
  if ! download; then
    [ -s "$part" ] || rm -f "$part"
    [ ! -f "$part" ] || fail "the download broke off; run fetch.sh again to take it up where it stopped"
    fail "could not download ${base%/}/$name"
  fi
  if ! valid "$part"; then
    rm -f "$part"
    fail "the download was damaged (its SHA-256 does not begin with $hash) and was removed; run fetch.sh again"
  fi
fi
mv "$part" "$file"
echo "$file is ready."
