"""Ollama's /api/chat: our request as its body, its lines as our chunks."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

from streaming.protocol.errors import ContextExceeded, UpstreamError, UpstreamProtocol
from streaming.protocol.objects import Usage
from streaming.providers.base import ChatRequest, Chunk, Finish, PromptMessage, ToolCall, ToolSpec
from streaming.providers.joined import Joined
from streaming.providers.ollama_errors import named_failure
from streaming.providers.thinking import ThinkSplitter
from streaming.providers.values import DECODER, MAX_DEPTH, arguments, deeper, token_count

# Our names and Ollama's.
_OPTIONS = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("seed", "seed"),
    ("stops", "stop"),
    ("max_tokens", "num_predict"),
)


def request_body(
    request: ChatRequest, *, stream: bool, num_ctx: int | None = None, without_format: bool = False
) -> dict[str, Any]:
    """The body of POST /api/chat. What was not asked for is left to the server.

    ``num_ctx`` is the administrator's, one for a model: another one makes the server load it anew.
    """
    body: dict[str, Any] = {"model": request.model, "messages": [_message(message) for message in request.messages]}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    body["stream"] = stream
    # Held to a form, a model cannot call a tool: where tools are offered, the words in the prompt must do.
    if request.response_format is not None and not request.tools and not without_format:
        body["format"] = request.response_format.schema or "json"
    if request.think is not None:
        body["think"] = request.think
    asked = request.parameters
    if asked.keep_alive is not None:
        body["keep_alive"] = asked.keep_alive
    options = {its: value for ours, its in _OPTIONS if (value := getattr(asked, ours)) is not None}
    if num_ctx is not None:
        options["num_ctx"] = num_ctx
    if options:
        body["options"] = options
    if request.whole:
        body["truncate"] = False  # else the oldest messages are left out, and nobody is told
    return body


def _message(message: PromptMessage) -> dict[str, Any]:
    if message.role == "tool":
        names = {"tool_name": message.tool_name, "tool_call_id": message.tool_call_id}
        return {"role": "tool", **{key: name for key, name in names.items() if name}, "content": message.content}
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        body["images"] = [image.data for image in message.images]
    if message.thinking:
        body["thinking"] = message.thinking
    if message.tool_calls:
        body["tool_calls"] = [
            # Arguments as an object: a JSON text, as OpenAI wants it, is a 400 here.
            {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
            for index, call in enumerate(message.tool_calls)
        ]
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    content: str | None = None
    thinking: str | None = None
    role: str | None = None
    tool_calls: None = None


class _Token(msgspec.Struct, forbid_unknown_fields=True):
    """A line as nearly all are: a piece of text and nothing else. Whatever is odd about one is for the other way: also
    a field of another name, for what msgspec passes over it does not look into, and 1E999 or bad UTF-8 would get by.
    """

    message: _Said
    model: str
    created_at: str | None = None
    done: bool | None = None
    done_reason: None = None
    error: None = None


_decode_token = msgspec.json.Decoder(_Token).decode


def _plain(line: bytes) -> _Token | None:
    """The token of a plain line, at a fifth of the cost of the general way; None for every other line."""
    try:
        token = _decode_token(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if token.done else token


class Answer:
    """Folds the lines of one answer into chunks.

    ``feed`` never raises: what came before a failure is returned first, and the failure then stands in ``failure``.
    After the Finish, and after a failure, further lines are ignored. ``replaced`` counts the lines that were not UTF-8.
    ``left_out`` is passed on with the Finish; words that have ``secret`` in them are not shown.
    """

    concluded = False  # its reason to stop and its end are one line

    def __init__(
        self,
        *,
        left_out: tuple[str, ...] = (),
        secret: str = "",
        make_id: Callable[[], str] = lambda: f"call_{secrets.token_hex(4)}",
    ) -> None:
        self.finished = False
        self.failure: UpstreamError | None = None
        self.model: str | None = None
        self.replaced = 0
        self._left_out = left_out
        self._secret = secret
        self._make_id = make_id
        self._ids: set[str] = set()
        self._lines = 0
        self._splitter = ThinkSplitter()

    def feed(self, lines: Sequence[bytes]) -> list[Chunk]:
        """All chunks of the lines of one read: adjacent text is one chunk, adjacent thinking likewise."""
        joined = Joined(self._splitter)
        try:
            for line in lines:
                if self.finished or self.failure is not None:
                    break
                self._lines += 1
                self._line(line, joined)
        except UpstreamError as failure:
            joined.flush()
            self.failure = failure
        return joined.chunks()

    def end(self, rest: Sequence[bytes] = ()) -> list[Chunk]:
        """The body has ended, with ``rest`` in front of its end: what was held back, where no Finish came."""
        chunks = self.feed(rest)
        if self.finished:
            return chunks
        joined = Joined(self._splitter)
        joined.flush()
        return [*chunks, *joined.chunks()]

    def _line(self, line: bytes, joined: Joined) -> None:
        token = _plain(line)
        if token is None:
            self._any_line(line, joined)
            return
        if self.model is None:
            self.model = token.model or None
        if token.message.thinking:
            joined.thinking(token.message.thinking)
        if token.message.content:
            joined.content(token.message.content)

    def _any_line(self, line: bytes, joined: Joined) -> None:
        record = self._record(line)
        error = record.get("error")
        if error is not None and error != "":
            raise _reported(error, self._secret)
        if self.model is None and isinstance(record.get("model"), str):
            self.model = record["model"] or None
        message = record.get("message")
        if message is not None:
            self._message(message, joined)
        reason = record.get("done_reason")
        reason = reason if isinstance(reason, str) and reason else None
        if record.get("done") is True or reason is not None:  # some servers leave ``done`` out
            joined.flush()
            joined.add(Finish(reason=reason, usage=_usage(record), left_out=self._left_out))
            self.finished = True

    def _message(self, message: Any, joined: Joined) -> None:
        if not isinstance(message, dict):
            self._refuse("message_not_an_object")
        thinking, content = message.get("thinking"), message.get("content")
        if thinking:
            joined.thinking(self._text(thinking))
        if content:
            joined.content(self._text(content))
        calls = message.get("tool_calls")
        if not calls:
            return
        if not isinstance(calls, list) or deeper(calls, MAX_DEPTH):
            self._refuse("bad_tool_calls")
        for call in calls:
            joined.add(self._call(call))

    def _call(self, call: Any) -> ToolCall:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            self._refuse("bad_tool_calls")
        # By arrival and nothing else: servers are known that number every call 0, or give no id at all.
        given = call.get("id")
        id = given if isinstance(given, str) and given and given not in self._ids else self._make_id()
        self._ids.add(id)
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        parsed, invalid = arguments(function.get("arguments"))
        return ToolCall(id=id, name=name, arguments=parsed, invalid_arguments=invalid)

    def _record(self, line: bytes) -> dict[str, Any]:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.replaced += 1
            text = line.decode(errors="replace")
        try:
            record = DECODER.decode(text)
        except (ValueError, RecursionError):
            self._refuse("not_json")
        if not isinstance(record, dict):
            self._refuse("not_an_object")
        return record

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            self._refuse("text_not_a_string")
        return value

    def _refuse(self, reason: str) -> NoReturn:
        raise UpstreamProtocol(details={"reason": reason, "line": self._lines})


def _usage(record: dict[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=token_count(record.get("prompt_eval_count")),
        completion_tokens=token_count(record.get("eval_count")),
    )


def _reported(error: Any, secret: str) -> UpstreamError:
    """An error line. The status was 200 already, so the words are all there is to go by."""
    failure = named_failure(error, secret=secret)
    return failure if isinstance(failure, ContextExceeded) else UpstreamError(failure.message, details=failure.details)
