"""Where the files lie: below ``DATA_DIR``, or in a bucket; named by ids, never by anything that somebody wrote."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

import structlog
from django.core.files.base import File
from django.core.files.storage import Storage, storages

from streaming.protocol.errors import NotFound, StorageBusy, StorageFull

log = structlog.get_logger(__name__)
Part = Literal["content", "text"]
PIECE = 256 * 1024  # bytes of a file in memory for each of those who fetch one
AWAY = "The storage of files cannot be reached. Try again in a moment."


def put(id: UUID, part: Part, path: Path) -> None:
    """Raises StorageBusy and StorageFull. What was written of it by then is found by whoever looks after it."""
    with _answering(id), path.open("rb") as file:
        _storage().save(_name(id, part), File(file))


def read(id: UUID, part: Part, *, most: int | None = None) -> bytes:
    """All of it, or its first ``most`` bytes. Raises NotFound, StorageBusy."""
    with _answering(id), _storage().open(_name(id, part), "rb") as file:
        data: bytes = file.read() if most is None else file.read(most)
        return data


def begin(id: UUID, part: Part) -> "tuple[bytes, File[bytes] | None]":
    """Its first piece, and the file for ``go_on``, which whoever asked closes; None where that was all of it. Raises as
    ``read`` does.
    """
    with _answering(id):
        file = _storage().open(_name(id, part), "rb")
        first = file.read(PIECE)
        if len(first) == PIECE:
            return first, file
        file.close()
        return first, None


def go_on(id: UUID, file: "File[bytes]") -> bytes:
    """The next piece; empty at the end. Raises StorageBusy."""
    with _answering(id):
        piece: bytes = file.read(PIECE)
        return piece


def remove(id: UUID) -> None:
    """Both parts; what is not there is gone already. Raises StorageBusy."""
    with _answering(id):
        for part in ("content", "text"):
            _storage().delete(_name(id, part))


def _storage() -> Storage:
    return storages["attachments"]


def _name(id: UUID, part: str) -> str:
    """Two folders deep, by the last digits: the first ones of ids that were made on one day are the same."""
    digits = id.hex
    return f"{digits[-2:]}/{digits[-4:-2]}/{digits}.{part}"


@contextmanager
def _answering(id: UUID) -> Iterator[None]:
    """Whatever a storage raises, as ours; its words may have addresses and keys, and stay in the log."""
    try:
        yield
    except FileNotFoundError:
        log.error("a file is not where it should be", attachment=str(id))
        raise NotFound() from None
    except Exception as fault:
        log.warning("the storage of files failed", attachment=str(id), exc_info=fault)
        if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull() from fault
        raise StorageBusy(AWAY, retry_after_ms=2000) from fault
