"""Receiving a file: how many at once, what of the form is taken, and what is made of it."""

import asyncio
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from conversations.attachments.intake import take
from conversations.database import impatient
from conversations.models import Attachment
from conversations.services.attachments import replayed, store
from conversations.services.idempotency import Key
from streaming.protocol.errors import BodyTooLarge, InvalidRequest, RateLimited, UnknownField, UnsupportedMediaType

FIELD = "file"


class Places:
    """How many files a process receives at once, of all and of one person. Who comes then is told to come again."""

    def __init__(self, *, most: int = 32, most_each: int = 4) -> None:
        self._most = most
        self._most_each = most_each
        self._taken: Counter[UUID] = Counter()

    @contextmanager
    def taken(self, owner_id: UUID) -> Iterator[None]:
        """Raises RateLimited."""
        if self._taken.total() >= self._most or self._taken[owner_id] >= self._most_each:
            raise RateLimited("Too many files are being read. Wait a moment and try again.", retry_after_ms=1000)
        self._taken[owner_id] += 1
        try:
            yield
        finally:
            self._taken[owner_id] -= 1
            if not self._taken[owner_id]:
                del self._taken[owner_id]


class Turns:
    """One file of each person is taken apart at a time: it may take half a minute, and there are few hands. Who sends
    several waits for the first, and nobody else does.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    def of(self, owner_id: UUID) -> asyncio.Lock:
        return self._locks.setdefault(owner_id, asyncio.Lock())


def receive(request: HttpRequest, *, owner_id: UUID, key: str | None, most: int, quota: int) -> tuple[Attachment, bool]:
    """Keep the one file of a form; returns its row, and whether the key had made it before. Blocks.

    Raises UnsupportedMediaType, UnknownField, InvalidRequest, BodyTooLarge, and what ``take`` and ``store`` raise.
    """
    sent = _file_of(request)
    if (sent.size or 0) > most:
        raise BodyTooLarge("This file is larger than this server accepts.", details={"limit": most})
    name = sent.name or ""
    with tempfile.TemporaryDirectory(prefix="attachment-") as directory:
        scratch = Path(directory)
        source = _on_disk(sent, scratch)
        once = None if key is None else Key(user_id=owner_id, key=key, body_hash=_hash(source, name))
        with impatient():
            if earlier := replayed(owner_id=owner_id, key=once):
                return earlier, True
        taken = take(source, name=name, scratch=scratch)
        with impatient():
            return store(owner_id=owner_id, taken=taken, quota=quota, key=once)


def _file_of(request: HttpRequest) -> "UploadedFile[Any]":
    if request.content_type != "multipart/form-data":
        raise UnsupportedMediaType("Send the file as multipart/form-data, in the field file.")
    try:
        sent, fields = request.FILES, request.POST
    except RequestDataTooBig:
        raise BodyTooLarge() from None
    except (MultiPartParserError, SuspiciousOperation):
        raise InvalidRequest("The body is no form with a file in it.", details={"field": FIELD}) from None
    if unknown := sorted({*sent, *fields} - {FIELD}):
        raise UnknownField(details={"fields": [name[:100] for name in unknown[:20]]})
    found = sent.getlist(FIELD)
    if len(found) != 1 or not isinstance(found[0], UploadedFile):
        raise InvalidRequest("Send one file, in the field file.", details={"field": FIELD})
    return found[0]


def _on_disk(sent: "UploadedFile[Any]", scratch: Path) -> Path:
    if isinstance(sent, TemporaryUploadedFile):
        return Path(sent.temporary_file_path())
    path = scratch / "sent"
    with path.open("wb") as file:
        for chunk in sent.chunks():
            file.write(chunk)
    return path


def _hash(source: Path, name: str) -> str:
    """What the request means: the file and what it is called. How its form was written does not count."""
    digest = hashlib.sha256(f"attachments {name}\n".encode())
    with source.open("rb") as file:
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()
