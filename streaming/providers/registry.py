"""All model servers of this installation: which models there are, and which server a name leads to."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import msgspec
import structlog

from streaming.protocol.errors import ChatError, ModelUnknown
from streaming.providers.base import ModelInfo, Provider
from streaming.providers.openai_models import OF_THE_WIRE

log = structlog.get_logger(__name__)

_NEAREST = 5
_MAX_NAME = 300
# Kinds that have the models they list and no others. A model server may know names that it does not list.
_CLOSED_KINDS = frozenset({"demo"})
# What a model counts as able to do that its server does not list; see docs/decisions/0026.
_UNLISTED: dict[str, dict[str, Any]] = {"openai": {"capabilities": ("completion", "tools"), **OF_THE_WIRE}}


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """How a model server is doing. ``message`` is one sentence with the remedy where ``ok`` is false, else empty."""

    name: str
    kind: str
    ok: bool
    message: str = ""


@dataclass
class _Server:
    provider: Provider
    models: tuple[ModelInfo, ...] = ()  # the last ones known, also when it is down
    asked_at: float | None = None
    ok: bool = False
    message: str = ""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Registry:
    """The model servers in their order of preference.

    A server is asked at most once in ``ttl`` seconds and for ``deadline`` seconds, all of them at once. One that failed
    is asked by ``refresh`` only, which the owner calls every few seconds: a dead server never holds an answer up twice.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        ttl: float = 5.0,
        deadline: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = {provider.name: _Server(provider) for provider in providers}
        self._ttl = ttl
        self._deadline = deadline
        self._clock = clock

    @property
    def kinds(self) -> dict[str, str]:
        """The servers' names, and of what kind each is."""
        return {name: server.provider.kind for name, server in self._servers.items()}

    async def models(self) -> list[ModelInfo]:
        """The models of all servers that answer, in the servers' order."""
        await self._ask_stale()
        return self._listed()

    async def servers(self) -> list[ServerState]:
        await self._ask_stale()
        return [
            ServerState(name=name, kind=server.provider.kind, ok=server.ok, message=server.message)
            for name, server in self._servers.items()
        ]

    async def refresh(self) -> None:
        """Ask every server again, the dead ones too. Never raises, and takes no longer than the deadline."""
        await self._ask(self._servers.values(), anyway=True)

    async def resolve(self, name: str) -> tuple[Provider, ModelInfo]:
        """The server and the model that ``name`` means: ``provider/model``, or ``model`` where only one server has it.

        A name with its provider is passed on though nobody lists it: the server may be down now, or know more than it
        lists, and will say so itself. Raises ModelUnknown with the nearest names otherwise.
        """
        name = name.strip()
        found = self._find(name)
        if found is None:
            await self._ask_stale()
            found = self._find(name) or self._passed_on(name)
        if found is None:
            raise ModelUnknown(details={"model": name[:_MAX_NAME], "nearest": self._nearest(name)})
        return found

    async def default(self, preferred: str = "") -> ModelInfo:
        """``preferred`` where it leads to a model, else the first real model, else the demonstration."""
        if preferred:
            try:
                return (await self.resolve(preferred))[1]
            except ModelUnknown:
                log.warning("default_model_unknown", model=preferred)
        models = await self.models()
        first = next((model for model in models if not model.demonstration), None) or next(iter(models), None)
        if first is None:
            raise ModelUnknown("No model server has a model. Pull one there, for example with `ollama pull llama3.2`.")
        return first

    async def close(self) -> None:
        for server in self._servers.values():
            await server.provider.close()

    async def _ask_stale(self) -> None:
        await self._ask([server for server in self._servers.values() if server.ok or server.asked_at is None])

    async def _ask(self, servers: Iterable[_Server], *, anyway: bool = False) -> None:
        begun = self._clock()
        await asyncio.gather(*(self._ask_one(server, begun, anyway=anyway) for server in servers))

    async def _ask_one(self, server: _Server, begun: float, *, anyway: bool) -> None:
        async with server.asking:
            # Whoever waited for the lock takes what the one before has just learned.
            fresh_after = begun if anyway else begun - self._ttl
            if server.asked_at is not None and server.asked_at > fresh_after:
                return
            name = server.provider.name
            was = server.ok or server.asked_at is None
            try:
                async with asyncio.timeout(self._deadline):
                    server.models = tuple(await server.provider.models())
                server.ok, server.message = True, ""
            except TimeoutError:
                server.ok, server.message = False, f"The model server {name} takes too long to list its models."
            except ChatError as error:
                server.ok, server.message = False, error.message
            except Exception:  # one server's surprise must not take the others' models away
                log.exception("model_server_surprised_us", provider=name)
                server.ok, server.message = False, f"The model server {name} cannot be read; the log says why."
            server.asked_at = self._clock()
            if was != server.ok:
                log.info("model_server_up" if server.ok else "model_server_down", provider=name, reason=server.message)

    def _listed(self) -> list[ModelInfo]:
        return [model for server in self._servers.values() if server.ok for model in server.models]

    def _find(self, name: str) -> tuple[Provider, ModelInfo] | None:
        """Among all that is known; a server that is down fails the run itself, with a clearer word."""
        prefix, slash, rest = name.partition("/")
        if slash and prefix in self._servers:
            server = self._servers[prefix]
            # A router's own names may begin like ours: openai/gpt-4.1 is what openai/openai/gpt-4.1 is called there.
            model = _named(server.models, rest) or _named(server.models, name)
            return None if model is None else (server.provider, model)
        found = [
            (server.provider, model) for server in self._servers.values() if (model := _named(server.models, name))
        ]
        return found[0] if len(found) == 1 else None

    def _passed_on(self, name: str) -> tuple[Provider, ModelInfo] | None:
        prefix, _, rest = name.partition("/")
        server = self._servers.get(prefix)
        if server is None or server.provider.kind in _CLOSED_KINDS:
            return None
        if not rest or len(name) > _MAX_NAME or not rest.isprintable():
            return None
        return server.provider, ModelInfo(provider=prefix, name=rest, **_UNLISTED.get(server.provider.kind, {}))

    def _nearest(self, name: str) -> list[str]:
        """Full names, best first; where several servers have the model, theirs."""
        models = self._listed()
        known = {name: model.full_name for model in models for name in (model.name, model.full_name)}
        same = [model.full_name for model in models if _named([model], name)]
        close = [known[near] for near in get_close_matches(name[:_MAX_NAME], known, n=2 * _NEAREST, cutoff=0.4)]
        return list(dict.fromkeys([*same, *close]))[:_NEAREST]


def _named(models: Sequence[ModelInfo], name: str) -> ModelInfo | None:
    """The model called ``name``; without a tag, Ollama's ``latest`` is meant."""
    by_name = {model.name: model for model in models}
    return by_name.get(name) or by_name.get(f"{name}:latest")
