"""Events to their one JSON text and back.

The text is made once and is the same bytes on both transports and in the log: compact and ASCII-escaped, so that no
event can be hurt by a split character, a lone surrogate or U+2028 (msgspec's own encoder has no ASCII mode).
"""

import json
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

import msgspec

from streaming.protocol.events import BY_NAME, Event, MessageDelta

_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
_DELTA = f'{{"event":"{MessageDelta.name}","id":%d,"data":{{"run_id":%s,"content":%s}}}}'


class Entry(NamedTuple):
    """One numbered event of a run as it stands in the log: ``text`` is the whole envelope."""

    id: int
    text: str


def dumps(value: Any) -> str:
    """Compact ASCII JSON. Raises ValueError for NaN and infinities, which are not JSON."""
    return _dumps(value)


def encode(event: Event, id: int | None) -> str:
    """The envelope of ``event`` as JSON text; without an id it is a hint."""
    if type(event) is MessageDelta and id is not None:  # a token's way: a tenth of the cost of the general form
        return _DELTA % (id, encode_basestring_ascii(event.run_id), encode_basestring_ascii(event.content))
    data: Any = msgspec.to_builtins(event)
    if id is None:
        return _dumps({"event": event.name, "data": data})
    return _dumps({"event": event.name, "id": id, "data": data})


def decode(text: str) -> tuple[int | None, Event | None]:
    """The number and the event of an envelope; the event is None where its name is not known here.

    Raises ValueError for text that is not an envelope.
    """
    try:
        envelope = json.loads(text)
        kind = BY_NAME.get(envelope["event"])
        event = None if kind is None else msgspec.convert(envelope["data"], kind)
    except (TypeError, KeyError, msgspec.ValidationError, RecursionError) as fault:
        raise ValueError(f"not an event envelope: {fault}") from fault
    return envelope.get("id"), event
