"""JSON from clients as plain values: what the standard library would take, without what it should not. Pure."""

import json
import math
from typing import Any

from streaming.protocol.errors import InvalidJson

MAX_DEPTH = 32
# Characters outside of its texts: brackets, numbers, commas, white space. Four million of them are four million values,
# which would hold the event loop, and so everybody, for seconds. A body needs hundreds; parameters have 8,192 at most.
MAX_STRUCTURE = 64 * 1024


def parse_json(raw: bytes | str) -> Any:
    """JSON text as plain values, within 100 ms for four million characters.

    Raises InvalidJson for anything else, for NaN and infinities, numbers of thousands of digits, deep nesting, too much
    that is not text, and for what is not UTF-8.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        _check_structure(text)
        value = _decoder.decode(text)
        _check_depth(value, MAX_DEPTH)
    except (ValueError, RecursionError) as fault:
        raise InvalidJson() from fault
    return value


def _check_structure(text: str) -> None:
    if len(text) <= MAX_STRUCTURE:
        return
    plain = text.replace("\\\\", "").replace('\\"', "")  # the quotes that are left begin and end texts
    if plain.count('"') > 2 * MAX_STRUCTURE:  # between two texts there is at least one character
        raise ValueError("too many texts")
    if sum(map(len, plain.split('"')[::2])) > MAX_STRUCTURE:
        raise ValueError("too much that is not text")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):  # 1e999 is well-formed, but what we would write back is not
        raise ValueError(f"{digits[:20]} is too large a number")
    return value


_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)  # json.loads would make one each time


def _check_depth(value: Any, room: int) -> None:
    if room < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_depth(item, room - 1)
