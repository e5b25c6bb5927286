#!/usr/bin/env bash
# Films: their colours, rate and sound, scenes, going on after an interruption, and that they flicker less than frames
# that are painted one by one.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
for tool in ffmpeg ffprobe; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: no $tool (Debian's package ffmpeg)"; exit 77; }
done
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
style=$images/suns.jpg
cp "$images/cat.jpg" cat.jpg
# make_clip FILE FILTER FRAMES [OPTION...]: the filter's frames.
make_clip() {
  local file=$1 filter=$2 frames=$3
  shift 3
  ffmpeg -v error -nostdin -y -f lavfi -i "$filter" -f lavfi -i sine=440:48000 -frames:v "$frames" -shortest "$@" "$file"
}
film() { "$program" "$style" --size 48 --iterations 3 --min-size 48 "$@"; }
told() { ffprobe -v error -select_streams "$2" -show_entries "stream=$3" -of csv=p=0 "$1"; }

# What can't be.
make_clip in.mp4 testsrc2=96x64:30000/1001 8 -c:v libx264 -pix_fmt yuv420p -c:a aac -colorspace bt709 -color_primaries bt709 \
  -color_trc bt709 -color_range pc -vf scale=out_range=pc:out_color_matrix=bt709
if ! film --film in.mp4 -o out.mp4 --quiet 2>err.txt; then
  grep -q 'films need the optical flow of OpenCV' err.txt || fail "a film: $(cat err.txt)"
  echo "SKIPPED: built without OpenCV (Debian's package libopencv-dev)"
  exit 77
fi
refuses 2 '--film does not go with CONTENT: a film is its own content' film cat.jpg --film in.mp4 -o o.mp4
refuses 2 '--film does not go with --report: that is of one picture' film --film in.mp4 --report r.html
refuses 2 '--frames does not go with --film' film --film in.mp4 --frames folder -o o
refuses 2 '--frames needs --output: the frames go into a folder of their own' film --frames folder
refuses 2 '--temporal-weight needs --film: there is no last frame' film cat.jpg --temporal-weight 3 -o x.png
refuses 2 "a film's name must end in .mp4, .mkv or .mov" film --film in.mp4 -o out.gif
refuses 2 'is the film itself' film --film in.mp4 -o ./in.mp4
refuses 1 'cat.txt: is no film that ffmpeg can read' film --film cat.txt -o o.mp4
mkdir only empty && cp cat.jpg only
refuses 1 'this folder holds no picture' film --frames empty -o frames
refuses 2 'is the folder of the frames' film --frames only -o ./only
mkdir twins && cp "$style" twins/a.jpg && cp "$style" twins/a.jpeg
refuses 2 'would both become a.png; rename one' film --frames twins -o twins-painted
make_clip hdr.mkv testsrc2=96x64 2 -c:v ffv1 -pix_fmt yuv420p10le -color_trc smpte2084
refuses 1 'is high dynamic range (smpte2084)' film --film hdr.mkv -o o.mp4

# Rate, length, colours and sound are kept, no work is left behind, and an odd side loses a pixel.
[ "$(told out.mp4 v:0 width,height,pix_fmt,color_range,color_space,color_transfer,color_primaries,r_frame_rate,nb_frames)" = \
  '48,32,yuvj420p,pc,bt709,bt709,bt709,30000/1001,8' ] || fail "the film is other: $(ffprobe -v error -show_streams out.mp4)"
[ "$(told out.mp4 a codec_name)" = aac ] || fail "the sound is lost"
[ ! -e out.frames ] || fail "the frames are left behind"
"$program" "$style" --film in.mp4 -o odd.mov --size 49 --min-size 49 --iterations 2 --quiet
[ "$(told odd.mov v:0 width,height)" = 48,32 ] || fail "an odd size: $(told odd.mov v:0 width,height)"
# A film of one colour stays that colour on the way through ffmpeg, both matrices and ranges.
for matrix in bt709 smpte170m; do
  for range in tv pc; do
    make_clip plain.mp4 color=0x30a060:96x64 1 -c:v libx264 -crf 1 -pix_fmt yuv420p -colorspace $matrix -color_range $range \
      -vf scale=out_range=$range:out_color_matrix=$matrix
    film --film plain.mp4 -o plain-out.mkv --quiet --style-weight 0 --tv-weight 0
    for file in plain.mp4 plain-out.mkv; do
      ffmpeg -v error -nostdin -y -i $file -frames:v 1 -vf scale=in_color_matrix=$matrix:in_range=$range,scale=1:1 \
        -f rawvideo -pix_fmt rgb24 $file.rgb
    done
    paste <(od -An -v -w1 -t u1 plain.mp4.rgb) <(od -An -v -w1 -t u1 plain-out.mkv.rgb) |
      awk '{ d = $1 - $2; if (d * d > 9) exit 1 }' || fail "$matrix $range: the colour moved: $(od -An -t u1 plain-out.mkv.rgb)"
  done
done

# Scenes: a film of two.
make_clip two.mp4 "color=0x202020:96x64:d=1[a];testsrc2=96x64:d=1[b];[a][b]concat" 28 -c:v libx264 -crf 10 -pix_fmt yuv420p
ffmpeg -v error -nostdin -y -ss 0.8 -i two.mp4 -frames:v 8 -c:v ffv1 cut.mkv
film --film cut.mkv -o cut.mp4 >log.txt
grep -c 'a new scene' log.txt | grep -qx 1 && grep -q 'frame 6 of 8, a new scene' log.txt ||
  fail "scenes: $(grep frame log.txt)"

# Frames of a folder; what is interrupted goes on, to the same bytes.
mkdir frames
ffmpeg -v error -nostdin -i in.mp4 frames/%03d.png
frames() { "$program" "$style" --frames frames --size 48 --iterations 30 --min-size 48 "$@"; }
frames -o whole --quiet
is_picture whole/001.png whole/008.png
"$program" "$style" --frames frames --size 48 --iterations 30 --min-size 48 -o parts >log.txt 2>&1 &
process=$!
waits_for 'frame 3 of 8' log.txt $process
kill -INT $process
ends_with 130 $process
frames -o parts >log.txt
grep -q 'frame 8 of 8' log.txt && ! grep -q 'frame 2 of 8' log.txt || fail "it did not go on: $(cat log.txt)"
for frame in whole/*.png; do
  cmp "$frame" "parts/${frame#whole/}" || fail "$frame is other after an interruption"
done
frames -o parts --temporal-weight 7 >log.txt
grep -q 'frame 1 of 8' log.txt || fail "another weight is another film"

# Another film begins anew, whatever the first one has left.
"$program" "$style" --film in.mp4 -o again.mp4 --size 48 --iterations 30 --min-size 48 >log.txt 2>&1 &
process=$!
waits_for 'frame 3 of 8' log.txt $process
kill -INT $process
ends_with 130 $process
film --film plain.mp4 -o again.mp4 --quiet
[ "$(told again.mp4 v:0 nb_frames)" = 1 ] || fail "frames of another film are in this one"

# Flicker: noise in front of a picture that stands still. psnr FOLDER: the mean of consecutive frames' squared differences.
mkdir noisy
ffmpeg -v error -nostdin -loop 1 -i cat.jpg -frames:v 5 -vf scale=96:-2,noise=alls=25:allf=t noisy/%03d.png
change() {
  local i total=0
  for i in 1 2 3 4; do
    total=$(ffmpeg -nostdin -i "$1/00$i.png" -i "$1/00$((i + 1)).png" -lavfi psnr=f=- -f null - 2>/dev/null |
      sed -n 's/.*mse_avg:\([0-9.]*\).*/\1/p' | awk -v t="$total" '{ print t + $1 }')
  done
  echo "$total"
}
options=(--size 96 --iterations 30 --quiet)
"$program" "$style" --frames noisy -o together "${options[@]}"
mkdir alone
for frame in noisy/*; do "$program" "$frame" "$style" -o "alone/${frame#noisy/}" "${options[@]}"; done
awk -v a="$(change together)" -v b="$(change alone)" 'BEGIN { print "squared change:", a, "against", b; exit !(a < b / 4) }' ||
  fail "the film flickers"
