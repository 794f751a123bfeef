"""What may be asked of a model beside the words: the same names for every kind of model server."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
StopWord = Annotated[str, Meta(min_length=1, max_length=200)]
Thinking = bool | Literal["low", "medium", "high", "max"]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """None leaves it to the model server. ``keep_alive`` is in seconds, -1 is for ever; ``context_length`` and
    ``max_tokens`` are tokens.
    """

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stop: StopWord | Annotated[list[StopWord], Meta(min_length=1, max_length=4)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    context_length: Annotated[int, Meta(ge=256, le=10_000_000)] | None = None
    thinking: Thinking | None = None
    keep_alive: Annotated[int, Meta(ge=-1, le=31_536_000)] | None = None

    @property
    def stops(self) -> list[str] | None:
        return [self.stop] if isinstance(self.stop, str) else self.stop


NAMES = frozenset(Parameters.__struct_fields__)
NONE = Parameters()


def unknown_names(parameters: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in parameters if name not in NAMES)


def merged(thread: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for a run: its own, and the thread's where it says nothing. A null of its own leaves that to the model
    server, whatever the thread says.
    """
    return {name: value for name, value in {**thread, **run}.items() if value is not None}


def readable(parameters: Mapping[str, Any]) -> Parameters:
    """Stored parameters, which may be of a time when anything could be stored: what is unknown or cannot be is left to
    the model server.
    """
    known: dict[str, Any] = {}
    for name in NAMES & parameters.keys():
        with suppress(msgspec.ValidationError):
            known[name] = getattr(msgspec.convert({name: parameters[name]}, Parameters), name)
    return Parameters(**known)
