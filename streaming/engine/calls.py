"""A model's tool calls before anything is run: cleaned, counted, and refused where a limit says so."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from streaming.engine.limits import Limits
from streaming.protocol.codec import dumps
from streaming.protocol.errors import ErrorObject
from streaming.protocol.objects import Step
from streaming.protocol.text import clean
from streaming.providers.base import ToolCall

MAX_STEPS = "max_steps"
REPEAT_LIMIT = "repeat_limit"
MAX_DEPTH = 32  # of arguments: no tool's schema goes deeper, and every encoder after us recurses
MAX_NAME = 200
MAX_SHOWN_OF_REFUSED = 1024  # characters: there may be many beyond the limit, and a snapshot has all of them
MAX_INTEGER_BITS = 2048  # beyond it Python itself may refuse to print a number


class Unfit(ValueError):
    """Says why these arguments cannot be given to any tool."""


class VettedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that may be run, or the reason why not. ``ends_run`` is the reason with which the run then ends."""

    name: str
    arguments: dict[str, Any] | None
    refusal: ErrorObject | None = None
    ends_run: str | None = None


class CallLedger:
    """Counts the calls of a run, those refused included."""

    def __init__(self, limits: Limits, steps: Iterable[Step]) -> None:
        """``steps`` are those that the run has already, where another process began it."""
        self._limits = limits
        self._count = 0
        self._seen: Counter[tuple[str, bytes]] = Counter()
        for step in steps:
            if step.step == "tool_calls":
                self._count += 1
                if step.arguments is not None:
                    self._seen[(step.name or "", _digest(_canonical(step.arguments)))] += 1

    def vet(self, call: ToolCall) -> VettedCall:
        name = clean(call.name)[:MAX_NAME]
        arguments, text, fault = self._read(call)
        key = (name, _digest(text))
        self._count += 1
        self._seen[key] += 1
        if self._count > self._limits.max_tool_steps:
            refusal = ErrorObject(
                code=MAX_STEPS,
                message=f"Not run: an answer may use at most {self._limits.max_tool_steps} tool calls.",
            )
            shown = arguments if len(text) <= MAX_SHOWN_OF_REFUSED else None
            return VettedCall(name=name, arguments=shown, refusal=refusal, ends_run=MAX_STEPS)
        if self._seen[key] >= self._limits.max_repeats:
            refusal = ErrorObject(
                code=REPEAT_LIMIT,
                message=f"Not run: the same call was made {self._limits.max_repeats} times.",
            )
            return VettedCall(name=name, arguments=arguments, refusal=refusal, ends_run=REPEAT_LIMIT)
        if fault is not None:
            return VettedCall(name=name, arguments=None, refusal=ErrorObject(code="arguments_invalid", message=fault))
        return VettedCall(name=name, arguments=arguments)

    def _read(self, call: ToolCall) -> tuple[dict[str, Any] | None, str, str | None]:
        """Arguments fit to be stored, their canonical text, and what is wrong with them."""
        if call.arguments is None:
            return None, call.invalid_arguments or "", "The arguments of this call are not a JSON object."
        try:
            arguments = {clean(key): _storable(value, MAX_DEPTH) for key, value in call.arguments.items()}
            text = _canonical(arguments)
        except ValueError as fault:
            return None, "", f"The arguments of this call cannot be used: {fault}."
        if _too_long(arguments, text, self._limits):
            return None, text, f"The arguments of this call are longer than {self._limits.max_arguments} bytes."
        return arguments, text, None


def require_fit(arguments: dict[str, Any], limits: Limits) -> None:
    """Raises Unfit for what a model's call would be refused for, whatever the tool."""
    try:
        storable = {key: _storable(value, MAX_DEPTH) for key, value in arguments.items()}
        too_long = _too_long(storable, _canonical(storable), limits)
    except ValueError as fault:
        raise Unfit(f"These arguments cannot be used: {fault}.") from fault
    if too_long:
        raise Unfit(f"These arguments are longer than {limits.max_arguments} bytes.")


def _too_long(arguments: dict[str, Any], text: str, limits: Limits) -> bool:
    return len(text.encode()) > limits.max_arguments or len(dumps(arguments)) > 2 * limits.max_arguments


def _storable(value: Any, depth: int) -> Any:
    """``value`` without what a database or a JSON writer would choke on. Raises ValueError for what has no remedy."""
    if depth == 0:
        raise ValueError(f"they are nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): _storable(inner, depth - 1) for key, inner in value.items()}
        case list():
            return [_storable(inner, depth - 1) for inner in value]
        case float() if not math.isfinite(value):
            raise ValueError("a number in them is not finite")
        case int() if value.bit_length() > MAX_INTEGER_BITS:
            raise ValueError("a number in them is too large")
    return value


def _canonical(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
