#!/usr/bin/env bash
# Pictures that carry how they were painted, and are painted again from that; records that are not to be believed.
set -euo pipefail

program=$SFUMATO_BUILD_DIR/neural_style
. "$SFUMATO_SOURCE_DIR/tests/support/program.sh"
export SFUMATO_WEIGHTS=$SFUMATO_SOURCE_DIR/weights/vgg19-slim.safetensors
mkdir pictures elsewhere empty
cp "$images/cat.jpg" pictures/photo.jpg
cp "$images/suns.jpg" pictures/painting.jpg
paint() { "$program" pictures/photo.jpg pictures/painting.jpg --size 40 --iterations 4 --quiet "$@"; }

# set_record PICTURE FILE: the picture with another record, or with one more where it has none.
cat >set_record.py <<'E2'
import struct, sys, zlib
png = open(sys.argv[1], 'rb').read()
chunks, at = [], 8
while at < len(png):
    length = struct.unpack('>I', png[at:at + 4])[0]
    chunks.append((png[at + 4:at + 8], png[at + 8:at + 8 + length]))
    at += 12 + length
chunks = [(kind, data) for kind, data in chunks if kind != b'iTXt']
chunks.insert(1, (b'iTXt', b'neural_style\0\0\0\0\0' + sys.stdin.buffer.read()))
with open(sys.argv[2], 'wb') as out:
    out.write(png[:8])
    for kind, data in chunks:
        out.write(struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data)))
E2
record_of() { python3 - "$1" <<'E2'
import sys
png = open(sys.argv[1], 'rb').read()
at = png.index(b'iTXtneural_style\0\0\0\0\0')
length = int.from_bytes(png[at - 4:at], 'big')
sys.stdout.buffer.write(png[at + 4 + 17:at + 4 + length])
E2
}

# What a picture carries: no folder, no way of writing anything.
paint -o first.png --init noise --seed 7 --style-weight 500 --threads 1
paint -o plain.png --init noise --seed 7 --style-weight 500 --no-metadata
grep -q iTXt plain.png && fail "--no-metadata leaves texts"
if command -v python3 >/dev/null; then
  record_of first.png >record.json
  python3 - "$(sha256sum <pictures/photo.jpg | cut -d ' ' -f 1)" "$(sha256sum <"$SFUMATO_WEIGHTS" | cut -d ' ' -f 1)" <<'E2' ||
import json, sys
record = json.load(open('record.json'))
inputs = {i['option']: i for i in record['inputs']}
assert record['options'] == {'--size': '40', '--iterations': '4', '--init': 'noise', '--seed': '7',
                             '--style-weight': '500'}, record['options']
assert record['seed'] == '7' and record['stopped_after'] == 0
assert inputs['CONTENT']['name'] == 'photo.jpg' and inputs['CONTENT']['sha256'] == sys.argv[1]
assert inputs['STYLE']['name'] == 'painting.jpg'
assert inputs['--weights']['sha256'] == sys.argv[2]
assert {'sfumato', 'device', 'instruction set', 'libraries', 'compiler'} == set(record['environment'])
assert '/' not in json.dumps(record['inputs']), record
E2
    fail "the record is not right: $(cat record.json)"
fi

# To the byte, from files that are named, in a folder that is named, or beside the picture; under any name.
unset SFUMATO_WEIGHTS
again() { local wanted=$1; shift; "$program" repeat "$@" >log.txt 2>err.txt || fail "repeat $*: $? $(cat err.txt)"
  grep -qF -- "$wanted" log.txt || fail "repeat $* said: $(cat log.txt) $(cat err.txt)"; }
weights=$SFUMATO_SOURCE_DIR/weights
again 'the same as first.png to the byte' first.png pictures "$weights" -o again.png
cmp first.png again.png || fail "painted again it is another"
mv pictures/photo.jpg elsewhere/x.jpg
again 'the same as first.png to the byte' first.png "$weights" pictures elsewhere/x.jpg -o again.png --threads 2
cmp first.png again.png || fail "under another name it is another"
cp elsewhere/x.jpg pictures/painting.jpg "$weights/vgg19-slim.safetensors" first.png empty/
again 'the same as empty/first.png to the byte' empty/first.png --output=again.png --losses losses.csv
[ "$(wc -l <losses.csv)" -eq 5 ] || fail "repeat takes no --losses"
mv elsewhere/x.jpg pictures/photo.jpg
# A program with no weights in its reach but those that $SFUMATO_WEIGHTS names.
cp "$program" elsewhere/neural_style
cp "$weights/vgg19-slim.safetensors" elsewhere/mine.safetensors
(export SFUMATO_WEIGHTS=elsewhere/mine.safetensors; program=elsewhere/neural_style
  again 'the same as first.png to the byte' first.png pictures -o again.png) || fail "\$SFUMATO_WEIGHTS"
rm elsewhere/*
export SFUMATO_WEIGHTS=$weights/vgg19-slim.safetensors

# Presets with their stages; and runs that were ended before their end.
"$program" pictures/photo.jpg pictures/painting.jpg --preset d2l --iterations 1 --quiet -o stages.png
again 'the same as stages.png to the byte' stages.png pictures "$weights" -o again.png
"$program" pictures/photo.jpg pictures/painting.jpg --size 32 --iterations 100000 --report-every 1 -o ended.png >log.txt &
process=$!
waits_for ' 12/' log.txt $process
kill -TERM $process
ends_with 143 $process
again 'the same as ended.png to the byte' ended.png pictures "$weights" -o again.png

# Refusals.
refuses 2 'repeat needs a picture: neural_style repeat PICTURE -o FILE' "$program" repeat
refuses 2 'repeat writes only what -o names' "$program" repeat first.png
refuses 2 '--size does not go with repeat: the picture says how it was painted' "$program" repeat first.png -o x.png --size 64
refuses 2 '--grid does not go with repeat' "$program" repeat first.png -o x.png --grid tv-weight=1,2
refuses 2 '--weights does not go with repeat' "$program" repeat first.png -o x.png --weights y
refuses 1 'plain.png: holds no record of how it was painted' "$program" repeat plain.png -o x.png
refuses 1 'painting.jpg: this is no PNG' "$program" repeat pictures/painting.jpg -o x.png
refuses 1 'none.png: no such file' "$program" repeat none.png -o x.png
refuses 1 'there is no file with the hash of CONTENT, which was called photo.jpg' "$program" repeat first.png -o x.png
refuses 2 'is the same file as the picture to repeat' "$program" repeat first.png pictures "$weights" -o first.png
printf x >>pictures/photo.jpg
refuses 1 'there is no file with the hash of CONTENT' "$program" repeat first.png pictures "$weights" -o x.png
cp "$images/cat.jpg" pictures/photo.jpg
"$program" repeat --help | cmp - <("$program" --help) || fail "repeat --help"

command -v python3 >/dev/null || { echo "no python3: hostile records are not tried"; exit 0; }
# Records that are not to be believed: nothing but painting options, nothing too large, one line each, no file.
hostile() { local message=$1; python3 set_record.py first.png hostile.png
  refuses 1 "$message" "$program" repeat hostile.png pictures "$weights" -o x.png; }
change() { python3 -c "
import json, sys
record = json.load(open('record.json'))
$1
json.dump(record, sys.stdout)"; }
for option in --output --losses --save-stages --threads --quiet --no-metadata --help CONTENT --weights --nothing; do
  change "record['options']['$option'] = 'evil'" | hostile "its record sets $option, which no picture needs"
done
for option in --output --losses --size --nothing; do
  change "record['inputs'][0]['option'] = '$option'" | hostile "its record sets $option, which no picture needs"
done
change "record['options']['\x1b[2J\n'] = 'evil'" | hostile 'its record sets \x1b[2J\n, which no picture needs'
change "record['options']['--size'] = ['40']" | hostile 'its record has no right --size'
change "record['options']['--size'] = 'x' * 2000" | hostile 'its record has no right --size'
change "record['options'] = [1]" | hostile 'its record has no right options'
change "record['stopped_after'] = -1" | hostile 'its record has no right stopped_after'
change "record['stopped_after'] = 1e300" | hostile 'its record has no right stopped_after'
change "del record['inputs'][1]['sha256']" | hostile 'its record has no right sha256'
change "record['inputs'][0]['bytes'] = 2 ** 60" | hostile 'its record has no right bytes'
change "record['inputs'][0]['name'] = '../' * 50 + 'etc/passwd'; record['inputs'][0]['sha256'] = ''" |
  hostile 'there is no file with the hash of CONTENT, which was called ../'
change "record['environment'] = None" | hostile 'its record has no right environment'
printf '' | hostile 'its record has no right'
printf '{"options"' | hostile 'its record has no right'
printf '[]' | hostile 'its record has no right'
head -c 60000 /dev/zero | tr '\0' '[' | hostile 'its record has no right'
head -c 70000 /dev/zero | tr '\0' ' ' | hostile "the text 'neural_style' has 70000 bytes; at most 65536 are read"
refuses_value() { python3 set_record.py first.png hostile.png
  refuses 2 "$1" "$program" repeat hostile.png pictures "$weights" -o x.png; }
change "record['options']['--size'] = '1e9'" | refuses_value "--size must be a whole number from 32 to 16384, not '1e9'"
change "del record['inputs'][1]" | refuses_value 'STYLE is required'
change "record['options']['--height'] = '64'" | refuses_value '--size does not go with --height'
# Damage.
python3 -c "
png = bytearray(open('first.png', 'rb').read())
png[80] ^= 1
open('damaged.png', 'wb').write(png)
open('short.png', 'wb').write(open('first.png', 'rb').read()[:100])"
refuses 1 'damaged.png: the text at offset 33 is damaged' "$program" repeat damaged.png pictures -o x.png
refuses 1 'short.png: truncated: a chunk at offset 33 claims' "$program" repeat short.png pictures -o x.png
# What differs elsewhere is said.
change "record['environment']['instruction set'] = 'sve'" | python3 set_record.py first.png other.png
"$program" repeat other.png pictures "$weights" -o again.png >log.txt 2>err.txt || fail "another machine: $(cat err.txt)"
grep -q 'warning: the picture may differ: instruction set: sve there, ' err.txt || fail "another machine: $(cat err.txt)"
grep -qx 'the same as other.png in every pixel' log.txt || fail "another machine: $(cat log.txt)"
grep -qF 'sve' again.png && fail "the new record names the old machine"
echo "all as it should be"
