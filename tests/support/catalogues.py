"""Compiled catalogues of translations, without the tools that compile them.

The format: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
"""

import struct
from collections.abc import Mapping
from pathlib import Path

MAGIC = 0x950412DE


def write_catalogue(path: Path, texts: Mapping[str, str | list[str]], *, plural: str) -> None:
    """Of ``texts`` those with several forms stand under "one\\0many". ``plural`` is the rule as a .po file has it."""
    header = f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: {plural}\n"
    pairs = sorted({"": header, **texts}.items(), key=lambda pair: pair[0].encode())
    strings = [text.encode() for text, _ in pairs]
    strings += ["\0".join([said] if isinstance(said, str) else said).encode() for _, said in pairs]
    begins = 28 + 16 * len(pairs)
    places = b""
    for one in strings:
        places += struct.pack("<II", len(one), begins)
        begins += len(one) + 1
    head = struct.pack("<7I", MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, begins)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + places + b"".join(one + b"\0" for one in strings))


def texts_of(path: Path) -> list[str]:
    """What a compiled catalogue translates, forms as "one\\0many"."""
    read = path.read_bytes()
    count, table = struct.unpack_from("<II", read, 8)
    places = [struct.unpack_from("<II", read, table + 8 * number) for number in range(count)]
    return [read[begins : begins + length].decode() for length, begins in places]
