"""All model servers of this installation: which models there are for whom, and which server a name leads to."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches
from heapq import nlargest

import structlog

from chatserver.audience import ADMITTED, STRANGER, Person
from chatserver.model_servers import DEFAULT, Configured, ModelServerSpec
from streaming.protocol.errors import ModelUnknown
from streaming.providers.base import ModelInfo, Provider
from streaming.providers.served import Served, ServerState, named

__all__ = ["Registry", "ServerState"]

log = structlog.get_logger(__name__)

_NEAREST = 5
_MAX_NAME = 300
_COMPARED = 60  # characters of a name
_CANDIDATES = 20


async def _nothing_new() -> None:
    """What is configured does not change."""


class Registry:
    """The model servers in their order of preference: those that are configured, then ``providers``, which stay.

    A server is asked at most once in ``ttl`` seconds and for ``deadline`` seconds, all of them at once. One that failed
    is asked by ``refresh`` only, which the owner calls every few seconds: a dead server never holds an answer up twice.
    ``look`` is awaited before a name counts as unknown: the servers may have been changed a moment ago.

    Everything here is asked for a ``person``: a server that is not for them is not there. Whoever forgets to say who is
    asking gets what is for everybody.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        ttl: float = 5.0,
        deadline: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fixed = {provider.name: Served(provider, _as_it_is(provider)) for provider in providers}
        self._servers = dict(self._fixed)
        self._aliases: Mapping[str, str] = {}
        self._retired: list[Served] = []
        self._ttl = ttl
        self._deadline = deadline
        self._clock = clock
        self.look: Callable[[], Awaitable[None]] = _nothing_new

    def configure(self, configured: Configured, make: Callable[[ModelServerSpec], Provider]) -> None:
        """From here on these are the servers. One that is asked as before stays, with all that is known of it; one that
        changed or went is closed by a later ``refresh``, when the last run at work with it has ended.
        """
        servers: dict[str, Served] = {}
        for spec in configured.servers:
            before = self._servers.get(spec.name)
            if before is not None and before.is_still(spec):
                before.spec = spec
                servers[spec.name] = before
            else:
                servers[spec.name] = Served(make(spec), spec)
        for name, fixed in self._fixed.items():
            servers.setdefault(name, fixed)
        kept = set(map(id, (*servers.values(), *self._fixed.values())))
        self._retired += [served for served in self._servers.values() if id(served) not in kept]
        self._servers, self._aliases = servers, configured.aliases

    @property
    def kinds(self) -> dict[str, str]:
        """The servers' names, and of what kind each is."""
        return {name: served.provider.kind for name, served in self._servers.items()}

    def provider(self, name: str) -> Provider | None:
        """The server of this name, None where there is none."""
        served = self._servers.get(name)
        return None if served is None else served.provider

    def health(self) -> list[tuple[ServerState, str]]:
        """How the servers do that have been asked, each with what it says to administrators."""
        return [(served.state, served.detail) for served in self._servers.values() if served.asked_at is not None]

    async def models(self, person: Person = STRANGER) -> list[ModelInfo]:
        """The models of all servers that answer, in the servers' order."""
        await self._ask_stale()
        return self._listed(person)

    async def aliases(self, person: Person = STRANGER) -> list[tuple[str, ModelInfo]]:
        """The other names of models that answer, by name, each with its model."""
        await self._ask_stale()
        listed = {model.full_name: model for model in self._listed(person)}
        found = ((alias, self._find(target, person)) for alias, target in sorted(self._aliases.items()))
        return [
            (alias, to[1]) for alias, to in found if alias != DEFAULT and to is not None and to[1].full_name in listed
        ]

    async def servers(self, person: Person = STRANGER) -> list[ServerState]:
        await self._ask_stale()
        return [served.state for served in self._for(person).values()]

    async def refresh(self) -> None:
        """Ask every server again, the dead ones too; and close what went. Never raises, and takes no longer than the
        deadline.
        """
        await self._ask(self._servers.values(), anyway=True)
        over, self._retired = _parted(self._retired)
        for served in over:
            await _closed(served)

    async def resolve(self, name: str, person: Person = STRANGER) -> tuple[Provider, ModelInfo]:
        """The server and the model that ``name`` means: an alias, ``provider/model``, or ``model`` where only one
        server has it.

        A name with its provider is passed on though nobody lists it: the server may be down now, or know more than it
        lists, and will say so itself. Raises ModelUnknown with the nearest names otherwise.
        """
        name = name.strip()
        found = self._find(self._aliases.get(name, name), person)
        if found is None:
            await self._ask_stale()
            found = self._at_hand(name, person)
        if found is None:
            await self.look()
            await self._ask_stale()
            found = self._at_hand(name, person)
        if found is None:
            raise ModelUnknown(details={"model": name[:_MAX_NAME], "nearest": self._nearest(name, person)})
        served, model = found
        return served.provider, model

    @asynccontextmanager
    async def at_work(self, name: str, person: Person = STRANGER) -> AsyncIterator[tuple[Provider, ModelInfo]]:
        """The same for as long as somebody works with it: so long it is not closed, whatever is changed."""
        provider, model = await self.resolve(name, person)
        with self._servers[provider.name].in_use():  # nobody came between
            yield provider, model

    def hides(self, name: str, person: Person) -> bool:
        """Whether ``name`` is unknown to ``person`` only because the server is not for them."""
        return self._at_hand(name, person) is None and self._at_hand(name, ADMITTED) is not None

    def admits(self, server: str, person: Person) -> bool:
        """Whether there is such a server for ``person``."""
        return server in self._for(person)

    async def default(self, preferred: str = "", person: Person = STRANGER) -> ModelInfo:
        """``preferred`` where it leads to a model, else what is configured, else the first real model, else the
        demonstration.
        """
        for name in filter(None, (preferred, self._aliases.get(DEFAULT, ""))):
            try:
                return (await self.resolve(name, person))[1]
            except ModelUnknown:
                if not self.hides(name, person):
                    log.warning("default_model_unknown", model=name)
        models = await self.models(person)
        first = next((model for model in models if not model.demonstration), None) or next(iter(models), None)
        if first is None:
            raise ModelUnknown("No model server has a model. Pull one there, for example with `ollama pull llama3.2`.")
        return first

    async def close(self) -> None:
        for served in {id(each): each for each in (*self._servers.values(), *self._retired)}.values():
            await served.provider.close()

    async def _ask_stale(self) -> None:
        await self._ask([served for served in self._servers.values() if served.ok or served.asked_at is None])

    async def _ask(self, servers: Iterable[Served], *, anyway: bool = False) -> None:
        begun = self._clock()
        fresh_after = begun if anyway else begun - self._ttl
        asking = (served.ask(fresh_after=fresh_after, deadline=self._deadline, clock=self._clock) for served in servers)
        await asyncio.gather(*asking)

    def _at_hand(self, name: str, person: Person) -> tuple[Served, ModelInfo] | None:
        """What a name means as far as it is known at this moment."""
        name = name.strip()
        meant = self._aliases.get(name, name)
        return self._find(meant, person) or self._passed_on(meant, person)

    def _for(self, person: Person) -> dict[str, Served]:
        return {name: served for name, served in self._servers.items() if served.admits(person)}

    def _listed(self, person: Person) -> list[ModelInfo]:
        return [model for served in self._for(person).values() if served.ok for model in served.models]

    def _find(self, name: str, person: Person) -> tuple[Served, ModelInfo] | None:
        """Among all that is known; a server that is down fails the run itself, with a clearer word."""
        prefix, slash, rest = name.partition("/")
        if slash and (served := self._servers.get(prefix)) is not None and served.admits(person):
            # A router's own names may begin like ours: openai/gpt-4.1 is what openai/openai/gpt-4.1 is called there.
            model = served.find(rest) or served.find(name)
            return None if model is None else (served, model)
        found = [(served, model) for served in self._for(person).values() if (model := served.find(name))]
        return found[0] if len(found) == 1 else None

    def _passed_on(self, name: str, person: Person) -> tuple[Served, ModelInfo] | None:
        prefix, _, rest = name.partition("/")
        served = self._servers.get(prefix)
        if served is None or not served.admits(person) or len(name) > _MAX_NAME:
            return None
        model = served.passed_on(rest)
        return None if model is None else (served, model)

    def _nearest(self, name: str, person: Person) -> list[str]:
        """Full names, best first; where several servers have the model, theirs."""
        models = self._listed(person)
        known = {name: model.full_name for model in models for name in (model.name, model.full_name)}
        same = [model.full_name for model in models if named([model], name)]
        close = [known[near] for near in close_names(name, known)]
        return list(dict.fromkeys([*same, *close]))[:_NEAREST]


def close_names(name: str, known: Collection[str]) -> list[str]:
    """The names like ``name``, best first. To compare two takes the square of their length, and anybody may ask for a
    model that is not there, of a server that lists a thousand: so only those are compared that share most with it.
    """
    wanted = _pairs(name)
    shared = {each: len(wanted & _pairs(each)) for each in known if len(each) <= 2 * _COMPARED}
    candidates = nlargest(_CANDIDATES, shared, key=shared.__getitem__)
    return get_close_matches(name[:_COMPARED], candidates, n=2 * _NEAREST, cutoff=0.4)


def _pairs(name: str) -> set[str]:
    head = name[:_COMPARED].lower()
    return {head[at : at + 2] for at in range(len(head))}


def _as_it_is(provider: Provider) -> ModelServerSpec:
    return ModelServerSpec(name=provider.name, kind=provider.kind, url="", shows_address=True)


def _parted(retired: Sequence[Served]) -> tuple[list[Served], list[Served]]:
    """Those that nobody works with any more, and the others."""
    return [served for served in retired if served.idle], [served for served in retired if not served.idle]


async def _closed(served: Served) -> None:
    try:
        await served.provider.close()
    except Exception as fault:  # it is gone either way
        log.warning("model_server_not_closed", provider=served.provider.name, fault=type(fault).__name__)
