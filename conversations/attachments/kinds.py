"""What a file is by its content. Neither its name nor what its sender says of it is asked. Pure."""

import codecs
import re
import unicodedata
from typing import Literal

Kind = Literal["image", "pdf", "text"]

# As people read it, where something else was sent.
TAKEN = ("PNG", "JPEG", "WebP", "GIF", "PDF", "plain text in UTF-8, such as Markdown, CSV, JSON or source code")
HEAD = 1024  # bytes that tell which kind it is
LONGEST_NAME = 200
_PDF = re.compile(rb"%PDF-\d")
# A BOM is the only sign of UTF-16 that is none of chance. That of UTF-32 begins like it, and nobody writes that.
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Of texts the name says how they are to be shown and told to a model, and nothing else: they are all served as plain.
_TEXTS = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
}
PLAIN = "text/plain"
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg"}


def kind_of(head: bytes) -> Kind:
    """By its first ``HEAD`` bytes. ``text`` is what is left: ``as_text`` says whether it is one."""
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")):
        return "image"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image"
    # Readers of PDF look for its mark in the first kilobyte, and some scanners put something in front of it. It may
    # not make a PDF of a text that speaks of one.
    found = _PDF.search(head)
    if found and (found.start() == 0 or b"\x00" in head or not _is_utf_8(head)):
        return "pdf"
    return "text"


def as_text(raw: bytes) -> str | None:
    """The text, without its byte order mark; None for what is none: not valid, or with the character NUL."""
    encoding = "utf-16" if raw.startswith(_UTF_16) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def text_type(name: str) -> str:
    return _TEXTS.get(name.rpartition(".")[2].lower(), PLAIN)


def clean_name(name: str) -> str:
    """A name as it may be shown and saved under: no path, nothing that hides or turns letters, not too long."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(" " if char.isspace() else char for char in last if not _hidden(char))
    shown = " ".join(shown.split()).strip(". ") or "file"
    if len(shown) <= LONGEST_NAME:
        return shown
    stem, dot, ending = shown.rpartition(".")
    if not dot or len(ending) > 20:
        return shown[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def named_as(name: str, type: str) -> str:
    """The name with the ending of what a picture has been made into."""
    ending = _ENDINGS[type]
    stem, dot, before = name.rpartition(".")
    if dot and before.lower() in (ending, "jpeg") and (ending == "jpg") == (before.lower() in ("jpg", "jpeg")):
        return name
    return clean_name(f"{stem if dot and len(before) <= 5 else name}.{ending}")


def _hidden(char: str) -> bool:
    """Control characters but white space, and what changes the direction of letters or takes no room."""
    return not char.isspace() and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn")


def _is_utf_8(head: bytes) -> bool:
    """Whether it can be the beginning of a text: its last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
