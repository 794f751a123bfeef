"""A store of models that does what it is asked at once."""

from collections.abc import AsyncGenerator, Sequence

from streaming.providers.base import ModelInfo
from streaming.providers.model_store import FOR_EVER
from streaming.providers.pull_wire import PullProgress


class ScriptedStore:
    """``asked`` are the acts, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(provider="ollama", name="x")]

    async def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        self.asked.append(("pull", name))
        yield PullProgress(status="success", completed=1, total=1)

    async def load(self, name: str, *, keep_alive: int = FOR_EVER) -> None:
        self.asked.append(("load", name))

    async def unload(self, name: str) -> None:
        self.asked.append(("unload", name))

    async def delete(self, name: str) -> None:
        self.asked.append(("delete", name))
