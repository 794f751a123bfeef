"""A run that waits for a person: what is asked, what was decided, and what is stored meanwhile. Pure."""

from collections.abc import Callable
from typing import Any

import msgspec

from streaming.engine.measure import SoFar
from streaming.protocol.errors import ErrorObject
from streaming.protocol.events import Event
from streaming.protocol.objects import Approval, Message, Run, Step

# Whether a person must be asked before this tool runs with these arguments.
Asks = Callable[[str, dict[str, Any]], bool]

SWAPPED = ErrorObject(code="not_run", message="Not run: these are not the arguments that were approved.")


class Approved(msgspec.Struct, frozen=True):
    """It may run once, with exactly these arguments."""

    arguments: dict[str, Any]


class Refused(msgspec.Struct, frozen=True):
    """It must not run; the model is told why."""

    error: ErrorObject


Ruling = Approved | Refused


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a parked run's questions, by step, and what the run took before."""

    rulings: dict[str, Ruling]
    so_far: SoFar | None


class Parking(msgspec.Struct, frozen=True, kw_only=True):
    """All that the transaction needs that parks a run; the objects are as they are to be stored."""

    events: list[Event]
    run: Run
    message: Message
    steps: list[Step]
    approvals: list[Approval]
    so_far: SoFar


def nobody_is_asked(tool: str, arguments: dict[str, Any]) -> bool:
    return False


def denied(note: str) -> Refused:
    sentence = "Not run: the user did not allow it."
    return Refused(ErrorObject(code="denied", message=f"{sentence} {note}".rstrip()))
