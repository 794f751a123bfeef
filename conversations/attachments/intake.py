"""What is kept of a file that somebody sends."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from conversations.attachments.kinds import HEAD, TAKEN, Kind, as_text, clean_name, kind_of, named_as, text_type
from conversations.attachments.sandbox import taken_apart
from streaming.protocol.errors import InvalidRequest, UnsupportedType
from streaming.protocol.text import clean


@dataclass(frozen=True, kw_only=True)
class Taken:
    """``content`` is the file that is kept, ``text`` what can be read of it, where that is not the same."""

    kind: Kind
    name: str
    type: str
    content: Path
    text: Path | None = None
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    characters: int | None = None

    @property
    def size(self) -> int:
        return self.content.stat().st_size

    @property
    def stored(self) -> int:
        """Bytes of all that is kept."""
        return self.size + (0 if self.text is None else self.text.stat().st_size)

    def sha256(self) -> str:
        with self.content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def take(source: Path, *, name: str, scratch: Path) -> Taken:
    """Look at a file and make of it what is kept, in the directory ``scratch``. Blocks, for up to half a minute.

    Raises InvalidRequest for an empty file, UnsupportedType and UnreadableFile.
    """
    with source.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise InvalidRequest("This file is empty.", details={"field": "file"})
    name, target = clean_name(clean(name)), scratch / "kept"
    match kind_of(head):
        case "image":
            found = taken_apart("image", source, target)
            seen = {field: found[field] for field in ("type", "width", "height")}
            return Taken(kind="image", name=named_as(name, found["type"]), content=target, **seen)
        case "pdf":
            found = taken_apart("pdf", source, target)
            read = {field: found[field] for field in ("pages", "characters")}
            return Taken(kind="pdf", name=name, type="application/pdf", content=source, text=target, **read)
        case "text":
            return _text(source, name, target)


def _text(source: Path, name: str, target: Path) -> Taken:
    text = as_text(source.read_bytes())
    if text is None:
        raise UnsupportedType(details={"taken": list(TAKEN)})
    target.write_text(text, encoding="utf-8", newline="")
    return Taken(kind="text", name=name, type=text_type(name), content=target, characters=len(text))
