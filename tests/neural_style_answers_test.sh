#!/usr/bin/env bash
# What neural_style prints instead of painting: help is elsewhere; here versions, the page for man, completions.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"

"$program" --version >version.txt
for line in '^neural_style, of sfumato [0-9.]*$' '^device: \(cpu\|cuda:0\)$' \
  '^instruction set: \(portable\|avx2\|avx512\|avx512_bf16\|amx\)$' '^compiler: .*\(Clang\|GCC\) [0-9]' '^libraries: Eigen [0-9.]*, libpng [0-9.]*, '; do
  grep -q "$line" version.txt || fail "--version has no line $line: $(cat version.txt)"
done
SFUMATO_VECTORS=portable "$program" --version | grep -qx 'instruction set: portable' ||
  fail "--version names another instruction set than is used"
[ "$("$program" --version >/dev/full 2>&1; echo $?)" -eq 1 ] || fail "--version that can't be written is no error"
# The rest of the line does not count, what stands before does.
"$program" a.jpg --version --nothing | cmp - version.txt || fail "--version is not the end of the line"
refuses 2 'there is no option --nothing' "$program" --nothing --version
refuses 2 '--version takes no value' "$program" --version=1
refuses 2 "--completions must be bash, zsh or fish, not 'tcsh'" "$program" --completions tcsh
refuses 2 '--completions needs a value: --completions SHELL' "$program" --completions

# Each has every option of the table.
"$program" --man >neural_style.1
for shell in bash zsh fish; do "$program" --completions $shell >completions.$shell; done
options=$("$program" --help | sed -n 's/^  \(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p')
[ "$(wc -w <<<"$options")" -gt 25 ] || fail "--help has few options: $options"
for option in $options; do
  grep -qF -- "\\-\\-${option//-/\\-}" neural_style.1 || fail "--man does not have --$option"
  grep -qw -- "--$option" completions.bash || fail "bash does not know --$option"
  grep -qF -- "'--$option[" completions.zsh || fail "zsh does not know --$option"
  grep -qw -- "-l $option" completions.fish || fail "fish does not know --$option"
done
if command -v groff >/dev/null; then
  groff -man -Tutf8 -ww neural_style.1 >page.txt 2>warnings.txt || fail "groff: $(cat warnings.txt)"
  [ ! -s warnings.txt ] || fail "groff warns: $(cat warnings.txt)"
fi
if command -v zsh >/dev/null; then zsh -n completions.zsh || fail "zsh does not read its completions"; fi
if command -v fish >/dev/null; then fish --no-execute completions.fish || fail "fish does not read its completions"; fi

# completes WANTED WORDS...: what bash offers for the last word.
. ./completions.bash
completes() {
  local wanted=$1
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _neural_style
  [ "${COMPREPLY[*]}" = "$wanted" ] || fail "bash completes '$*' to '${COMPREPLY[*]}', not '$wanted'"
}
touch photo.jpg
completes --content-weight neural_style --content-w
completes 'content noise gray style-stats' neural_style --init ''
completes plain neural_style --borders p
completes '' neural_style --size ph
completes photo.jpg neural_style --losses ph
completes photo.jpg neural_style ph
completes photo.jpg neural_style --quiet ph

# Installed as a component of its own.
cmake --install "$SFUMATO_BUILD_DIR" --component neural_style --prefix "$folder/prefix" >install.txt 2>&1 ||
  fail "installing: $(cat install.txt)"
cmp neural_style.1 prefix/share/man/man1/neural_style.1 || fail "the page for man is not installed"
cmp completions.bash prefix/share/bash-completion/completions/neural_style || fail "bash's completions"
cmp completions.zsh prefix/share/zsh/site-functions/_neural_style || fail "zsh's completions"
cmp completions.fish prefix/share/fish/vendor_completions.d/neural_style.fish || fail "fish's completions"
"$folder/prefix/bin/neural_style" --version | cmp - version.txt || fail "the installed program is another"
echo "all as it should be"
