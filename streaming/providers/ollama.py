"""A model server that speaks Ollama's own API."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Unpack

import httpx

from streaming.protocol.codec import dumps
from streaming.protocol.errors import (
    StreamingRefused,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from streaming.providers.base import ChatRequest, Chunk, ModelInfo
from streaming.providers.http_answer import listing
from streaming.providers.http_client import header
from streaming.providers.http_provider import HttpProvider, UpstreamNumbers
from streaming.providers.ndjson import LineSplitter
from streaming.providers.ollama_errors import NOT_OLLAMA, http_failure, refuses_format
from streaming.providers.ollama_models import Contexts, Facts, Tag, can_chat, facts_of_show, loaded, model_info, tags
from streaming.providers.ollama_store import OllamaStore
from streaming.providers.ollama_wire import Answer, request_body
from streaming.providers.upstream import answered, check_encoding, read_refusal, read_whole
from streaming.providers.written import written

_LISTING_DEADLINE = 10.0
# So many models are asked about at once, where a server does not list what they can do.
_SHOWS_AT_ONCE = 8


class OllamaProvider(HttpProvider[bytes]):
    """One Ollama server; its numbers are those of HttpProvider, and seconds.

    api_key     sent to its address and nowhere else, for a gateway in front; empty sends none
    models_ttl  for how long what /api/show said is believed
    num_ctx     with how many tokens of context models are to be loaded, by name; "" is for all others
    """

    kind = "ollama"

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str = "",
        name: str = "ollama",
        models_ttl: float = 600.0,
        num_ctx: Mapping[str, int] | None = None,
        **numbers: Unpack[UpstreamNumbers],
    ) -> None:
        super().__init__(base_url=base_url, name=name, key=api_key, **numbers)
        self._key = api_key
        self._models_ttl = models_ttl
        self._facts: dict[tuple[str, str], tuple[float, Facts]] = {}
        self._contexts = Contexts(num_ctx or {})
        self.store = OllamaStore(self._client, key=api_key, patience=self._first_byte, models=self._all_models)

    async def complete(self, request: ChatRequest) -> Sequence[Chunk]:
        """The whole answer as one batch, a Finish last; asked for without streaming."""
        async with self._asked(request, stream=False) as (response, deadline, left_out):
            answer = self._answer(left_out)
            kind = header(response, "content-type").lower()
            if "json" not in kind:
                raise UpstreamProtocol(NOT_OLLAMA)
            body = await read_whole(self._reader(response, deadline), limit=self.max_line)
        if _is_ndjson(kind):  # a server that streams all the same is taken at its word
            chunks = self._whole(answer, body if body.endswith(b"\n") else body + b"\n")
        else:
            chunks = answer.feed([body] if body else [])
        if not answer.finished:
            raise answer.failure or UpstreamTruncated()
        return chunks

    async def models(self) -> Sequence[ModelInfo]:
        """The models that can chat, newest first. Raises an UpstreamError, in words for whoever runs the server."""
        return [model for model, chats in await self._listed() if chats]

    async def _all_models(self) -> Sequence[ModelInfo]:
        return [model for model, _ in await self._listed()]

    async def _listed(self) -> list[tuple[ModelInfo, bool]]:
        """Every model, and whether it can chat."""
        try:
            async with asyncio.timeout(_LISTING_DEADLINE):
                listed = tags(await self._json("GET", "/api/tags"))
                in_memory = await self._in_memory()
                facts = await self._all_facts(listed)
        except TimeoutError:
            raise UpstreamTimeout(f"Ollama at {self.shown_url} takes too long to list its models.") from None
        except UpstreamUnreachable as fault:
            sentence = (
                f"Ollama does not answer at {self.shown_url}. Start it with `ollama serve`, or set OLLAMA_BASE_URL."
            )
            raise UpstreamUnreachable(sentence, details=fault.details) from None
        present = {(tag.name, tag.digest) for tag in listed}  # one that was pulled anew is another model
        self._facts = {key: known for key, known in self._facts.items() if key in present}
        self._contexts.seen(facts, in_memory)
        return [
            (model_info(self.name, tag, known, in_memory, in_force=self._contexts.of(tag)), can_chat(tag, known))
            for tag, known in facts
        ]

    @asynccontextmanager
    async def _asked(
        self, request: ChatRequest, *, stream: bool
    ) -> AsyncIterator[tuple[httpx.Response, float, tuple[str, ...]]]:
        """A schema of which Ollama can make no grammar is left out, at once; the prompt has it in words."""
        deadline = self._answer_deadline()
        num_ctx = self._contexts.num_ctx(request.model)
        left_out: tuple[str, ...] = ()
        while True:
            body_of = partial(request_body, stream=stream, num_ctx=num_ctx, without_format=bool(left_out))
            body = written(request, body_of)
            async with answered(self._client, "POST", "/api/chat", body=body, deadline=deadline) as response:
                if response.status_code == 200:
                    yield response, deadline, left_out
                    return
                refusal = await read_refusal(response)
            if request.response_format is None or left_out or not refuses_format(refusal):
                raise http_failure(refusal, streaming=stream, now=time.time(), secret=self._key)
            left_out = ("response_format",)

    def _answer(self, left_out: tuple[str, ...]) -> Answer:
        return Answer(left_out=left_out, secret=self._key)

    def _splitter(self) -> LineSplitter:
        return LineSplitter(max_line=self.max_line)

    def _check_stream(self, response: httpx.Response) -> None:
        check_encoding(response)
        kind = header(response, "content-type").lower()
        if _is_ndjson(kind):
            return
        if kind.startswith("application/json"):  # a stream was asked for, and one object is being sent
            raise StreamingRefused()
        raise UpstreamProtocol(NOT_OLLAMA, details={"reason": "content_type"})

    async def _refusal(self, response: httpx.Response, *, streaming: bool) -> UpstreamError:
        """The error of an answer other than 200, read no further than it can matter."""
        return http_failure(await read_refusal(response), streaming=streaming, now=time.time(), secret=self._key)

    async def _json(self, method: str, path: str, body: Any = None) -> Any:
        deadline = asyncio.get_running_loop().time() + _LISTING_DEADLINE
        asking = None if body is None else dumps(body).encode()
        async with answered(self._client, method, path, body=asking, deadline=deadline) as response:
            if response.status_code != 200:
                raise await self._refusal(response, streaming=False)
            text = await read_whole(self._reader(response, deadline), limit=self.max_line)
        found = listing(text)
        if found is None:
            raise UpstreamProtocol(NOT_OLLAMA)
        return found

    async def _in_memory(self) -> dict[str, int | None] | None:
        try:
            return loaded(await self._json("GET", "/api/ps"))
        except UpstreamError:  # very old servers do not have it
            return None

    async def _all_facts(self, listed: Sequence[Tag]) -> list[tuple[Tag, Facts]]:
        turns = asyncio.Semaphore(_SHOWS_AT_ONCE)
        found = await asyncio.gather(*(self._facts_of(tag, turns) for tag in listed))
        return list(zip(listed, found, strict=True))

    async def _facts_of(self, tag: Tag, turns: asyncio.Semaphore) -> Facts:
        """What the list says of ``tag``, and what /api/show says where the list leaves something open."""
        if tag.facts.complete:
            return tag.facts
        key = (tag.name, tag.digest)
        known = self._facts.get(key)
        if known is None or known[0] < time.monotonic():
            try:
                async with turns:
                    shown = facts_of_show(await self._json("POST", "/api/show", {"model": tag.name}))
            except UpstreamError:
                return tag.facts
            known = self._facts[key] = (time.monotonic() + self._models_ttl, shown)
        return Facts(
            tag.facts.capabilities or known[1].capabilities, tag.facts.context_length or known[1].context_length
        )


def _is_ndjson(kind: str) -> bool:
    return not kind or "ndjson" in kind or "jsonl" in kind
