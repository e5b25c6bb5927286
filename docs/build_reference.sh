#!/usr/bin/env bash
# Makes the reference of every public name, with the pages of docs/, in build/reference/html: search works
# offline. Needs Debian's doxygen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v doxygen >/dev/null || .ci/install doxygen
mkdir -p build/reference
SFUMATO_README=$PWD/README.md doxygen docs/Doxyfile  # by its path, as there are others of that name
python3 docs/index_headings.py build/reference/html
sed -i '1i @import url("../reference.css");' build/reference/html/search/search.css  # results are a page of their own
echo "build/reference/html/index.html"
