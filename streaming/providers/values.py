"""Values in the JSON that a model server writes, read strictly: nothing that could not be written again gets by."""

import json
import math
from typing import Any, NoReturn

# More tokens than any model reads or writes: such a count is a fault of the server and is not passed on.
_MAX_COUNT = 10**9
# Deeper arguments than any tool takes would break whoever walks through them recursively.
MAX_DEPTH = 64


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):  # 1e999 is JSON, but could never be written again
        _not_json(digits)
    return number


DECODER = json.JSONDecoder(parse_constant=_not_json, parse_float=_finite)


def arguments(value: Any) -> tuple[dict[str, Any] | None, str | None]:
    """The arguments of a call, or None and what stood in their place."""
    if value is None or value == "":
        return {}, None
    if isinstance(value, dict):
        return value, None
    if not isinstance(value, str):
        return None, json.dumps(value)
    try:
        parsed = DECODER.decode(value)
    except (ValueError, RecursionError):
        return None, value
    if not isinstance(parsed, dict) or deeper(parsed, MAX_DEPTH):
        return None, value
    return parsed, None


def deeper(value: Any, limit: int) -> bool:
    """Whether ``value`` is nested more than ``limit`` levels deep; level by level, for recursion is what is feared."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(inner, dict | list) for inner in level)


def token_count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _MAX_COUNT else None
