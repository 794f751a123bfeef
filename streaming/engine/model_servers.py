"""Keeping the registry as it is configured: the settings' servers, and those of the database, which may change at any
moment in any process.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from django.db import DatabaseError, InterfaceError

from chatserver.model_servers import Configured, ModelServerSpec
from conversations.models import ModelServer
from conversations.ports import Tried
from conversations.selectors import model_servers as stored
from conversations.services.model_servers import list_model_servers, note_health
from streaming.offload import Offload
from streaming.patience import within
from streaming.protocol.errors import ChatError, StorageBusy
from streaming.providers.base import Provider
from streaming.providers.registry import Registry
from streaming.providers.served import for_administrators

log = structlog.get_logger(__name__)
LOOK_EVERY = 2.0  # seconds, for changes that nobody rang for
TRIED_WITHIN = 10.0


class ModelServers:
    """``settings`` are the servers that the settings name: of two with one name, theirs counts. ``make`` gives the
    provider of a server.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        offload: Offload,
        settings: Configured,
        make: Callable[[ModelServerSpec], Provider],
    ) -> None:
        self._registry = registry
        self._offload = offload
        self._settings = settings
        self._make = make
        self._seen: stored.Written | None = None
        self._noted: dict[str, tuple[bool, str]] = {}  # what this process has written of each
        self._looking = asyncio.Lock()
        self._looks = 0
        self._rung = asyncio.Event()
        registry.configure(settings, make)
        registry.look = self._look_for_a_name

    def rung(self) -> None:
        """Somebody has changed something."""
        self._rung.set()

    async def look(self) -> None:
        """Take up what has changed in the database by now. Raises what the database raises."""
        before = self._looks
        async with self._looking:
            if self._looks > before + 1:  # one that began after we came
                return
            try:
                await self._look()
            finally:
                self._looks += 1

    async def _look_for_a_name(self) -> None:
        try:
            await self.look()
        except (DatabaseError, InterfaceError) as fault:  # whether there is such a model nobody can say now
            raise StorageBusy(retry_after_ms=1000) from fault

    async def watch_for_ever(self) -> None:
        while True:
            await within(LOOK_EVERY, self._rung)
            self._rung.clear()
            try:
                await self.look()
            except Exception as fault:
                log.warning("changes of model servers could not be looked for", fault=type(fault).__name__)

    async def refresh(self) -> None:
        """Ask all servers how they do, and write down what has changed."""
        await self._registry.refresh()
        for state, detail in self._registry.health():
            now = state.ok, detail
            if self._noted.get(state.name) != now:
                noting = partial(note_health, name=state.name, ok=state.ok, message=state.message, detail=detail)
                if await self._offload(noting):
                    self._noted[state.name] = now

    async def keep_rows(self) -> None:
        """A row for each server: by it claims take turns."""
        await self._offload(list_model_servers, self._registry.kinds, self._bounds())

    async def try_one(self, name: str) -> Tried:
        """Ask a server for its models as it is configured now, switched on or not."""
        spec = next((spec for spec in self._settings.servers if spec.name == name), None)
        spec = spec or await self._offload(_stored_spec, name)
        if spec is None:
            return Tried(ok=False, message=f"The settings name no model server {name} any more.")
        provider = self._make(spec)
        try:
            async with asyncio.timeout(TRIED_WITHIN):
                models = await provider.models()
        except TimeoutError:
            return Tried(ok=False, message=f"The model server {name} takes too long to list its models.")
        except ChatError as error:
            return Tried(ok=False, message=error.message if spec.shows_address else for_administrators(error))
        finally:
            await provider.close()
        few = "1 model" if len(models) == 1 else f"{len(models)} models"
        return Tried(ok=True, message=f"The model server {name} answers, and lists {few}.")

    async def _look(self) -> None:
        seen = await self._offload(stored.written)
        if seen == self._seen:
            return
        configured = await self._offload(stored.configured_by, seen)
        self._registry.configure(_joined(self._settings, configured), self._make)
        if self._seen is not None:
            log.info("model servers have changed", servers=sorted(self._registry.kinds))
        self._seen = seen

    def _bounds(self) -> dict[str, int]:
        named = {spec.name: spec.max_parallel for spec in self._settings.servers}
        return {name: most for name, most in named.items() if most is not None}


def _joined(settings: Configured, stored: Configured) -> Configured:
    """Both, where the settings come first and have their way."""
    taken = {spec.name for spec in settings.servers}
    servers = (*settings.servers, *(spec for spec in stored.servers if spec.name not in taken))
    return Configured(servers=servers, aliases={**stored.aliases, **settings.aliases})


def _stored_spec(name: str) -> ModelServerSpec | None:
    server = ModelServer.objects.filter(name=name, managed=True).first()
    return None if server is None else stored.spec_of(server)
