#!/usr/bin/env bash
# The peak of memory that neural_style expects is about the one that the system sees.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to ask for a process's memory"; exit 77; }

compared="--memory=normal --memory=low --precision=bf16 --content-layers=relu1_1
  --content-layers=conv1_1,relu1_1,conv1_2,relu1_2"
if ldd "$program" | grep libcudart >/dev/null; then
  echo "SKIPPED the comparison with the system's count: CUDA's libraries take another 60 MiB as the program ends"
  compared=""
fi
for options in $compared; do
  for size in 256 512; do
    python3 - "$program" "$images/suns.jpg" "$images/suns.jpg" -o y.png --method gram --size $size --iterations 2 $options <<'PYTHON' ||
import re, resource, subprocess, sys
said = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True).stdout
expected = re.search(r"memory: about (\d+) MiB at the peak; [\d.]+ [MG]iB are (available|allowed)", said)
measured = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(sys.argv[-4:], "expected", expected[1], "measured", round(measured))
# Within a fifth where it was measured; kernels of other processors take a little more or less.
sys.exit(not 0.75 < float(expected[1]) / measured < 1.25)
PYTHON
      fail "what is expected with $options at $size pixels is not what is needed"
  done
done
# Weights, pictures, threads: what helps is said wherever memory runs out.
limit=150000  # of address space, in KiB: a little more than the program and its libraries take
starts() { (ulimit -v $limit; "$program" --help >/dev/null 2>&1); }
until starts || [ $limit -gt 4000000 ]; do limit=$((limit + 50000)); done
limit=$((limit + 30000))  # what a start takes differs a little from one to the next
if ! starts; then
  echo "SKIPPED: what runs out of memory; a program with sanitizers starts in no memory that is limited"
  exit 0
fi
runs_out() { (ulimit -v $limit; exec "$program" "$images/suns.jpg" "$images/suns.jpg" -o x.png --quiet "$@"); }
refuses 1 'fewer --threads, --memory low or --precision bf16' runs_out --size 2048 --threads 1024

refuses 1 'not enough memory: about ' "$program" "$images/suns.jpg" "$images/suns.jpg" -o x.png --size 16384 \
  --weights "$SFUMATO_WEIGHTS" --quiet
grep -qE 'are needed and [0-9.]+ [MG]iB are (available|allowed by the control group); take a smaller --size, --memory low or --precision bf16' err.txt ||
  fail "says not what helps: $(cat err.txt)"
echo "all as it should be"
