#!/usr/bin/env bash
# The presets johnson and crowson of neural_style against what the programs that they are named after computed.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
shared=${SFUMATO_SHARED:-$SFUMATO_SOURCE_DIR/../shared}
[ -e "$shared/reference/peers" ] || { echo "SKIPPED: there is no $shared/reference/peers"; exit 77; }
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to read the numbers with"; exit 77; }

# check NAME ROWS OPTIONS...: of the first so many rows every loss is within 1 %, of all of them the total.
check() {
  local name=$1 rows=$2
  shift 2
  "$program" "$shared/images/rainier.jpg" "$shared/images/autumn-oak.jpg" -o "$name.png" --losses "$name.csv" \
    --weights "$shared/weights/vgg19-oxford-q8.safetensors" "$@" >log.txt || fail "$name: $(cat log.txt)"
  python3 - "$shared/reference/peers/$name.json" "$name.csv" "$rows" <<'PYTHON' || fail "$name is not the same"
import csv, json, sys
numbers = json.load(open(sys.argv[1]))
rows = list(csv.DictReader(open(sys.argv[2])))
worst = 0.0
for i, (now, row) in enumerate(zip(numbers.get("evaluations") or numbers["rows"], rows)):
    if "terms" in now:
        now.update(content=[now["terms"][0]], style=now["terms"][1:6], tv=now["terms"][6])
    wanted = dict(content=sum(now["content"]), style=sum(now["style"]), tv=now["tv"], total=now["total"])
    for name, loss in wanted.items():
        if loss < 1e-4 * wanted["total"] or (i >= int(sys.argv[3]) and name != "total"):
            continue
        error = abs(float(row[name]) / loss - 1)
        worst = max(worst, error)
        if error > 0.01:
            sys.exit(f"{name} of iteration {i + 1} is {row[name]}, not {loss}")
print(f"{sys.argv[2]}: {len(rows)} iterations, at most {worst:.1e} off")
PYTHON
}

# In floats, rounding decides from the fourth evaluation of L-BFGS on where variation has its kinks.
johnson="--preset johnson --size 96 --init content"
check johnson-lbfgs 3 $johnson --iterations 15
check johnson-adam 99 $johnson --optimizer adam --iterations 10
check johnson-average-pooling 99 $johnson --optimizer adam --pooling average --iterations 3
check w2-multiscale 99 --preset crowson --min-size 48 --size 96 --first-iterations 8 --iterations 6
