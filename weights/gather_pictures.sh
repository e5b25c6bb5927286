#!/usr/bin/env bash
# Gathers the photographs, paintings and textures that distill_vgg19 trains with: downloads picture
# packages of Debian and PyPI by name (0.4 GB), installs none of them, and leaves their pictures as
# JPEGs in FOLDER, together with textures of our own. Nothing of it belongs into the repository.
#   weights/gather_pictures.sh FOLDER [PICTURES...]     with more pictures of your own
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: gather_pictures.sh FOLDER [PICTURES...]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Wallpapers and jigsaw pictures (photographs and art), a game's portraits and landscapes (digital
# paintings), a game's ground textures; the sample pictures of two Python packages.
debian=(plasma-workspace-wallpapers gnome-backgrounds mate-backgrounds lomiri-wallpapers-16.04
  lomiri-wallpapers-20.04 ukui-wallpapers palapeli-data wesnoth-1.16-data colobot-common-textures)
pypi=(scikit-image==0.26.0 scikit-learn==1.9.1)

"$here/../.ci/install" python3 python3-numpy python3-pil python3-pip
mkdir -p "$1"
folder=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/packages" "$scratch/unpacked"
chmod 755 "$scratch"

(cd "$scratch/packages" && apt-get download "${debian[@]}")
python3 -m pip download --quiet --no-deps --only-binary :all: -d "$scratch/packages" "${pypi[@]}"
for package in "$scratch"/packages/*.deb; do
  dpkg-deb -x "$package" "$scratch/unpacked/$(basename "${package%%_*}")"
done
for package in "$scratch"/packages/*.whl; do
  python3 -m zipfile -e "$package" "$scratch/unpacked/$(basename "${package%%-*}")"
done
/usr/bin/python3 "$here/prepare_pictures.py" "$folder" "$scratch/unpacked" "${@:2}"
