"""The models of an Ollama server: fetched, loaded, unloaded and deleted."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import httpx

from streaming.protocol.codec import dumps
from streaming.protocol.errors import ModelMissing, PullUnknown, UpstreamError, UpstreamProtocol, UpstreamTruncated
from streaming.providers.base import ModelInfo
from streaming.providers.http_answer import parsed
from streaming.providers.http_client import HttpClient
from streaming.providers.model_store import FOR_EVER
from streaming.providers.ndjson import LineSplitter
from streaming.providers.ollama_errors import NOT_OLLAMA, http_failure, named_failure
from streaming.providers.pull_wire import Pull, PullProgress
from streaming.providers.reader import BodyReader
from streaming.providers.upstream import answered, check_encoding, read_refusal, read_whole

# A line of a pull has some 200 bytes, an answer to the others less.
_MAX_LINE = 64 * 1024
_QUICKLY = 60.0  # to take out of memory, or off the disk: the files of a large model go one after the other


class OllamaStore:
    """``patience``: for how many seconds the server may be silent where it works for long: a model loads in silence,
    and so are gigabytes checked that have been fetched. ``models`` lists them. Words with the ``key`` are not shown.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        patience: float,
        models: Callable[[], Awaitable[Sequence[ModelInfo]]],
        key: str = "",
    ) -> None:
        self._client = client
        self._key = key
        self._patience = patience
        self._models = models

    async def models(self) -> Sequence[ModelInfo]:
        return await self._models()

    async def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        pull, told = Pull(secret=self._key), PullProgress()
        lines = LineSplitter(max_line=_MAX_LINE)
        deadline = self._until(self._patience)
        body = dumps({"model": name, "stream": True}).encode()
        async with answered(self._client, "POST", "/api/pull", body=body, deadline=deadline) as response:
            if response.status_code != 200:
                refusal = await self._refusal(response)
                raise PullUnknown(details=refusal.details) if isinstance(refusal, ModelMissing) else refusal
            check_encoding(response)
            reader = BodyReader(response, deadline=deadline, idle=self._patience)
            while not pull.done:
                data = await reader.read()
                pull.feed(lines.feed(data))
                if pull.progress != told:
                    told = pull.progress
                    yield told
                if pull.failure is not None:
                    raise pull.failure
                if not data and not pull.done:
                    raise UpstreamTruncated("The model server stopped in the middle of the pull.")

    async def load(self, name: str, *, keep_alive: int = FOR_EVER) -> None:
        await self._generate(name, keep_alive, within=self._patience)

    async def unload(self, name: str) -> None:
        await self._generate(name, 0, within=_QUICKLY)

    async def delete(self, name: str) -> None:
        await self._asked("DELETE", "/api/delete", {"model": name}, within=_QUICKLY)

    async def _generate(self, name: str, keep_alive: int, *, within: float) -> None:
        """An empty prompt generates nothing: it loads the model, or takes it out of memory."""
        said = await self._asked(
            "POST", "/api/generate", {"model": name, "keep_alive": keep_alive, "stream": False}, within=within
        )
        if isinstance(said, dict) and said.get("error"):
            raise named_failure(said["error"], secret=self._key)
        if not isinstance(said, dict) or not said.get("done"):
            raise UpstreamProtocol(NOT_OLLAMA)

    async def _asked(self, method: str, path: str, body: dict[str, Any], *, within: float) -> Any:
        """What a 200 answer says, None where it says nothing."""
        deadline = self._until(within)
        async with answered(self._client, method, path, body=dumps(body).encode(), deadline=deadline) as response:
            if response.status_code != 200:
                raise await self._refusal(response)
            reader = BodyReader(response, deadline=deadline, idle=within)
            return parsed(await read_whole(reader, limit=_MAX_LINE))

    def _until(self, seconds: float) -> float:
        return asyncio.get_running_loop().time() + seconds

    async def _refusal(self, response: httpx.Response) -> UpstreamError:
        return http_failure(await read_refusal(response), streaming=False, now=time.time(), secret=self._key)
