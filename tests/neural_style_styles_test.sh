#!/usr/bin/env bash
# Several styles, folders of them and their weights; the size of a style; a picture to start from.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors

paint() { "$program" "$images/cat.jpg" "$@" --size 48 --iterations 4 --quiet; }
differ() { ! cmp -s "$1" "$2" || fail "$1 and $2 are the same${3:+: $3}"; }
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ${3:+: $3}"; }
# How far the picture that is painted is from a style: the first loss that a run from it has.
style_loss() {
  "$program" "$1" "$2" --init "$1" --method gram --size 48 --iterations 1 --learning-rate 1e-9 --quiet \
    --losses far.csv -o far.png
  tail -1 far.csv | cut -d, -f3
}

# The name that is written says them all; a folder counts as one, its pictures share its weight.
mkdir some
cp "$images/suns.jpg" "$images/mosaic.jpg" some
echo 'no picture' >some/readme.txt
paint "$images/suns.jpg" --no-metadata
paint "$images/suns.jpg" --style "$images/mosaic.jpg" --no-metadata
paint some/ --no-metadata
paint "$images/mosaic.jpg" --style "$images/suns.jpg=1" --style some=0.001 --style some=0.002 --no-metadata
is_picture cat-suns.png cat-suns-mosaic.png cat-some.png cat-mosaic-suns-some-and-1-more.png
differ cat-suns.png cat-suns-mosaic.png "--style does nothing"
paint "$images/mosaic.jpg" --style "$images/suns.jpg" --no-metadata -o turned.png
same cat-some.png turned.png "the folder's pictures, in the order of their names"

# The heavier a style, the nearer the picture.
for method in wasserstein neighbors; do
  for weight in 0.05 20; do
    paint "$images/suns.jpg" --style "$images/mosaic.jpg=$weight" --method $method --first-iterations 4 \
      --content-weight 0 --no-metadata -o heavy-$method-$weight.png
  done
  differ heavy-$method-0.05.png heavy-$method-20.png "weights with --method $method"
done
for weight in 0.05 1 20; do
  "$program" "$images/cat.jpg" "$images/suns.jpg" --style "$images/mosaic.jpg=$weight" --method gram --content-weight 0 \
    --size 48 --iterations 20 --learning-rate 0.05 --quiet -o heavy.png
  style_loss heavy.png "$images/mosaic.jpg"
done >distances.txt 2>warnings.txt
sort -g -r -c distances.txt && [ "$(sort -g -u distances.txt | wc -l)" -eq 3 ] ||
  fail "distances from the heavier style: $(tr '\n' ' ' <distances.txt)"

# A run that is repeated finds them all by their hashes, wherever they are and whatever their names.
paint "$images/suns.jpg" --style some/mosaic.jpg=2.5 -o first.png
mkdir hidden
mv some/mosaic.jpg hidden/a=b.jpg
weights=$SFUMATO_SOURCE_DIR/weights
"$program" repeat first.png hidden "$images" "$weights" -o second.png --quiet
same first.png second.png "repeat"
refuses 1 'there is no file with the hash of --style, which was called mosaic.jpg' \
  "$program" repeat first.png "$images/cat.jpg" "$images/suns.jpg" "$weights" -o x.png
mv hidden/a=b.jpg some/mosaic.jpg

# Checkpoints know of them.
paint "$images/suns.jpg" --style some/mosaic.jpg=2.5 -o kept.png --checkpoint kept.ckpt
same kept.png first.png "--checkpoint"
refuses 1 'is of another run: --style: mosaic.jpg' \
  paint "$images/suns.jpg" --resume kept.ckpt -o x.png
refuses 1 'of another run' paint "$images/suns.jpg" --style some/mosaic.jpg=3 --resume kept.ckpt -o x.png

# Jobs name a list.
printf '{"content": "%s", "style": ["%s", "some/mosaic.jpg=2.5"], "output": "job.png"}\n' "$images/cat.jpg" \
  "$images/suns.jpg" >jobs.jsonl
"$program" --jobs jobs.jsonl --size 48 --iterations 4 --quiet
same job.png first.png "--jobs"
cp job.png.done before.done
sed -i 's/=2.5/=2.6/' jobs.jsonl
"$program" --jobs jobs.jsonl --size 48 --iterations 4 --quiet
differ job.png.done before.done "another weight is another job"

# The report shows them.
paint "$images/suns.jpg" --style some/mosaic.jpg=2.5 -o told.png --report told.html
grep -q '>cat in the style of suns, mosaic<' told.html || fail "--report: no title"
grep -q 'Style, weight 2.5: mosaic.jpg, 900 × 700' told.html || fail "--report: no caption"
grep -q -- '--style some/mosaic.jpg=2.5' told.html || fail "--report: not the command"

# The size of the style.
paint "$images/suns.jpg" --style-size 40 --no-metadata -o small.png
differ small.png cat-suns.png "--style-size"
paint "$images/suns.jpg" --style-size 48 --no-metadata -o plain.png
same plain.png cat-suns.png "--style-size as it is anyway"

# A picture to start from, which the record knows.
paint "$images/suns.jpg" --init "$images/rocket.jpg" --no-metadata -o started.png
differ started.png cat-suns.png "--init FILE"
paint "$images/suns.jpg" --init "$images/cat.jpg" --no-metadata -o content.png
same content.png cat-suns.png "--init with the content's file"
paint "$images/suns.jpg" --init "$images/rocket.jpg" -o started.png
"$program" repeat started.png "$images" "$weights" -o again.png --quiet
same started.png again.png "repeat with --init FILE"

refuses 2 "--style must be a file or a folder, and its weight after = if that is not 1, a number above 0, not 'a.jpg=0'" \
  paint "$images/suns.jpg" --style a.jpg=0 -o x.png
refuses 1 'a.jpg' paint "$images/suns.jpg" --style a.jpg=2 -o x.png
mkdir empty
refuses 1 'empty: this folder holds no picture' paint empty -o x.png
cp "$images/suns.jpg" some/taken.png
refuses 2 '--output some/taken.png is the same file as --style some/taken.png' paint some -o some/taken.png
refuses 2 '--style-size does not go with --style-scale' paint "$images/suns.jpg" --style-size 64 --style-scale 2 -o x.png
refuses 2 '--seed does not go with --init content' paint "$images/suns.jpg" --seed 3 -o x.png
refuses 2 "--init must be content, noise, gray, style-stats or a file name, not 'nowhere.png'" paint "$images/suns.jpg" --init nowhere.png -o x.png
echo "all as it should be"
