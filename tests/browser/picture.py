#!/usr/bin/env python3
"""Makes a screenshot small: a PNG of the browser becomes one with a palette of 256 colours.

    python3 tests/browser/picture.py FROM.png TO.png

The most frequent colours stay as they are; the others, mostly edges of letters, become the nearest of the palette.
"""

import struct
import sys
import zlib
from collections import Counter

COMMON, ALL = 160, 256


def read(path):
    data = open(path, "rb").read()
    at, body, head = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", data[at + 8:at + 8 + size])
        elif kind == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += size + 12
    width, height, depth, colours, _, _, interlaced = head
    if depth != 8 or colours not in (2, 6) or interlaced:
        sys.exit("only what a browser writes: 8 bits, RGB or RGBA, not interlaced")
    return width, height, unfiltered(zlib.decompress(body), width, height, 3 if colours == 2 else 4)


def unfiltered(raw, width, height, step):
    line, before, rows = width * step, bytearray(width * step), []
    for row in range(height):
        start = row * (line + 1)
        kind, now = raw[start], bytearray(raw[start + 1:start + 1 + line])
        for i in range(line if kind else 0):
            left, up = now[i - step] if i >= step else 0, before[i]
            corner = before[i - step] if i >= step else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            else:
                near = left + up - corner
                guess = min((abs(near - left), 0, left), (abs(near - up), 1, up), (abs(near - corner), 2, corner))[2]
            now[i] = (now[i] + guess) & 255
        rows.append([tuple(now[i:i + 3]) for i in range(0, line, step)])
        before = now
    return rows


def distance(one, other):
    return sum((a - b) ** 2 for a, b in zip(one, other))


def palette_of(counts):
    palette = [colour for colour, _ in counts.most_common(COMMON)]
    far = {colour: min(distance(colour, one) for one in palette) for colour in counts}
    while len(palette) < min(ALL, len(counts)):
        worst = max(far, key=lambda colour: far[colour] * counts[colour] ** 0.5)
        palette.append(worst)
        far = {colour: min(old, distance(colour, worst)) for colour, old in far.items()}
    return palette


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main(source, target):
    width, height, rows = read(source)
    counts = Counter(colour for row in rows for colour in row)
    palette = palette_of(counts)
    index = {colour: min(range(len(palette)), key=lambda i: distance(palette[i], colour)) for colour in counts}
    body = b"".join(b"\0" + bytes(index[colour] for colour in row) for row in rows)
    with open(target, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)))
        out.write(chunk(b"PLTE", b"".join(map(bytes, palette))) + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b""))


main(*sys.argv[1:3])
