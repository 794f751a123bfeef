"""One model server in use: what it listed last, how it does, and how many are at work with it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from chatserver.audience import Person
from chatserver.model_servers import ModelServerSpec
from streaming.protocol.errors import ChatError
from streaming.providers.base import ModelInfo, Provider
from streaming.providers.openai_models import OF_THE_WIRE

log = structlog.get_logger(__name__)

# Kinds that have the models they list and no others. A model server may know names that it does not list.
_CLOSED_KINDS = frozenset({"demo"})
# What a model counts as able to do that its server does not list; see docs/decisions/0026.
_UNLISTED: dict[str, dict[str, Any]] = {"openai": {"capabilities": ("completion", "tools"), **OF_THE_WIRE}}
_VARIABLES = ("OLLAMA_BASE_URL", "OPENAI_BASE_URL")


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """How a model server is doing. ``message`` is one sentence with the remedy where ``ok`` is false, else empty. Then
    ``models`` are the names that it had when it was last well.
    """

    name: str
    kind: str
    ok: bool
    message: str = ""
    models: tuple[str, ...] | UnsetType = UNSET


class Served:
    """``spec`` is what it is configured as; ``message`` what it says to everybody, ``detail`` to administrators."""

    def __init__(self, provider: Provider, spec: ModelServerSpec) -> None:
        self.provider = provider
        self.spec = spec
        self.models: tuple[ModelInfo, ...] = ()  # the last ones known, also when it is down
        self.asked_at: float | None = None
        self.ok = False
        self.message = self.detail = ""
        self._asking = asyncio.Lock()
        self._users = 0

    @property
    def idle(self) -> bool:
        """Whether nobody is at work with it, so that it may be closed."""
        return self._users == 0

    @property
    def state(self) -> ServerState:
        away = UNSET if self.ok else tuple(model.full_name for model in self.models)
        return ServerState(
            name=self.provider.name, kind=self.provider.kind, ok=self.ok, message=self.message, models=away
        )

    def admits(self, person: Person) -> bool:
        return self.spec.audience.admits(person)

    def is_still(self, spec: ModelServerSpec) -> bool:
        """Whether it is asked in the same way by ``spec``, whoever may use it and how much at once."""
        here = self.spec
        return replace(here, audience=spec.audience, max_parallel=spec.max_parallel) == spec

    @contextmanager
    def in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    async def ask(self, *, fresh_after: float, deadline: float, clock: Callable[[], float]) -> None:
        """Ask for its models, unless somebody has since ``fresh_after``. Never raises."""
        async with self._asking:
            # Whoever waited for the lock takes what the one before has just learned.
            if self.asked_at is not None and self.asked_at > fresh_after:
                return
            was = self.ok or self.asked_at is None
            with self.in_use():
                await self._ask(deadline)
            self.asked_at = clock()
            if was != self.ok:
                said = "model_server_up" if self.ok else "model_server_down"
                log.info(said, provider=self.provider.name, reason=self.message)

    async def _ask(self, deadline: float) -> None:
        name = self.provider.name
        try:
            async with asyncio.timeout(deadline):
                self.models = tuple(filter(self._is_meant, await self.provider.models()))
            self.ok, self.message, self.detail = True, "", ""
            return
        except TimeoutError:
            self.message = self.detail = f"The model server {name} takes too long to list its models."
        except ChatError as error:
            self.message, self.detail = self._told(error)
        except Exception:  # one server's surprise must not take the others' models away
            log.exception("model_server_surprised_us", provider=name)
            self.message = self.detail = f"The model server {name} cannot be read; the log says why."
        self.ok = False

    def _told(self, error: ChatError) -> tuple[str, str]:
        """To everybody, and to administrators: addresses of inner networks are none of everybody's business."""
        if self.spec.shows_address:
            return error.message, error.message
        sentence = type(error).sentence.replace("model server", f"model server {self.provider.name}", 1)
        return sentence, for_administrators(error)

    def find(self, name: str) -> ModelInfo | None:
        """The model that it listed by this name; without a tag, Ollama's ``latest`` is meant."""
        return named(self.models, name)

    def passed_on(self, name: str) -> ModelInfo | None:
        """The model that it did not list, but may have all the same: it is down now, or knows more than it lists."""
        kind = self.provider.kind
        if kind in _CLOSED_KINDS or not name or not name.isprintable():
            return None
        model = ModelInfo(provider=self.provider.name, name=name, **_UNLISTED.get(kind, {}))
        return model if self._is_meant(model) else None

    def _is_meant(self, model: ModelInfo) -> bool:
        meant = self.spec.models
        return not meant or model.name in meant or model.name.removesuffix(":latest") in meant


def for_administrators(error: ChatError) -> str:
    """What a server says of itself that is not one of those two: the remedies of theirs are variables."""
    message = error.message
    for variable in _VARIABLES:
        message = message.replace(variable, "its address")
    return message


def named(models: Sequence[ModelInfo], name: str) -> ModelInfo | None:
    by_name = {model.name: model for model in models}
    return by_name.get(name) or by_name.get(f"{name}:latest")
