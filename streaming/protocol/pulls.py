"""Pulling models: what is told of it, what may be asked, and which names are models' names. Pure."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from streaming.protocol.errors import ErrorObject, InvalidRequest

MOST_KEPT_ALIVE = 30 * 24 * 3600  # seconds; whoever wants more says -1
MAX_MODEL_NAME = 200  # what a run can name

ServerName = Annotated[str, Meta(min_length=1, max_length=100)]
PulledName = Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_NAME)]
FullName = Annotated[str, Meta(min_length=3, max_length=MAX_MODEL_NAME + 101)]
KeepAlive = Annotated[int, Meta(ge=-1, le=MOST_KEPT_ALIVE)]


class PullStatus(StrEnum):
    QUEUED = "queued"
    PULLING = "pulling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({PullStatus.QUEUED, PullStatus.PULLING})


class ModelPull(msgspec.Struct, frozen=True, kw_only=True):
    """A model being fetched by its server, or what became of that. ``total`` are the bytes that are known by now, which
    may grow. ``message`` is what the server says it does, in its own words.
    """

    id: str
    server: str
    model: str
    status: Literal["queued", "pulling", "done", "failed", "cancelled"]
    message: str
    completed: int
    total: int
    attempt: int
    cancelling: bool
    by: str
    cancelled_by: str
    error: ErrorObject | None
    created_at: str
    started_at: str | None
    updated_at: str
    finished_at: str | None


class NewPull(msgspec.Struct, frozen=True, kw_only=True):
    server: ServerName
    model: PulledName


class LoadModel(msgspec.Struct, frozen=True, kw_only=True):
    """``keep_alive``: seconds after the last use; -1 until it is unloaded. 0 would unload it."""

    model: FullName
    keep_alive: KeepAlive = -1

    def __post_init__(self) -> None:
        if self.keep_alive == 0:
            raise ValueError("keep_alive is -1 or at least 1; to take a model out of memory, unload it")


class UnloadModel(msgspec.Struct, frozen=True, kw_only=True):
    model: FullName


# As Ollama reads names: [host/]namespace/model:tag. Nothing of them can become another address: no scheme, no @, no
# empty part and none that begins with a dot, no query, no escape.
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAME = re.compile(rf"(?:(?:([^/]+)/)?([A-Za-z0-9_][A-Za-z0-9_-]{{0,79}})/)?{_PART}(?::{_PART})?")
_RULE = "A model's name is written model, model:tag or namespace/model:tag, after the registry where it is not Ollama's"


def pull_name(text: str, *, registries: Collection[str]) -> str:
    """``text`` as the model server is asked for it, its tag filled in, so that one model has one name.

    A registry may stand in front only where it is one of ``registries``: else whoever may pull could have the model
    server ask any machine that it reaches. Raises InvalidRequest.
    """
    name = text.strip()
    found = _NAME.fullmatch(name)
    if found is None:
        raise _wrong(f"{_RULE}: llama3.2, qwen3:8b or hf.co/user/repository:Q4_K_M.")
    host = found[1]
    if host is not None and host.lower() not in registries:
        known = ", ".join(sorted(registries)) or "none"
        raise _wrong(
            f"Models are not pulled from that registry. Allowed: {known}. PULL_REGISTRIES adds one.",
            registries=sorted(registries),
        )
    full = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    if len(full) > MAX_MODEL_NAME:
        raise _wrong(f"A model's name has at most {MAX_MODEL_NAME} characters, with its tag.")
    return full


def split_name(full_name: str) -> tuple[str, str]:
    """The server and the model that ``provider/name`` names. Raises InvalidRequest."""
    server, slash, model = full_name.strip().partition("/")
    if not (server and slash and model and len(model) <= MAX_MODEL_NAME and model.isprintable()):
        raise _wrong("Name the model with its server: provider/name.")
    return server, model


def _wrong(sentence: str, **details: Any) -> InvalidRequest:
    return InvalidRequest(sentence, details={"field": "model", **details})
