# SPDX-License-Identifier: GPL-2.0-only
"""Damage a file: bits, pieces, JSON tokens, and the structure of zip and gzip archives. All from a seeded generator."""

import gzip
import io
import re
import struct
import zipfile
import zlib

TOKENS = [
    b"null", b"true", b"-1", b"0", b"1.5", b"NaN", b"Infinity", b"1e999", b"18446744073709551616", b"9" * 5000, b"4294967295",
    b'""', b'"\\u001b[2J"', b'"\\u202e"', b'"\\ud800"', b'"\x1b"', b"[]", b"{}", b"[[[1]]]", b'{"a":{}}', b"[" * 500,
    b"[" * 99 + b"]" * 99, b'{"a":1,"a":2}', b"1000000000000", b'"x"', b'["x",3]', b"\xff", b"",
]  # fmt: skip
"""What may stand in place of a JSON token."""

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|[\[\]{},:]')
HEADERS = [
    b"'<u8'", b"'|O'", b"'<U999999999'", b"(3,)", b"(17592186044416,)", b"(-1,)", b"()", b"(2, 2, 2)", b"True", b"'<f8'",
    b"'>u4'",
]  # fmt: skip
HEADER = re.compile(rb"'[<>|][a-zA-Z]\d+'|\([\d, ]*\)|False|'shape'|\d+")


def flip(random, content):
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8, 40))):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return bytes(content)


def cut(random, content):
    return content[: random.randrange(len(content))]


def splice(random, content):
    a, b, c, d = (random.randrange(len(content)) for _ in range(4))
    return content[:a] + content[min(b, c) : max(b, c)] + content[d:]


def repeat(random, content):
    a, b = sorted(random.randrange(len(content)) for _ in range(2))
    return content[:b] + content[a : min(b, a + 4096)] * random.choice((1, 2, 30)) + content[b:]


def token(random, content):
    found = list(TOKEN.finditer(content))
    if not found:
        return flip(random, content)
    for place in sorted(random.sample(found, min(len(found), random.choice((1, 1, 1, 2)))), key=lambda one: -one.start()):
        other = random.choice((random.choice(TOKENS), random.choice(found)[0]))
        content = content[: place.start()] + other + content[place.end() :]
    return content


def plain(random, content):
    return random.choice((flip, cut, splice, repeat, token, token))(random, content) if content else b"\0"


def header(random, content):
    """Change the header of a numpy array."""
    head, rest = content[:128], content[128:]
    found = list(HEADER.finditer(head))
    if not found:
        return flip(random, content)
    place, other = random.choice(found), random.choice(HEADERS)
    return head[: place.start()] + other + head[place.end() :] + rest


def number(random, content):
    """Change a word of an array."""
    if len(content) < 144:
        return flip(random, content)
    at = random.randrange(128, len(content) - 8) & ~7
    value = random.choice((0, 1, 255, 1 << 31, (1 << 64) - 1, 1 << 63, 1 << 40, random.getrandbits(64)))
    return content[:at] + struct.pack("<Q", value) + content[at + 8 :]


def text(random, content):
    """Change the JSON in an array of text."""
    encoded = token(random, content[128:].decode("utf-32-le", "replace").encode())
    words = encoded.decode("utf-8", "replace")
    head = f"{{'descr': '<U{len(words)}', 'fortran_order': False, 'shape': (), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.encode() + words.encode("utf-32-le", "surrogatepass")


def members(random, content):
    """Change members of a zip archive, so that its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    name, other = random.choice(list(held)), random.choice(list(held))
    what = random.randrange(10)
    if what == 0:
        del held[name]
    elif what == 1:
        held[name], held[other] = held[other], held[name]
    elif what == 2:
        held[random.choice(("../x", "x", name[:-4], "a.npy", "\x1b.npy"))] = held[name]
    elif what == 3:
        held[name] = plain(random, held[name])
    elif what in (4, 5):
        held[name] = header(random, held[name])
    elif what in (6, 7):
        held[name] = number(random, held[name])
    else:
        named = "meta.npy" if "meta.npy" in held else name
        held[named] = text(random, held[named])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, held_content in held.items():
            archive.writestr(zipfile.ZipInfo(name), held_content)
    return made.getvalue()


def directory(random, content):
    """Change a field of the zip archive's directory."""
    content = bytearray(content)
    entries = [found.start() for found in re.finditer(rb"PK\x01\x02|PK\x05\x06|PK\x03\x04", content)]
    at = random.choice(entries) + random.choice((4, 6, 8, 9, 10, 12, 14, 16, 20, 24, 28, 30, 32, 42))
    value = random.choice((0, 1, 8, 9, 12, 14, 0x41, 255, 0xFFFF, 0xFFFFFFFF, random.getrandbits(32)))
    width = random.choice((1, 2, 4))
    content[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(content)


def archive(random, content):
    return random.choice((members, members, members, directory, plain))(random, content)


def gzipped(random, content):
    """Change the text in a gzip file, or the file."""
    if not random.randrange(4):
        return plain(random, content)
    inside = gzip.decompress(content)
    if not random.randrange(4):
        lines = inside.splitlines(keepends=True)
        lines[random.randrange(len(lines))] = random.choice(lines)
        return gzip.compress(b"".join(lines), 1)
    return gzip.compress(plain(random, inside), 1)


def film(random, content):
    """Change the data of the film in HTML, or the HTML."""
    import base64
    import json

    found = re.search(rb'class="kvmmmu-film-data"[^>]*>(.*?)</script>', content)
    if not random.randrange(3) or found is None:
        return plain(random, content)
    inside = plain(random, zlib.decompress(base64.b64decode(json.loads(found[1])["packed"])))
    packed = json.dumps({"packed": base64.b64encode(zlib.compress(inside, 1)).decode()}).encode()
    return content[: found.start(1)] + packed + content[found.end(1) :]
