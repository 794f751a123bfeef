"""A model server that speaks OpenAI's chat completions: a hosted one, vLLM, llama.cpp, LM Studio and many others."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Unpack

import httpx
import structlog
from msgspec.structs import replace

from streaming.protocol.errors import (
    StreamingRefused,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from streaming.providers.base import ChatRequest, Chunk, ModelInfo
from streaming.providers.http_answer import listing
from streaming.providers.http_client import header
from streaming.providers.http_provider import HttpProvider, UpstreamNumbers
from streaming.providers.openai_errors import NOT_OPENAI, http_failure, refused_parts
from streaming.providers.openai_models import MAX_MODELS, is_listing, model_infos
from streaming.providers.openai_wire import Answer, left_out, request_body
from streaming.providers.sse_lines import SseEvent, SseSplitter
from streaming.providers.upstream import answered, check_encoding, read_refusal, read_whole
from streaming.providers.written import written

log = structlog.get_logger(__name__)

_LISTING_DEADLINE = 10.0
# Another model may be served under a name by then, or the same one by a server that was set up anew.
_BELIEVED = 600.0


class OpenAIProvider(HttpProvider[SseEvent]):
    """One OpenAI-compatible server; its numbers are those of HttpProvider.

    base_url    what ``/chat/completions`` and ``/models`` are added to
    api_key     sent to that address and nowhere else; empty sends none
    max_line    bytes also of the calls of a turn
    """

    kind = "openai"

    def __init__(
        self, *, base_url: str, api_key: str = "", name: str = "openai", **numbers: Unpack[UpstreamNumbers]
    ) -> None:
        super().__init__(base_url=base_url, name=name, key=api_key, **numbers)
        self._key = api_key
        self._refused: dict[str, tuple[float, frozenset[str]]] = {}  # by model: until when, and what it does not take

    async def complete(self, request: ChatRequest) -> Sequence[Chunk]:
        """The whole answer as one batch, a Finish last; asked for without streaming."""
        async with self._asked(request, stream=False) as (response, deadline, not_given):
            answer = self._answer(not_given)
            kind = header(response, "content-type").lower()
            if "json" not in kind and "event-stream" not in kind:
                raise UpstreamProtocol(NOT_OPENAI)
            check_encoding(response)
            body = await read_whole(self._reader(response, deadline), limit=self.max_line)
        if "event-stream" in kind:  # a server that streams all the same is taken at its word
            chunks = self._whole(answer, body)
        else:
            chunks = [*answer.feed([SseEvent(b"", body)] if body else []), *answer.end()]
        self._tell_of_replaced(answer, request)
        if not answer.finished:
            raise answer.failure or UpstreamTruncated()
        return chunks

    async def models(self) -> Sequence[ModelInfo]:
        """The models that can chat, as listed. Raises an UpstreamError, in words for whoever runs the server."""
        try:
            async with asyncio.timeout(_LISTING_DEADLINE):
                body = await self._listing()
        except TimeoutError:
            raise UpstreamTimeout(f"The model server at {self.shown_url} takes too long to list its models.") from None
        except UpstreamUnreachable as fault:
            sentence = (
                f"No OpenAI-compatible server answers at {self.shown_url}. Start it, or set OPENAI_BASE_URL otherwise."
            )
            raise UpstreamUnreachable(sentence, details=fault.details) from None
        if not is_listing(body):
            raise UpstreamProtocol(NOT_OPENAI)
        return [self._as_learned(model) for model in model_infos(self.name, body)]

    @asynccontextmanager
    async def _asked(
        self, request: ChatRequest, *, stream: bool
    ) -> AsyncIterator[tuple[httpx.Response, float, tuple[str, ...]]]:
        """A server that says that it does not take some part of the request is asked again without, at once."""
        deadline = self._answer_deadline()
        without = self._not_taken(request.model)
        body = _written(request, stream=stream, without=without)
        while True:
            async with answered(self._client, "POST", "/chat/completions", body=body, deadline=deadline) as response:
                if response.status_code == 200:
                    self._learn(request.model, without)
                    yield response, deadline, left_out(request, without) if without else ()
                    return
                refusal = await read_refusal(response)
            without |= refused_parts(refusal)
            less = _written(request, stream=stream, without=without)
            if less == body:  # it refuses something else
                raise http_failure(refusal, streaming=stream, now=time.time(), secret=self._key)
            body = less

    async def _listing(self) -> Any:
        deadline = asyncio.get_running_loop().time() + _LISTING_DEADLINE
        async with answered(self._client, "GET", "/models", deadline=deadline) as response:
            if response.status_code != 200:
                refusal = await read_refusal(response)
                raise http_failure(refusal, streaming=False, now=time.time(), secret=self._key)
            check_encoding(response)
            return listing(await read_whole(self._reader(response, deadline), limit=self.max_line))

    def _answer(self, left_out: tuple[str, ...]) -> Answer:
        return Answer(max_text=self.max_line, secret=self._key, left_out=left_out)

    def _splitter(self) -> SseSplitter:
        return SseSplitter(max_event=self.max_line)

    def _check_stream(self, response: httpx.Response) -> None:
        check_encoding(response)
        kind = header(response, "content-type").lower()
        if not kind or "event-stream" in kind:
            return
        if kind.startswith("application/json"):  # a stream was asked for, and one object is being sent
            raise StreamingRefused()
        raise UpstreamProtocol(NOT_OPENAI, details={"reason": "content_type"})

    def _not_taken(self, model: str) -> frozenset[str]:
        until, refused = self._refused.get(model, (0.0, frozenset()))
        return refused if time.monotonic() < until else frozenset()

    def _learn(self, model: str, refused: frozenset[str]) -> None:
        """What the server took only without these, it does not take; that is believed for a while."""
        if refused == self._not_taken(model):
            return
        log.info("model_server_takes_less", provider=self.name, model=model, without=sorted(refused))
        if len(self._refused) >= MAX_MODELS:
            self._refused.clear()
        self._refused[model] = (time.monotonic() + _BELIEVED, refused)

    def _as_learned(self, model: ModelInfo) -> ModelInfo:
        refused = {{"images": "vision"}.get(part, part) for part in self._not_taken(model.name)}
        able = tuple(one for one in model.capabilities if one not in refused)
        return replace(model, capabilities=able, cannot_see=model.cannot_see or "vision" in refused)


def _written(request: ChatRequest, *, stream: bool, without: frozenset[str]) -> bytes:
    return written(request, partial(request_body, stream=stream, without=without))
