#!/usr/bin/env bash
# The command line of neural_style: what it takes, what it refuses and what it says.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors

cat="$images/cat.jpg"
suns="$images/suns.jpg"  # 768 x 1024
run() { "$program" "$cat" "$suns" -o x.png "$@"; }
asks_wrong() { local message=$1; shift; refuses 2 "neural_style: $message" "$program" "$cat" "$suns" -o x.png "$@"; }

# Help has every option, also beside what is wrong, and says what exit statuses mean.
"$program" --help >help.txt
"$program" --sise 5 -h >short.txt 2>err.txt && fail "--sise was taken"
"$program" "$cat" -h | cmp - help.txt || fail "-h is not --help"
for option in CONTENT STYLE --style --style-size --content-mask --style-mask --keep --keep-alpha --grid --output \
  --preset --original-colors --size --height --width --iterations --learning-rate --lr-decay-every \
  --lr-decay --init --seed --pyramid --final-passes --content-weight --style-weight --tv-weight --content-layers --style-layers --weights \
  --device --precision --memory --tf32 --threads --losses --report-every --quiet --save-stages --log --plot --report \
  --save-every --animation --jobs --shard --help \
  --version --man --completions; do
  grep -qE -- "(^|[ ,])$option( |\$)" help.txt || fail "--help does not explain $option"
done
grep -q 'Exit status: 0 done; 1 ' help.txt || fail "--help does not explain exit statuses"
[ "$(awk '{ print length }' help.txt | sort -n | tail -1)" -le 100 ] || fail "--help is too wide"
[ "$("$program" --help >/dev/full 2>&1; echo $?)" -eq 1 ] || fail "--help that can't be written is no error"

refuses 2 'CONTENT is required; see --help' "$program"
refuses 2 'STYLE is required; see --help' "$program" "$cat"

# Options that there are not.
asks_wrong 'there is no option --sise; is --size meant? See --help' --sise 5
asks_wrong 'there is no option --sise; is --size meant?' --sise=5
asks_wrong 'there is no option --iteration; is --iterations meant?' --iteration 5
asks_wrong 'there is no option --style-; is --style-' --style- 5
asks_wrong 'there is no option --nothing-like-it; see --help' --nothing-like-it
asks_wrong 'there is no option -q' -q
asks_wrong "there is no option -5; see --help. A picture whose name begins with a hyphen comes after --" -5
asks_wrong "'third.jpg' is one argument too many" third.jpg
asks_wrong "'--size' is one argument too many" -- --size
asks_wrong '--size is given twice' --size 64 --size 64
asks_wrong '--output is given twice' -oy.png
asks_wrong '--size needs a value: --size PIXELS' --size
asks_wrong '--losses needs a value: --losses FILE' --losses --quiet
asks_wrong '--quiet takes no value' --quiet=no
asks_wrong '--help takes no value' --help=1
# A value never comes from the next argument where there is an equals sign.
asks_wrong "'64' is one argument too many" --size= 64

# Numbers are decimal and whole where they must be.
for wrong in 0 31 16385 -64 +64 0x40 1e2 64.0 64px ' 64' '64 ' '' nan 99999999999999999999; do
  asks_wrong "--size must be a whole number from 32 to 16384, not '$wrong'" --size "$wrong"
  asks_wrong "--height must be a whole number from 32 to 16384, not '$wrong'" "--height=$wrong"
  asks_wrong "--width must be a whole number from 32 to 16384, not '$wrong'" --width "$wrong"
done
for wrong in -1 -0 18446744073709551616 0x1 1e3 1.5 '' x; do
  asks_wrong "--seed must be a whole number from 0 to 18446744073709551615, not '$wrong'" --seed "$wrong"
done
for wrong in 0 -1 1000001 1e3 ''; do
  for option in --iterations --lr-decay-every --report-every; do
    asks_wrong "$option must be a whole number from 1 to 1000000, not '$wrong'" $option "$wrong"
  done
done
for wrong in 0 -1 1025 two 1.0; do
  asks_wrong "--threads must be a whole number from 1 to 1024, not '$wrong'" --threads "$wrong"
done
for wrong in nan NaN inf -inf infinity 0 -0.01 1000.1 1e4 1e400 1e-400 0x1p3 0,5 1e '' .; do
  asks_wrong "--learning-rate must be a number above 0 and at most 1000, not '$wrong'" --learning-rate "$wrong"
done
for wrong in 0 0.09 10.5 nan -1; do
  asks_wrong "--style-scale must be a number from 0.1 to 10, not '$wrong'" --style-scale "$wrong"
done
for wrong in nan inf 0 -1 1.5; do
  asks_wrong "--lr-decay must be a number above 0 and at most 1, not '$wrong'" --lr-decay "$wrong"
done
for wrong in nan inf -1 1e300 1e400 ten; do
  for option in --content-weight --style-weight --tv-weight; do
    asks_wrong "$option must be a number from 0 to 1e38, not '$wrong'" $option "$wrong"
  done
done
"$program" "$suns" "$cat" -o y.png --size 0064 --iterations 01 --quiet || fail "zeros in front are refused"
[ "$(od -An -t u1 -j 16 -N 8 y.png | tr -s ' ')" = ' 0 0 0 64 0 0 0 48' ] ||
  fail "--size 0064 is not 64, or proportions are not kept: $(od -An -t u1 -j 16 -N 8 y.png)"

# Words of few, and lists.
asks_wrong "--original-colors must be no, luminance, statistics or matched, not 'yes'" --original-colors yes
asks_wrong "--init must be content, noise, gray, style-stats or a file name, not 'zeros'" --init zeros
asks_wrong "--precision must be float32 or bf16, not 'half'" --precision half
asks_wrong "--memory must be normal or low, not ''" --memory ''
asks_wrong "--preset must be d2l" --preset gogh
asks_wrong "--weights must be a file name, not ''" --weights ''
for wrong in '' , a, ,a a,,b 'a, b'; do
  asks_wrong "--style-layers must be words with commas between them, not '$wrong'" --style-layers "$wrong"
done
asks_wrong "Vgg: there is no layer 'conv7_1'" --content-layers conv7_1 --size 32
asks_wrong "Vgg: there is no layer 'a'" --style-layers a,b --size 32
asks_wrong 'style transfer: the style layer 0 is named twice' --style-layers conv1_1,0 --size 32
# A list takes no pictures.
"$program" --style-layers relu1_1,2 "$cat" "$suns" --content-layers 25 --size 32 --iterations 1 --quiet -o y.png ||
  fail "a list took the pictures"
for device in tpu cuda: cuda:x cuda:-1 cuda:0x cudaa; do
  asks_wrong "--device $device is none of auto, cpu, cuda and cuda:INDEX" --device "$device"
done
# Without CUDA, without a driver, without so many GPUs: one line each.
status=0
run --device cuda:99 2>err.txt || status=$?
[ "$status" -ne 0 ] && [ "$(wc -l <err.txt)" -eq 1 ] && [ ! -e x.png ] || fail "cuda:99: $(cat err.txt)"
grep -qE 'was built without CUDA|no NVIDIA GPU with a driver|cuda:99: there are [0-9]+ GPUs' err.txt ||
  fail "cuda:99 said: $(cat err.txt)"
# CUDA's libraries are loaded where there is a GPU, and what needs them can be loaded by the program.
! ldd "$program" | grep -qE 'cudart|cublas|cudnn' || fail "the program itself loads CUDA: $(ldd "$program")"
driver=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
driver=$(dirname "$(dirname "$driver")")/lib64/stubs/libcuda.so
if [ -e "$(dirname "$program")/neural_style_gpu.so" ] && [ -e "$driver" ]; then
  ln -s "$driver" libcuda.so.1  # a driver without a GPU
  status=0
  LD_LIBRARY_PATH=$PWD run --device cuda 2>err.txt || status=$?
  [ "$status" -ne 0 ] && grep -q 'cuda:0: there is no NVIDIA GPU with a driver for CUDA' err.txt ||
    fail "with a driver that finds no GPU: $(cat err.txt)"
fi

# What does not go together, from whichever side.
asks_wrong '--size does not go with --height: it sets both sides' --size 64 --height 64
asks_wrong '--size does not go with --width: it sets both sides' --width 64 --size 64
asks_wrong '--memory low does not go with --precision bf16' --precision bf16 --memory low
asks_wrong '--tf32 does not go with --device cpu' --tf32 --device cpu
asks_wrong '--save-stages: one stage has no picture before the last' --save-stages --method gram
asks_wrong '--final-passes does not go with --method gram: it finds no neighbours' --final-passes 1 --method gram
asks_wrong '--pyramid does not go with --optimizer lbfgs: only Adam changes one' --pyramid 3 --optimizer lbfgs
asks_wrong '--first-iterations needs --min-size' --first-iterations 5 --method gram
asks_wrong '--style-layer-weights has 2 numbers, but there are 8 --style-layers' --style-layer-weights 1,2
for wrong in '' , 1, 1,x -1,2,3,4,5 nan,1,1,1,1; do
  asks_wrong "--style-layer-weights must be numbers from 0 with commas between them, not '$wrong'" \
    "--style-layer-weights=$wrong"
done
asks_wrong '--learning-rate does not go with --optimizer lbfgs' --optimizer lbfgs --learning-rate 1
asks_wrong '--seed does not go with --init content' --seed 5
asks_wrong '--seed does not go with --init gray' --seed 5 --init gray
for side in size height width; do
  asks_wrong "--save-stages: one stage has no picture" --preset d2l --save-stages --$side 64
done

# A preset sets defaults only. A size makes one stage of its two; steps given are of every stage.
"$program" "$cat" "$suns" -o stages.png --iterations 1 --preset d2l --save-stages >log.txt
grep -q '150 x 225, 1 iterations' log.txt && grep -q '600 x 900, 1 iterations' log.txt ||
  fail "--iterations before --preset: $(cat log.txt)"
is_picture stages.png stages-stage1.png
for size in --size=64 --width=64; do
  "$program" "$suns" "$cat" -o y.png $size --preset d2l --iterations 2 >log.txt
  grep -q '48 x 64, 2 iterations' log.txt || fail "a preset with $size: $(cat log.txt)"
done
"$program" "$cat" "$suns" -o y.png --preset d2l --height 33 --width 40 --iterations 2 --style-weight 0 >log.txt
grep -q '33 x 40, 2 iterations' log.txt || fail "a preset with both sides: $(cat log.txt)"
grep -q 'style 0.0000' log.txt || fail "--style-weight does not win over the preset: $(cat log.txt)"
echo "all as it should be"
