"""The seam to model servers that keep models and can fetch, load and delete them. Not every kind of server can."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

from streaming.providers.base import ModelInfo, Provider
from streaming.providers.pull_wire import PullProgress

FOR_EVER = -1  # a model stays in memory until it is unloaded


class ModelStore(Protocol):
    """What is done with the models of one server. Names are the server's own. All of it raises UpstreamErrors."""

    async def models(self) -> Sequence[ModelInfo]:
        """All there are, those too that cannot chat, such as for embeddings."""
        ...

    def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        """Fetch a model; how far it is, whenever there is news. It is there when the iterator ends, and only then.

        Closing the iterator closes the connection, which stops the pull. What was fetched is kept: to go on, ask again.
        """
        ...

    async def load(self, name: str, *, keep_alive: int = FOR_EVER) -> None:
        """Load a model into memory, for so many seconds after its last use. That takes minutes; cancelling stops it."""
        ...

    async def unload(self, name: str) -> None:
        """Take a model out of memory when its running answers have ended. Nothing happens to one that is not loaded."""
        ...

    async def delete(self, name: str) -> None:
        """Remove a model from the server's disk."""
        ...


@runtime_checkable
class KeepsModels(Protocol):
    """A model server with a store."""

    store: ModelStore


def store_of(provider: Provider | None) -> ModelStore | None:
    """None where there is no such server, or one that others look after."""
    return provider.store if isinstance(provider, KeepsModels) else None
