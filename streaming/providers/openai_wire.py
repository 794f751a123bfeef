"""Chat completions as OpenAI's many followers speak them: our request as its body, its events as our chunks."""

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

from streaming.protocol.errors import UpstreamError, UpstreamProtocol, UpstreamTruncated
from streaming.protocol.objects import Usage
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ChatRequest, Chunk, Finish, PromptCall, PromptImage, PromptMessage, ToolSpec
from streaming.providers.joined import Joined
from streaming.providers.openai_calls import BadCalls, CallJoiner
from streaming.providers.openai_errors import reported
from streaming.providers.sse_lines import SseEvent
from streaming.providers.thinking import ThinkSplitter
from streaming.providers.values import DECODER, token_count

# Other servers' words for the reasons that mean something to us.
_REASONS = {
    "max_tokens": "length",
    "model_length": "length",
    "safety": "content_filter",
    "end_turn": "stop",
    "eos": "stop",
}
_PARAMETERS = ("temperature", "top_p", "top_k", "seed", "max_tokens")
_EFFORTS = {"max": "high"}  # Ollama's strongest word is none of OpenAI's
# What a person asked for, by the field that carries it. Without the others a server may be asked, and nobody minds.
_ASKED_FOR = {"response_format": "response_format", "tools": "tools", "reasoning_effort": "thinking", "top_k": "top_k"}
_NO_REASON = frozenset({"", "null", "None"})
# With these a server says that it gave up: no answer is whole because of them.
_GIVEN_UP = frozenset({"abort", "aborted", "cancelled", "canceled"})

_quickly = msgspec.json.Decoder().decode


def request_body(request: ChatRequest, *, stream: bool, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The body of POST /chat/completions. What was not asked for is left to the server, and so are ``keep_alive`` and
    ``context_length``, for which this wire has no words: the engine says so, and makes the prompt fit. Of ``think``
    only a level has a word that servers share.

    ``without`` are those of ``response_format``, ``tools``, ``images``, ``stream_options``, ``reasoning_content``,
    ``reasoning_effort``, ``top_k`` and ``max_tokens`` that the server does not take; for the last it has another word
    then.
    """
    messages = [_message(message, without) for message in request.messages]
    body = {**_parameters(request.parameters, without), "model": request.model, "messages": messages}
    if request.tools and "tools" not in without:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.response_format is not None and "response_format" not in without:
        body["response_format"] = msgspec.to_builtins(request.response_format)
    if isinstance(request.think, str) and "reasoning_effort" not in without:
        body["reasoning_effort"] = _EFFORTS.get(request.think, request.think)
    body["stream"] = stream
    if stream and "stream_options" not in without:
        body["stream_options"] = {"include_usage": True}
    return body


def left_out(request: ChatRequest, without: frozenset[str]) -> tuple[str, ...]:
    """What was asked for and is not in a body that was written ``without`` these, in people's words."""
    body = request_body(msgspec.structs.replace(request, messages=()), stream=False)
    minded = without if request.tools_wished else without - {"tools"}  # what was merely offered nobody misses
    words = [word for field, word in _ASKED_FOR.items() if field in minded and field in body]
    if "images" in without and any(message.images for message in request.messages):
        words.append("images")
    return tuple(words)


def _parameters(asked: Parameters, without: frozenset[str]) -> dict[str, Any]:
    named = {name: getattr(asked, name) for name in _PARAMETERS if name not in without}
    named["stop"] = asked.stops
    if "max_tokens" in without:
        named["max_completion_tokens"] = asked.max_tokens
    return {name: value for name, value in named.items() if value is not None}


def _message(message: PromptMessage, without: frozenset[str]) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": _id(message.tool_call_id or ""), "content": message.content}
    if message.images and "images" not in without:
        return {"role": message.role, "content": [{"type": "text", "text": message.content}, *_shown(message.images)]}
    if not message.tool_calls:
        return {"role": message.role, "content": message.content}
    body: dict[str, Any] = {"role": message.role, "content": message.content or None}
    if message.thinking and "reasoning_content" not in without:  # DeepSeek refuses the round without it, Groq with it
        body["reasoning_content"] = message.thinking
    body["tool_calls"] = [_call(call) for call in message.tool_calls]
    return body


def _shown(images: Sequence[PromptImage]) -> list[dict[str, Any]]:
    addresses = (f"data:{image.type};base64,{image.data}" for image in images)
    return [{"type": "image_url", "image_url": {"url": address}} for address in addresses]


def _call(call: PromptCall) -> dict[str, Any]:
    # Arguments as a text: an object, as Ollama wants it, is a 400 here.
    arguments = json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":"))
    return {"id": _id(call.id), "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _id(id: str) -> str:
    """Ours are UUIDs; Mistral takes nine letters and digits and nothing else."""
    return hashlib.sha256(id.encode()).hexdigest()[:9] if len(id) == 36 else id


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


class Answer:
    """Folds the events of one answer into chunks; a whole answer without streaming is one event.

    ``feed`` never raises: what came before a failure is returned first, and the failure then stands in ``failure``.
    ``concluded``: the server has given its reason to stop, and what is waited for is the usage: from here on the answer
    is whole however the body ends, unless the server reports an error. ``finished``: the Finish was the last chunk, and
    further events are ignored. ``replaced`` counts the events that were not UTF-8. Calls come together
    before the Finish, and have at most ``max_text`` characters. Words that have ``secret`` in them are not repeated.
    ``left_out`` is passed on with the Finish.
    """

    def __init__(
        self,
        *,
        max_text: int = 8 * 1024 * 1024,
        secret: str = "",
        left_out: tuple[str, ...] = (),
        make_id: Callable[[], str] = lambda: f"call_{secrets.token_hex(4)}",
    ) -> None:
        self.finished = False
        self.concluded = False
        self.failure: UpstreamError | None = None
        self.model: str | None = None
        self.replaced = 0
        self._secret = secret
        self._left_out = left_out
        self._events = 0
        self._reason: str | None = None
        self._usage = Usage()
        self._splitter = ThinkSplitter()
        self._calls = CallJoiner(max_text=max_text, make_id=make_id)

    def feed(self, events: Sequence[SseEvent]) -> list[Chunk]:
        """All chunks of the events of one read: adjacent text is one chunk, adjacent thinking likewise."""
        joined = Joined(self._splitter)
        try:
            for event in events:
                if self.finished or self.failure is not None:
                    break
                self._events += 1
                self._event(event, joined)
        except UpstreamError as failure:
            joined.flush()
            self.failure = failure
        return joined.chunks()

    def end(self, rest: Sequence[SseEvent] = ()) -> list[Chunk]:
        """The body has ended, with ``rest`` in front of its end: what was held back, and the Finish if there is one."""
        failed_before = self.failure is not None
        chunks = self.feed(rest)
        if not failed_before and isinstance(self.failure, UpstreamProtocol):  # half an event, not nonsense
            self.failure = None
        joined = Joined(self._splitter)
        if self.failure is None and not self.finished:
            joined.flush()
            if self.concluded:
                self._finish(joined)
        return [*chunks, *joined.chunks()]

    def _event(self, event: SseEvent, joined: Joined) -> None:
        if event.data[:1] != b"{" and event.data.strip() == b"[DONE]":
            if not self.concluded:
                raise UpstreamTruncated()
            self._finish(joined)
            return
        try:
            record = self._record(event.data)
        except UpstreamProtocol:
            if not self.concluded or event.name == b"error":
                raise
            return  # what it says after its reason to stop takes nothing of the answer away, unless it is an error
        self._look_for_error(event.name, record)
        if self.model is None and isinstance(record.get("model"), str):
            self.model = record["model"] or None
        usage = record.get("usage")
        if isinstance(usage, dict):
            self._usage = _usage(usage)
        choices = record.get("choices")
        if not choices:  # usage, a filter's results, or nothing at all
            return
        if not isinstance(choices, list):
            self._refuse("choices_not_a_list")
        for choice in choices:
            self._choice(choice, joined)

    def _choice(self, choice: Any, joined: Joined) -> None:
        if not isinstance(choice, dict):
            self._refuse("choice_not_an_object")
        if choice.get("index"):  # one answer was asked for
            return
        self._look_for_error(b"", choice)
        # Where there are both, the message is what the deltas have come to.
        message = choice.get("message") if choice.get("delta") is None else choice["delta"]
        if message:
            self._message(message, joined)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason not in _NO_REASON and not self.concluded:
            self._conclude(reason, joined)

    def _message(self, message: Any, joined: Joined) -> None:
        if not isinstance(message, dict):
            self._refuse("message_not_an_object")
        # The same thought by two names; some send both.
        thinking = message.get("reasoning_content") or message.get("reasoning")
        if thinking:
            joined.thinking(self._text(thinking))
        for words in (message.get("content"), message.get("refusal")):
            if words:
                if type(words) is list:
                    self._parts(words, joined)
                else:
                    joined.content(self._text(words))
        if calls := message.get("tool_calls"):
            try:
                self._calls.add(calls)
            except BadCalls as bad:
                self._refuse(str(bad))

    def _parts(self, parts: list[Any], joined: Joined) -> None:
        """Content in parts, as Mistral sends it: texts, and thoughts, which are texts again. What else there is, such
        as a reference, is nothing to read.
        """
        for part in parts:
            if not isinstance(part, dict):
                self._refuse("part_not_an_object")
            thought = part.get("thinking")
            for piece in thought if isinstance(thought, list) else [{"text": thought}]:
                if isinstance(piece, dict) and piece.get("text"):
                    joined.thinking(self._text(piece["text"]))
            if part.get("text"):
                joined.content(self._text(part["text"]))

    def _conclude(self, reason: str, joined: Joined) -> None:
        if reason == "error":
            raise reported(None)
        if reason in _GIVEN_UP:
            raise UpstreamTruncated()
        joined.flush()
        self._reason = _REASONS.get(reason, reason)
        self.concluded = True

    def _finish(self, joined: Joined) -> None:
        joined.flush()
        for call in self._calls.calls():
            joined.add(call)
        joined.add(Finish(reason=self._reason, usage=self._usage, left_out=self._left_out))
        self.finished = True

    def _look_for_error(self, name: bytes, record: dict[str, Any]) -> None:
        if error := record.get("error"):
            raise reported(error, secret=self._secret)
        if name == b"error" or record.get("object") == "error":
            raise reported(record, secret=self._secret)

    def _record(self, data: bytes) -> dict[str, Any]:
        try:
            record = _quickly(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            record = self._slowly(data)
        if not isinstance(record, dict):
            self._refuse("not_an_object")
        return record

    def _slowly(self, data: bytes) -> Any:
        """What msgspec does not read: text that is not UTF-8, lone surrogates, and all that is not to be read."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.replaced += 1
            text = data.decode(errors="replace")
        try:
            return DECODER.decode(text)
        except (ValueError, RecursionError):
            self._refuse("not_json")

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            self._refuse("text_not_a_string")
        return value

    def _refuse(self, reason: str) -> NoReturn:
        raise UpstreamProtocol(details={"reason": reason, "event": self._events})


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=token_count(usage.get("prompt_tokens")),
        completion_tokens=token_count(usage.get("completion_tokens")),
    )
