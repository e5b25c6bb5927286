#!/usr/bin/env bash
# From nothing to a picture: installs what is missing, builds neural_style, and paints build/demo.png, in a
# minute or two with the slim network.
#   examples/demo.sh [options of neural_style, besides]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

.ci/install g++ cmake ninja-build pkg-config libeigen3-dev libjpeg62-turbo-dev libpng-dev libwebp-dev \
  liblcms2-dev libcli11-dev nlohmann-json3-dev libzip-dev libcpp-httplib-dev

# A folder of its own: the tests and benchmarks, and what they need, are left out.
cmake --preset release -B build/demo -D SFUMATO_TESTS=OFF -D SFUMATO_BENCHMARKS=OFF
cmake --build build/demo --target neural_style

build/demo/neural_style examples/images/cat.jpg examples/images/mosaic.jpg -o build/demo.png "$@"
echo "The picture is build/demo.png."
