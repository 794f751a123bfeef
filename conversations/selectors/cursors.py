"""Cursors of lists: opaque to clients, a position in an ordering to us."""

import base64
import json
import re
from datetime import UTC, datetime
from uuid import UUID

from streaming.protocol.errors import InvalidRequest

_LONGEST = 500


def encode(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(cursor: str, *, parts: int) -> list[str]:
    """Raises InvalidRequest for anything that ``encode`` did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise _not_ours() from None
    if not isinstance(values, list) or len(values) != parts or not all(isinstance(value, str) for value in values):
        raise _not_ours()
    return values


def encode_moment(at: datetime, pk: UUID) -> str:
    return encode(at.astimezone(UTC).isoformat(), str(pk))


def decode_moment(cursor: str) -> tuple[datetime, UUID]:
    """The time and id of the last row of the page before. Raises InvalidRequest."""
    stamp, pk = decode(cursor, parts=2)
    try:
        at = datetime.fromisoformat(stamp)
        if at.tzinfo is None:
            raise ValueError("a time without its zone")
        return at.astimezone(UTC), UUID(pk)
    except (ValueError, OverflowError):
        raise _not_ours() from None


def decode_id(cursor: str) -> UUID:
    """Raises InvalidRequest."""
    (pk,) = decode(cursor, parts=1)
    try:
        return UUID(pk)
    except ValueError:
        raise _not_ours() from None


def decode_number(cursor: str) -> int:
    """Raises InvalidRequest."""
    (text,) = decode(cursor, parts=1)
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise _not_ours()
    return int(text)


def _not_ours() -> InvalidRequest:
    return InvalidRequest("This cursor is not one of ours.", details={"field": "cursor"})
