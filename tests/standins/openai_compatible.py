"""A stand-in OpenAI-compatible model server: real bytes over real sockets, steered by the name of the model.

    python tests/standins/openai_compatible.py --port 0

prints one JSON line with the port it listens on; its address ends in /v1. Its models are those of the stand-in Ollama
(ollama_behaviours.py), told in the other wire, and besides:

trace/FILE, cut/FILE, sliced-N/FILE, slow/FILE
                   the file of tests/wires, line by line; the same, then the connection is cut; N bytes at a time; a
                   line every 5 ms
told/FILE          an .ndjson file of tests/wires, told in this wire
no-mark, hangs-on, pings-on
                   an answer with its finish_reason, but then: the end without [DONE]; silence; comments for ever
only-mark          [DONE] without a finish_reason
pings-first        comments for a while before the first word
error-event, error-beside, error-first
                   an error as a named event; beside the choices; before any word
broken-call        two tool calls, and the connection is cut in the second one's arguments
cut-call           the same, ended by length
no-tools, no-options, no-images, no-thoughts
                   answers 400 to tools; to stream_options; to pictures; to reasoning_content

``--key KEY`` refuses everybody else.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ollama_answers as answers
from ollama import JSON, Connection, main, options_of
from ollama_behaviours import WIRES, Act, Record, Refusal

SSE = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
OWN = {
    *("no-mark", "hangs-on", "pings-on", "only-mark", "pings-first", "error-event", "error-beside", "error-first"),
    *("broken-call", "cut-call", "no-tools", "no-options", "no-images", "no-thoughts"),
}
FILES = re.compile(r"(trace|cut|slow|sliced-(\d+))/(.+)")
KEY = ""


class Compatible(Connection):
    routes = {
        "/v1/models": "GET",
        "/v1/chat/completions": "POST",
        "/_standin/stats": "GET",
        "/_standin/reset": "POST",
        "/_standin/release": "POST",
    }
    half = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":" \xf0'

    def admit(self, headers: dict[str, str]) -> None:
        self.server.stats.headers.append(headers)
        if KEY and headers.get("authorization") != f"Bearer {KEY}":
            said = f"Incorrect API key provided: {headers.get('authorization', '')}."
            raise Refusal(401, {"error": {"message": said, "type": "invalid_request_error", "code": "invalid_api_key"}})

    def refuse(self, refusal: Refusal) -> None:
        """In the other wire's shape, where it comes from the shared models."""
        body = refusal.body
        with contextlib.suppress(ValueError):
            said = json.loads(body)
            if isinstance(said, dict) and isinstance(said.get("error"), str):
                body = json.dumps(
                    {"error": {"message": said["error"], "type": "x", "param": None, "code": None}}
                ).encode()
        self.reply(refusal.status, body, refusal.content_type, **refusal.headers)

    def get(self, path: str) -> None:
        data = [
            {
                "id": model["name"].removesuffix(":latest"),
                "object": "model",
                "created": 1786698662,
                "owned_by": "stand-in",
            }
            for model in answers.LISTED
        ]
        self.reply(200, json.dumps({"object": "list", "data": data}).encode(), JSON)

    async def chat_answer(self, asked: Record) -> None:
        self.server.stats.bodies.append(asked)
        self.server.stats.began()
        model = str(asked.get("model"))
        self.chat = {"model": model, "lines": 0}
        turn_down(asked)
        if status := re.fullmatch(r"status-(\d{3})", model):
            raise recorded(int(status[1]))
        streamed = bool(asked.get("stream"))
        if model in OWN:
            pieces = self.own(asked)
        elif model.startswith("told/"):
            pieces = Told(asked, streamed=streamed).pieces(lines_of(model.removeprefix("told/")))
        elif found := FILES.fullmatch(model):
            pieces = file(found[3], way=found[1], size=int(found[2] or 0))
        else:
            pieces = Told(asked, streamed=streamed).pieces(self.server.behaviours.answer(translated(asked)))
        if streamed and model != "json-only":
            await self.stream(pieces)
        else:
            await self.whole([piece async for piece in self.without_hanging(pieces)], JSON)

    async def stream(self, pieces: AsyncIterator[Any]) -> None:
        begun = False
        async for piece in pieces:
            if piece is Act.HANG:
                await asyncio.Event().wait()
            if not begun:
                begun = True
                self.head(200, SSE, {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"})
            match piece:
                case bytes():
                    self.finish() if piece == DONE else None
                    await self.chunk(piece)
                case Act.RESET | Act.CUT:
                    return await self.break_off(reset=piece is Act.RESET)
                case _:
                    pass
        self.finish()
        self.transport.write(b"0\r\n\r\n")

    async def whole(self, items: list[Any], content_type: str) -> None:
        """All chunks as one object."""
        chunks = [chunk for chunk in map(chunk_of, items) if chunk is not None]
        error = next((chunk for chunk in chunks if "error" in chunk), None)
        if error is not None:
            raise Refusal(500, error)
        message: Record = {"role": "assistant", "content": ""}
        calls: dict[int, Record] = {}
        reason, usage = None, None
        for chunk in chunks:
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices", []):
                delta = choice["delta"]
                reason = choice["finish_reason"] or reason
                for name in ("content", "reasoning_content"):
                    if delta.get(name):
                        message[name] = message.get(name, "") + delta[name]
                for piece in delta.get("tool_calls", []):
                    whole = calls.setdefault(
                        piece["index"], {"id": "", "type": "function", "function": {"arguments": ""}}
                    )
                    whole["id"] = piece.get("id") or whole["id"]
                    whole["function"]["name"] = piece["function"].get("name") or whole["function"].get("name")
                    whole["function"]["arguments"] += piece["function"].get("arguments", "")
        if calls:
            message["tool_calls"] = list(calls.values())
        self.finish()
        choice = {"index": 0, "message": message, "finish_reason": reason}
        body = {**chunks[-1], "object": "chat.completion", "choices": [choice], "usage": usage} if chunks else {}
        self.reply(200, json.dumps(body).encode(), content_type)

    async def own(self, asked: Record) -> AsyncIterator[bytes | Act]:
        model = asked["model"]
        told = Told(asked, streamed=True)
        yield Act.HEADERS
        if model == "pings-first":
            for _ in range(20):
                yield b": OPENROUTER PROCESSING\n\n"
                await asyncio.sleep(0.02)
        if model == "error-first":
            yield b'data: {"error":{"message":"no room at first","code":502}}\n\n'
            return
        if model in ("broken-call", "cut-call"):
            one, two = (answers.call("calculator", {"expression": f"{n} * 7"}, index=n) for n in (0, 1))
            *first, _ = [*told.call(one, 0), *told.call(two, 1)]
            for piece in first:
                yield piece
            if model == "broken-call":
                yield Act.CUT
            else:
                yield told.chunk({}, reason="length")
                yield DONE
            return
        for token in ("One", " two", " three"):
            yield told.chunk({"content": token})
        if model == "error-event":
            yield b'event: error\ndata: {"object":"error","message":"the engine died","type":"x","code":500}\n\n'
            yield DONE
            return
        if model == "error-beside":
            chunk = {
                "error": {"code": 502, "message": "the engine died"},
                "choices": [{"delta": {}, "finish_reason": "error"}],
            }
            yield sse(chunk)
            return
        if model == "only-mark":
            yield DONE
            return
        yield told.chunk({}, reason="stop")
        if model == "hangs-on":
            yield Act.HANG
        while model == "pings-on":
            yield b":\n\n"
            await asyncio.sleep(0.02)
        if model != "no-mark":
            yield told.usage(12, 3)
            yield DONE


class Told:
    """One answer of the shared models, in the other wire's chunks."""

    def __init__(self, asked: Record, *, streamed: bool) -> None:
        self.model = asked["model"]
        self.counts = bool((asked.get("stream_options") or {}).get("include_usage")) or not streamed
        self.id = f"chatcmpl-{time.monotonic_ns():x}"
        self.calls = 0

    async def pieces(self, items: AsyncIterator[Any]) -> AsyncIterator[bytes | Act]:
        first = True
        async for item in items:
            if isinstance(item, bytes):  # not a line, and meant so
                yield b"data: " + item if first or item.endswith(b"}\n") else item
                if item.endswith(b"}\n"):
                    yield b"\n"
                first = False
            elif isinstance(item, Act):
                yield item
            elif "error" in item:
                yield sse({"error": {"message": item["error"], "type": "server_error", "param": None, "code": None}})
            else:
                if first:
                    yield self.chunk({"role": "assistant", "content": ""})
                first = False
                for piece in self.line(item):
                    yield piece

    def line(self, item: Record) -> list[bytes]:
        message, pieces = item["message"], []
        if message.get("thinking"):
            pieces.append(self.chunk({"reasoning_content": message["thinking"]}))
        if message.get("content"):
            pieces.append(self.chunk({"content": message["content"]}))
        for call in message.get("tool_calls", []):
            pieces += self.call(call, self.calls)
            self.calls += 1
        if item.get("done"):
            pieces.append(self.chunk({}, reason="tool_calls" if self.calls else item["done_reason"]))
            if self.counts:
                pieces.append(self.usage(item.get("prompt_eval_count", 0), item.get("eval_count", 0)))
            pieces.append(DONE)
        return pieces

    def call(self, call: Record, index: int) -> list[bytes]:
        """A call as OpenAI sends it: its name first, then its arguments in pieces."""
        arguments = call["function"]["arguments"]
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
        named = {"index": index, "id": call["id"], "type": "function"}
        pieces: list[Record] = [{**named, "function": {"name": call["function"]["name"], "arguments": ""}}]
        pieces += [{"index": index, "function": {"arguments": part}} for part in re.findall(r".{1,7}", text, re.S)]
        return [self.chunk({"tool_calls": [piece]}) for piece in pieces]

    def chunk(self, delta: Record, *, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse({**self.head(), "choices": [choice], **({"usage": None} if self.counts else {})})

    def usage(self, prompt: int, tokens: int) -> bytes:
        counts = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
        return sse({**self.head(), "choices": [], "usage": counts})

    def head(self) -> Record:
        return {"id": self.id, "object": "chat.completion.chunk", "created": int(time.time()), "model": self.model}


def sse(record: Record) -> bytes:
    return (
        b"data: " + json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n\n"
    )


def chunk_of(item: Any) -> Record | None:
    if not isinstance(item, bytes) or not item.startswith(b"data: {"):
        return None
    try:
        found: Record = json.loads(item.removeprefix(b"data: "))
    except ValueError:
        return None
    return found


def translated(asked: Record) -> Record:
    """The request as the shared models take it."""
    messages = []
    for message in asked["messages"]:
        calls = [
            {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
            for call in message.get("tool_calls") or []
        ]
        content = message.get("content")
        if isinstance(content, list):
            message = {**message, "content": "".join(part.get("text", "") for part in content)}
        messages.append({**message, "tool_calls": calls} if calls else message)
    return {**asked, "messages": messages, "truncate": False}  # no server of this wire leaves anything out by itself


def turn_down(asked: Record) -> None:
    """Turn down what OpenAI turns down, in its words."""
    if not isinstance(asked.get("messages"), list) or not asked["messages"]:
        raise problem("[] is too short - 'messages'", "messages")
    for message in asked["messages"]:
        for call in message.get("tool_calls") or []:
            arguments = call["function"].get("arguments")
            if call.get("type") != "function" or not isinstance(arguments, str):
                raise problem("Invalid type for 'messages[1].tool_calls[0]'", "messages")
            if not isinstance(json.loads(arguments), dict):
                raise problem("invalid tool call arguments", "messages")
        if message["role"] == "tool" and not message.get("tool_call_id"):
            raise problem("Missing parameter 'tool_call_id'", "messages")
    if asked.get("model") == "no-tools" and asked.get("tools"):
        raise problem('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    if asked.get("model") == "no-thoughts" and any("reasoning_content" in message for message in asked["messages"]):
        raise problem("'messages.1' : property 'reasoning_content' is unsupported")
    if form := asked.get("response_format"):
        if asked.get("model") == "no-form":
            raise problem("This response_format type is unavailable now")
        named = form.get("json_schema", {}).get("name", "")
        if form.get("type") not in ("json_object", "json_schema") or (form["type"] == "json_schema" and not named):
            raise problem("Missing required parameter: 'response_format.json_schema'.", "response_format.json_schema")
        if form["type"] == "json_object" and "json" not in json.dumps(asked["messages"]).lower():
            raise problem("'messages' must contain the word 'json' in some form", "messages")
    if asked.get("model") == "no-images" and any(isinstance(each.get("content"), list) for each in asked["messages"]):
        raise problem("Invalid content type. image_url is only supported by certain models.")
    if asked.get("model") == "no-options" and "stream_options" in asked:
        raise problem("Extra inputs are not permitted, field: 'stream_options'")


def problem(message: str, parameter: str | None = None) -> Refusal:
    return Refusal(
        400, {"error": {"message": message, "type": "invalid_request_error", "param": parameter, "code": None}}
    )


def recorded(status: int) -> Refusal:
    rows = json.loads((WIRES / "http-errors.json").read_bytes())
    row = next((row for row in rows["openai_compatible"] + rows["ollama_v1"] if row["status"] == status), None)
    headers = {"Retry_After": "1"} if status in (429, 503) else {}
    if status in (301, 302, 307, 308):
        headers["Location"] = "/v1/models"
    if row is None:
        return Refusal(status, {"error": {"message": f"status {status}", "type": None, "code": status}}, **headers)
    return Refusal(status, row["body"].encode(), content_type=row["content_type"], **headers)


async def lines_of(name: str) -> AsyncIterator[Record]:
    for line in (WIRES / Path(name).name).read_bytes().split(b"\n"):
        if line:
            yield json.loads(line)


async def file(name: str, *, way: str, size: int) -> AsyncIterator[bytes | Act]:
    path = WIRES / Path(name).name
    if not path.is_file():
        raise Refusal(404, {"error": {"message": f"The model {name} does not exist", "code": "model_not_found"}})
    yield Act.HEADERS
    data = path.read_bytes()
    for part in re.findall(rb"(?s).{1,%d}" % size, data) if size else data.splitlines(keepends=True):
        yield part
        if size or way == "slow":
            await asyncio.sleep(0.005 if way == "slow" else 0)
    yield Act.CUT if way == "cut" else Act.END


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--key", default="", help="the one API key that is taken")
    options = parser.parse_args()
    KEY = options.key
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(options, Compatible))
