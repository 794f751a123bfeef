"""The idempotency key of a request over HTTP."""

from collections.abc import Mapping
from typing import Any

from streaming.protocol.errors import InvalidRequest

LONGEST = 200


def take_key(headers: Mapping[str, str], body: Any) -> str | None:
    """From the header, or from the body's field, which is taken out of ``body``. Raises InvalidRequest."""
    in_body = body.pop("idempotency_key", None) if isinstance(body, dict) else None
    in_header = headers.get("Idempotency-Key")
    if in_header and not in_header.isascii():
        # Clients do not agree on what its bytes mean, so on the socket the same key would be another one.
        raise _refusal("In a header an idempotency key is ASCII. Send others as the field idempotency_key.")
    key = in_header or in_body
    if key is None:
        return None
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST or not key.isprintable():
        raise _refusal(f"An idempotency key is 1 to {LONGEST} printable characters.")
    return key


def _refusal(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, details={"field": "idempotency_key"})
