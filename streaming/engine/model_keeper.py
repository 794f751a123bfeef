"""Loading, unloading and deleting models for administrators. What was begun is finished and put on record, though
whoever asked has left: a connection that breaks must not take a half-loaded model with it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from conversations.services.model_acts import Act, record_model_act
from streaming.offload import Offload
from streaming.protocol.errors import ChatError, InvalidRequest, UpstreamBusy
from streaming.providers.base import ModelInfo
from streaming.providers.model_store import ModelStore, store_of
from streaming.providers.registry import Registry
from streaming.tasks import TaskRegistry

log = structlog.get_logger(__name__)
# A model loads for minutes, and a proxy gives up on an answer after one.
LOAD_ANSWERED_WITHIN = 20.0
MOST_LOADING = 20
_Loading = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Asker:
    user_id: UUID
    username: str


class ModelKeeper:
    def __init__(self, *, registry: Registry, offload: Offload, tasks: TaskRegistry) -> None:
        self._registry = registry
        self._offload = offload
        self._tasks = tasks
        self._loading: dict[_Loading, asyncio.Task[ChatError | None]] = {}

    def store(self, server: str, *, field: str) -> ModelStore:
        """The models of ``server``. Raises InvalidRequest, which names the ``field`` that named it."""
        store = store_of(self._registry.provider(server))
        if store is None:
            able = [name for name in self._registry.kinds if store_of(self._registry.provider(name)) is not None]
            raise InvalidRequest(
                "Models are managed on Ollama servers only; this is none, or none of ours.",
                details={"field": field, "servers": able},
            )
        return store

    async def models(self) -> list[ModelInfo]:
        """The models of all servers that answer; of those that can be managed also such as cannot chat."""
        stores = {name: store_of(self._registry.provider(name)) for name in self._registry.kinds}
        listed = await self._registry.models()
        whole = await asyncio.gather(*(_listed(store) for store in stores.values()))
        found: list[ModelInfo] = []
        for name, models in zip(stores, whole, strict=True):
            found += models or [model for model in listed if model.provider == name]
        return found

    async def load(
        self, server: str, model: str, *, keep_alive: int, by: Asker, patience: float = LOAD_ANSWERED_WITHIN
    ) -> bool:
        """Whether the model is loaded within ``patience`` seconds; it goes on loading. Asking again waits for the same.

        Raises what the model server says.
        """
        store = self.store(server, field="model")
        key = server, model, keep_alive
        loading = self._loading.get(key)
        if loading is None:
            if len(self._loading) >= MOST_LOADING:
                raise UpstreamBusy("So many models are being loaded that no more can wait. Try again in a moment.")
            work = self._finish("loaded", server, model, by, store.load(model, keep_alive=keep_alive))
            loading = self._loading[key] = self._tasks.spawn(work, name=f"load {model}", awaited=True)
            loading.add_done_callback(lambda _: self._loading.pop(key, None))
        done, _ = await asyncio.wait({loading}, timeout=patience)
        if not done:
            return False
        _raised(loading.result())
        return True

    async def unload(self, server: str, model: str, *, by: Asker) -> None:
        store = self.store(server, field="model")
        await self._through("unloaded", server, model, by, store.unload(model))

    async def delete(self, server: str, model: str, *, by: Asker) -> None:
        store = self.store(server, field="model")
        await self._through("deleted", server, model, by, store.delete(model))

    async def _through(self, act: Act, server: str, model: str, by: Asker, work: Coroutine[Any, Any, None]) -> None:
        finishing = self._finish(act, server, model, by, work)
        _raised(await asyncio.shield(self._tasks.spawn(finishing, name=f"{act} {model}", awaited=True)))

    async def _finish(
        self, act: Act, server: str, model: str, by: Asker, work: Coroutine[Any, Any, None]
    ) -> ChatError | None:
        """Do it and put it on record; what went wrong is returned, for there may be nobody left to raise it to."""
        try:
            await work
        except ChatError as error:
            log.warning(f"model_not_{act}", server=server, model=model, by=by.username, code=error.code)
            return error
        await self._offload(
            record_model_act, user_id=by.user_id, username=by.username, server=server, model=model, act=act
        )
        await self._registry.refresh()
        return None


async def _listed(store: ModelStore | None) -> Sequence[ModelInfo]:
    """None where there is no store, or its server does not answer, which the registry tells."""
    try:
        return [] if store is None else await store.models()
    except ChatError:
        return []


def _raised(error: ChatError | None) -> None:
    if error is not None:
        raise error
