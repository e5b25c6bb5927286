#!/usr/bin/env bash
# From nothing to a picture: installs what is missing, builds neural_style, and paints build/demo.png in
# about a minute.
#   examples/demo.sh [options of neural_style, instead of the demo's size and number of iterations]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

.ci/install g++ cmake ninja-build pkg-config libeigen3-dev libstb-dev libcli11-dev nlohmann-json3-dev \
  libzip-dev

# A folder of its own: the tests and benchmarks, and what they need, are left out.
cmake --preset release -B build/demo -D SFUMATO_TESTS=OFF -D SFUMATO_BENCHMARKS=OFF
cmake --build build/demo --target neural_style

if [ $# -eq 0 ]; then
  set -- --height 240 --width 360 --iterations 120 --learning-rate 0.1 --lr-decay-every 80 \
    --content-weight 0.2 --style-weight 3000
fi
if ! build/demo/neural_style examples/images/rocket.jpg examples/images/suns.jpg -o build/demo.png "$@"; then
  cat <<'END'

The program is built. If it found no weights: it needs those of VGG-19, a network trained to see.
This downloads them once (548 MB), and then the demo paints:

  weights/fetch.sh && examples/demo.sh
END
  exit 1
fi
echo "The picture is build/demo.png."
