#!/usr/bin/env python3
"""Makes a training set of whatever pictures lie in folders; see gather_pictures.sh.

Every picture of enough pixels is reduced to at most 1024 pixels a side and written as a JPEG, named
after its package. Of pictures that look alike (one wallpaper in several sizes, a light and a dark
variant) the first is kept, so that no picture is both trained with and held out. The pictures that the
demo and the comparison of networks paint are left out. Textures made here by chance, always the same
ones, are added.
"""
import pathlib
import sys

import numpy
from PIL import Image

KINDS = {".jpg", ".jpeg", ".png", ".webp"}
SMALLEST, LARGEST = 200, 1024
# Wallpapers of one package for a phone held upright, tests, icons, maps and heraldry.
LEFT_OUT = ("chelsea", "rocket", "rainier", "autumn-oak", "/doc/", "/test", "icons/", "/maps/", "cursor",
            "_portrait", "screenshot", "/help/")
TEXTURES = 60


def prepared(path):
    """The picture in RGB over white, reduced; None when it is too small, too long or mostly empty."""
    picture = Image.open(path)
    if min(picture.size) < SMALLEST or max(picture.size) > 4 * min(picture.size):
        return None
    if picture.mode in ("P", "LA", "PA", "RGBA"):
        picture = picture.convert("RGBA")
        alpha = numpy.asarray(picture.getchannel("A"))
        if (alpha < 128).mean() > 0.5:
            return None
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    picture = picture.convert("RGB")
    picture.thumbnail((LARGEST, LARGEST), Image.LANCZOS)
    return picture if min(picture.size) >= SMALLEST * 3 // 4 else None


def thumbnail(picture):
    """What is compared to find pictures that look alike: 16 x 16 greys of mean 0 and deviation 1."""
    grey = numpy.asarray(picture.convert("L").resize((16, 16), Image.BOX), dtype=float)
    return (grey - grey.mean()).ravel() / (grey.std() + 1e-6)


def smooth_noise(random, size, cells):
    """Noise of values 0 to 1 that varies over size / cells pixels."""
    coarse = random.random((cells, cells)).astype(numpy.float32)
    return numpy.asarray(Image.fromarray(coarse).resize((size, size), Image.BICUBIC))


def texture(random, size=512):
    """A texture of one of four kinds: mosaic cells, strokes along a flow, waves, layers of noise."""
    palette = random.integers(0, 256, (6, 3))
    kind = random.integers(4)
    y, x = numpy.mgrid[0:size, 0:size].astype(numpy.float32)
    if kind == 0:
        centres = random.random((int(random.integers(40, 500)), 2)) * size
        nearest = numpy.full((size, size), numpy.inf, numpy.float32)
        second = nearest.copy()
        owner = numpy.zeros((size, size), int)
        for i, (a, b) in enumerate(centres):
            distance = numpy.hypot(y - a, x - b)
            second = numpy.minimum(second, numpy.maximum(distance, nearest))
            owner[distance < nearest] = i
            nearest = numpy.minimum(nearest, distance)
        colours = palette[random.integers(0, 6, len(centres))] + random.normal(0, 20, (len(centres), 3))
        values = colours[owner] * (second - nearest > random.uniform(1, 5))[..., None]
    elif kind == 1:
        values = numpy.empty((size, size, 3))
        values[:] = palette[0]
        angle = smooth_noise(random, size, int(random.integers(3, 9))) * 2 * numpy.pi
        width, length = random.uniform(1.5, 5), int(random.integers(15, 60))
        for _ in range(5000):
            a, b = random.random(2) * size
            colour = palette[int(angle[int(a), int(b)]) % 6] + random.normal(0, 15, 3)
            for _ in range(length):
                i, j = int(a), int(b)
                if not (0 <= i < size and 0 <= j < size):
                    break
                values[max(0, int(a - width)):int(a + width) + 1, max(0, int(b - width)):int(b + width) + 1] = colour
                a, b = a + numpy.sin(angle[i, j]) * 1.5, b + numpy.cos(angle[i, j]) * 1.5
    elif kind == 2:
        bend = smooth_noise(random, size, 6) * random.uniform(0, 60)
        turn, period = random.uniform(0, numpy.pi), random.uniform(5, 40)
        along = numpy.cos(turn) * x + numpy.sin(turn) * y + bend
        across = numpy.cos(turn) * y - numpy.sin(turn) * x + bend
        wave = 0.5 + 0.5 * numpy.sin(along * 2 * numpy.pi / period)
        if random.random() < 0.5:
            wave = wave * (0.5 + 0.5 * numpy.sin(across * 2 * numpy.pi / period))
        values = palette[0] * wave[..., None] + palette[1] * (1 - wave[..., None])
    else:
        values = numpy.zeros((size, size, 3))
        for octave in range(2, 9):
            noise = smooth_noise(random, size, 2 ** octave)
            values += (noise - 0.5)[..., None] * (palette[octave % 6] - 100) * random.uniform(0.3, 1)
        values += palette[0]
    return Image.fromarray(numpy.clip(values, 0, 255).astype(numpy.uint8))


def main():
    target = pathlib.Path(sys.argv[1])
    kept = []
    for source in map(pathlib.Path, sys.argv[2:]):
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            name = path.as_posix()
            if path.suffix.lower() not in KINDS or any(word in name for word in LEFT_OUT):
                continue
            try:
                picture = prepared(path)
            except OSError:  # a dangling link, a format that Pillow does not know
                continue
            if picture is None:
                continue
            looks = thumbnail(picture)
            if any((looks @ other) / looks.size > 0.92 for other in kept):
                continue
            kept.append(looks)
            package = path.relative_to(source).parts[0] if source.is_dir() else "own"
            picture.save(target / f"{package}-{len(kept):04d}.jpg", quality=92)
    random = numpy.random.Generator(numpy.random.PCG64(1))
    for i in range(TEXTURES):
        texture(random).save(target / f"texture-{i:02d}.jpg", quality=92)
    print(f"{len(kept)} pictures and {TEXTURES} textures in {target}")


main()
