#!/usr/bin/env bash
# The checks that need an NVIDIA GPU, in one command:
#   tests/gpu_check.sh [--weights FILE] [--content FILE] [--style FILE] [--programs FOLDER] [--no-pytorch]
# Builds, or takes what was built elsewhere (FOLDER is a build folder with the targets neural_style and
# cuda_gpu_tests); runs the typed tests on the GPU; runs a short style transfer under compute-sanitizer; compares CPU and
# GPU; times whole iterations at three sizes, beside PyTorch on the same GPU if it is installed, and prints a table
# with the GPU memory in use. Ends with status 0 if every check passed; the times are figures, not checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

weights=${SFUMATO_WEIGHTS:-}
content=examples/images/cat.jpg
style=examples/images/suns.jpg
pytorch=yes
programs=
while [ $# -gt 0 ]; do
  case $1 in
    --weights | --content | --style | --programs)
      [ $# -ge 2 ] || { echo "gpu_check.sh: $1 needs a file" >&2; exit 2; }
      declare "${1#--}=$2"
      shift
      ;;
    --no-pytorch) pytorch=no ;;
    *)
      echo "usage: tests/gpu_check.sh [--weights FILE] [--content FILE] [--style FILE] [--programs FOLDER]" \
        "[--no-pytorch]" >&2
      exit 2
      ;;
  esac
  shift
done

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L | grep -q GPU; then
  echo "gpu_check.sh: there is no NVIDIA GPU here (nvidia-smi finds none)" >&2
  exit 1
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
failures=()
check() {  # NAME COMMAND...
  local name=$1
  shift
  echo "== $name"
  "$@" || failures+=("$name")
}

if [ -z "$programs" ]; then
  programs=build/gpu
  cmake --preset release -B "$programs" -D SFUMATO_CUDA=ON -D CMAKE_CUDA_ARCHITECTURES=native
  cmake --build "$programs" --target neural_style cuda_gpu_tests
fi

for program in "$programs"/tests/cuda_gpu_*_tests; do
  check "$(basename "$program")" "$program"
done

if [ -z "$weights" ]; then
  for file in weights/vgg19*.safetensors weights/vgg19*.pth ../shared/weights/vgg19*.safetensors; do
    [ -e "$file" ] && weights=$file && break
  done
fi
if [ -z "$weights" ]; then
  echo "no VGG-19 weights: run weights/fetch.sh or give --weights; the rest is left out" >&2
  exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
transfer() { "$programs/neural_style" "$content" "$style" --method gram --weights "$weights" --quiet "$@"; }

sanitizer=$(command -v compute-sanitizer || true)
if [ -n "$sanitizer" ]; then
  check "compute-sanitizer" "$sanitizer" --error-exitcode 9 --leak-check no "$programs/neural_style" "$content" "$style" \
    --method gram --weights "$weights" --device cuda --height 64 --width 96 --iterations 4 --quiet -o "$folder/sanitized.png"
else
  echo "compute-sanitizer is not installed: left out"
fi

agrees() {  # the losses of CPU and GPU, iteration by iteration, within a thousandth
  transfer --device cpu --height 150 --width 225 --iterations 10 -o "$folder/cpu.png" --losses "$folder/cpu.csv"
  transfer --device cuda --height 150 --width 225 --iterations 10 -o "$folder/gpu.png" --losses "$folder/gpu.csv"
  paste -d, "$folder/cpu.csv" "$folder/gpu.csv" | awk -F, '
    NR > 1 { difference = $5 - $11; if (difference < 0) difference = -difference
             if (difference > worst * $5) worst = difference / $5; rows++ }
    END { printf "largest relative difference of the total loss over %d iterations: %.2g\n", rows, worst
          exit !(rows == 10 && worst < 1e-3) }'
}
check "CPU against CUDA" agrees

# MiB in use on GPU 0 while a command runs, at most; the command's own output goes to a file.
peak_memory() {  # OUTPUT COMMAND...
  local output=$1 peak=0 now before
  shift
  before=$(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits)
  "$@" >"$output" 2>&1 &
  local process=$!
  while kill -0 "$process" 2>/dev/null; do
    now=$(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits)
    [ "$now" -gt "$peak" ] && peak=$now
    sleep 0.1
  done
  if ! wait "$process"; then
    tail -n 3 "$output" >&2
    return 1
  fi
  echo $((peak - before))
}

echo "== seconds for one iteration (median after the first 5)"
printf '%-12s %-28s %12s %12s\n' size program s/iteration "GPU MiB"
for size in 150x225 600x900 1200x1800; do
  height=${size%x*} width=${size#*x}
  for mode in float32 tf32 bf16; do
    flag=()
    [ "$mode" = tf32 ] && flag=(--tf32)
    [ "$mode" = bf16 ] && flag=(--precision bf16)
    memory=$(peak_memory "$folder/log.txt" "$programs/neural_style" "$content" "$style" --weights "$weights" --quiet \
      --method gram --device cuda --height "$height" --width "$width" --iterations 40 -o "$folder/out.png" \
      --losses "$folder/times.csv" "${flag[@]}") || { failures+=("timing $size $mode"); continue; }
    median=$(awk -F, 'NR > 1 { print $6 - last; last = $6 }' "$folder/times.csv" | tail -n +6 | sort -n |
      awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }')
    printf '%-12s %-28s %12s %12s\n' "$size" "sfumato $mode" "$median" "$memory"
  done
  [ "$pytorch" = yes ] || continue
  for mode in float32 tf32 bf16; do
    memory=$(peak_memory "$folder/log.txt" python3 benchmarks/pytorch_gpu.py --weights "$weights" \
      --content "$content" --style "$style" --height "$height" --width "$width" --mode "$mode") ||
      { echo "PyTorch $mode did not run: left out"; continue; }
    printf '%-12s %-28s %12s %12s\n' "$size" "PyTorch $mode" "$(tail -n 1 "$folder/log.txt")" "$memory"
  done
done

if [ ${#failures[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failures[@]}"
  exit 1
fi
echo "every check passed"
