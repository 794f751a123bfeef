"""How the stand-in model server behaves, by the name of the model.

qwen3:8b              thinks; calls calculator or clock where one is offered and the question is about a sum or time
llama3.2, plain       a plain answer of about forty words (plain can neither call tools nor think)
slow-N@R, bench-N@R   N tokens "t0 t1 t2 …" at R a second (R may be "max"); think-N@R: as much thinking first
gated-N               N tokens, then silence until POST /_standin/release, then N more
goes-on-N, repeats-N, begins-again-N, refuses-N
                      2 N tokens, of which the first N at once and the rest after POST /_standin/release; asked with the
                      beginning of its own turn it goes on; says the last three tokens again first; begins again; or
                      answers 400
                      with @R at the end instead: N tokens in all, at R a second, and no gate
echo-N                what was asked, N characters a token
window-N              a plain answer; reads N tokens, of four characters each. More it refuses where the request says
                      truncate: false; else the oldest messages are left out, as Ollama does, without a word
namer                 a title in quotes and a list of follow-ups, where it is asked for them; else a plain answer
trace/FILE            the file of tests/wires, line by line; cut/FILE: the same, then the connection is cut
hang-headers, hang-first, hang-mid          silence: before the headers, after them, after three tokens
reset-mid, eof-mid, end-early               three tokens and half a line, then RST or FIN; or a clean end without done
error-mid, bad-json, html, empty, long-line an error line; a line that is no JSON; a page; no content; an endless line
status-CODE, flaky-N, no-stream, json-only  an error status; N times 500, then an answer; streaming refused, in two ways
loop-tools, repeat-tools, parallel-tools, thoughtful-tools, unknown-tool, bad-arguments, guarded-tools
                      a new call every turn; the same call every turn; two calls; thinking and two calls; a call to a
                      tool that is not there; arguments that are no JSON; a call of write_journal (the last five answer
                      in the next turn)
think-tags            thinking in <think> tags inside the content
form-good, form-fenced, form-mends, form-never, form-cut, no-form
                      a small JSON object; the same as a block of code; one with a wrong age, and the right one when it
                      is told so; a wrong one always; half of it, ended by length; a good one, but a form is refused

All of them stop after num_predict (max_tokens) tokens where that is asked for, but gated and the tool callers.

Asked with the beginning of their own turn, those of the first two rows, slow, bench, think, echo, form and the tool
callers go on with it, as Ollama does, unless they are held to a form; gated begins again.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import ollama_answers as answers

WIRES = Path(__file__).resolve().parent.parent / "wires"
Record = dict[str, Any]


class Act(Enum):
    """What a behaviour does besides sending lines."""

    HEADERS = 1  # send the headers now
    RESET = 2  # half a line, then RST
    CUT = 3  # half a line, then FIN without the final chunk
    END = 4  # a clean end
    HANG = 5


class Refusal(Exception):
    """An answer with another status than 200."""

    def __init__(
        self, status: int, body: Any, *, content_type: str = "application/json; charset=utf-8", **headers: str
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body if isinstance(body, bytes) else answers.go_json(body)
        self.content_type = content_type
        self.headers = {name.replace("_", "-").title(): value for name, value in headers.items()}


class Behaviours:
    """Answers chat requests: each item is a line, raw bytes, or an act."""

    def __init__(self, *, rate: float) -> None:
        self.rate = rate
        self.failures: Counter[str] = Counter()
        self.gate = asyncio.Event()

    def release(self) -> None:
        """Let go what waits at the gate now, and hold what comes later."""
        self.gate.set()
        self.gate = asyncio.Event()

    async def answer(self, body: dict[str, Any]) -> AsyncIterator[Record | bytes | Act]:
        """Raises Refusal where the server answers with an error status."""
        check(body)
        body = begun_apart(body)
        self._begun = time.monotonic_ns()
        name = body["model"].removesuffix(":latest")
        if name.startswith(("trace/", "cut/")):
            kind, _, file = name.partition("/")
            async for item in trace(file, cut=kind == "cut"):
                yield item
        elif paced := re.fullmatch(r"(slow|bench|think)-(\d+)@(max|[\d.]+)", name):
            async for item in self._counted(body, paced):
                yield item
        elif match := re.fullmatch(r"gated-(\d+)", name):
            async for item in self._gated(body, int(match[1])):
                yield item
        elif match := re.fullmatch(r"(goes-on|repeats|begins-again|refuses)-(\d+)(?:@(max|[\d.]+))?", name):
            async for item in self._continued(body, match[1], int(match[2]), match[3]):
                yield item
        elif match := re.fullmatch(r"echo-(\d+)", name):
            tokens = re.findall(f".{{1,{match[1]}}}", answers.last_question(body["messages"]), re.S)
            async for item in self._text(body, tokens):
                yield item
        elif match := re.fullmatch(r"window-(\d+)", name):
            seen = within(body, int(match[1]))
            async for item in self._text(seen, answers.tokens_of(answers.plain_answer(seen["messages"]))):
                yield item
        elif name == "namer":
            async for item in self._text(body, answers.tokens_of(answers.afterthought(body["messages"]))):
                yield item
        elif name.startswith("form-") or name == "no-form":
            async for item in self._formed(body, name):
                yield item
        elif name.endswith("-tools") or name in ("unknown-tool", "bad-arguments"):
            async for item in self._tools(body, name):
                yield item
        elif name in FAULTS or PATTERNS.fullmatch(name):  # also where it is listed
            async for item in self._fault(body, name):
                yield item
        else:
            async for item in self._conversation(body):
                yield item

    async def _conversation(self, body: Record) -> AsyncIterator[Record]:
        model = body["model"]
        capable = "thinking" in answers.listed(model)["capabilities"]  # type: ignore[index]
        messages = body["messages"]
        thinking = answers.tokens_of(answers.thought(body)) if capable and body.get("think") is not False else []
        async for token in self._paced(thinking):
            yield answers.line(model, thinking=token)
        calls = answers.wanted_calls(body) if capable else []
        if calls:
            yield answers.line(model, tool_calls=calls)
            yield self._last(body, len(thinking) + 8)
            return
        text = answers.result_answer(messages) if messages[-1]["role"] == "tool" else answers.plain_answer(messages)
        async for record in self._text(body, answers.tokens_of(text), before=len(thinking)):
            yield record

    async def _text(
        self, body: Record, tokens: list[str], *, before: int = 0, rate: float | None = None
    ) -> AsyncIterator[Record]:
        left = still_to_say(body, tokens)
        most = (body.get("options") or {}).get("num_predict") or body.get("max_tokens") or len(left)
        async for token in self._paced(left[:most], rate=rate):
            yield answers.line(body["model"], content=token)
        last = self._last(body, before + len(tokens))
        yield last | {"done_reason": "length"} if most < len(left) else last

    async def _formed(self, body: Record, name: str) -> AsyncIterator[Record]:
        told = "Answer again" in answers.last_question(body["messages"])
        text = WRONG_FORM if name == "form-never" or (name == "form-mends" and not told) else FORM
        if name == "form-fenced":
            text = f"```json\n{text}\n```"
        if name == "form-cut" and not body["begun"]:
            async for record in self._text({**body, "max_tokens": 3}, answers.tokens_of(text)):
                yield record
            return
        held_to_it = bool(body.get("format") or body.get("response_format"))
        if body["begun"] and held_to_it:  # a grammar knows nothing of what was said before
            body = {**body, "begun": ""}
        async for record in self._text(body, answers.tokens_of(text)):
            yield record

    async def _counted(self, body: Record, paced: re.Match[str]) -> AsyncIterator[Record]:
        count, rate = int(paced[2]), 0.0 if paced[3] == "max" else float(paced[3])
        if paced[1] == "think" and not body["begun"]:
            async for token in self._paced(answers.counted(count), rate=rate):
                yield answers.line(body["model"], thinking=token)
        async for record in self._text(body, [*answers.counted(count)], rate=rate):
            yield record

    async def _gated(self, body: Record, count: int) -> AsyncIterator[Record]:
        gate = self.gate
        tokens = [*answers.counted(2 * count)]
        for token in tokens[:count]:
            yield answers.line(body["model"], content=token)
        await gate.wait()
        for token in tokens[count:]:
            yield answers.line(body["model"], content=token)
        yield self._last(body, len(tokens))

    async def _continued(self, body: Record, way: str, count: int, pace: str | None) -> AsyncIterator[Record]:
        begun = str(body["begun"])
        if not begun and pace is None:
            async for item in self._gated(body, count):
                yield item
            return
        if begun and way == "refuses":
            raise Refusal(400, {"error": "Cannot have 2 or more assistant messages at the end of the list"})
        rest = "".join(answers.counted(count if pace else 2 * count)).removeprefix(begun)
        again = {"repeats": " ".join(begun.split()[-3:]), "begins-again": begun}.get(way, "")
        rate = None if pace is None else 0.0 if pace == "max" else float(pace)
        async for record in self._text({**body, "begun": ""}, answers.tokens_of(again + rest), rate=rate):
            yield record

    async def _tools(self, body: Record, name: str) -> AsyncIterator[Record]:
        offered = sorted(tool["function"]["name"] for tool in body.get("tools") or [])
        rounds = sum(message["role"] == "tool" for message in body["messages"])
        tool = "calculator" if "calculator" in offered or not offered else offered[0]
        told = body["messages"][-1]["role"] == "tool"
        if not offered or (told and name not in ("loop-tools", "repeat-tools")):
            text = answers.result_answer(body["messages"]) if told else "No tools were offered."
            async for record in self._text(body, answers.tokens_of(text)):
                yield record
            return
        calls = {
            "loop-tools": [answers.call(tool, {"expression": f"{rounds} + 1"})],
            "repeat-tools": [answers.call(tool, {"expression": "1 + 1"})],
            "guarded-tools": [answers.call("write_journal", {"line": answers.last_question(body["messages"])})],
            "unknown-tool": [answers.call("search_the_moon", {"q": "cheese"})],
            "bad-arguments": [answers.call(tool, '{"expression": 2 + 2')],
        }.get(name) or [answers.call(tool, {"expression": f"{i} * 7"}, index=i) for i in (2, 3)]
        if name == "thoughtful-tools":
            async for token in self._paced(answers.tokens_of(answers.thought(body))):
                yield answers.line(body["model"], thinking=token)
        for call in calls:
            yield answers.line(body["model"], tool_calls=[call])
        yield self._last(body, 12)

    async def _fault(self, body: Record, name: str) -> AsyncIterator[Record | bytes | Act]:
        model = body["model"]
        if status := re.fullmatch(r"status-(\d{3})", name):
            raise refusal_of(int(status[1]))
        if flaky := re.fullmatch(r"flaky-(\d+)", name):
            self._fail(name, int(flaky[1]))
            async for record in self._text(body, answers.tokens_of("At last.")):
                yield record
            return
        if name == "hang-headers":
            yield Act.HANG
        yield Act.HEADERS
        if name == "hang-first":
            yield Act.HANG
        if name == "empty":
            yield self._last(body, 0)
        if name == "long-line":
            yield b'{"model":"long-line","message":{"role":"assistant","content":"'
            for _ in range(1600):
                yield b"x" * 65_536
        if name == "think-tags":
            text = "<think>\nLet me think.\n</think>\n\nThe answer is 4 < 5."
            async for record in self._text(body, re.findall(r".{1,3}", text, re.S)):
                yield record
        if name in ("no-stream", "json-only"):
            async for record in self._text(body, ["One", " two", " three"]):
                yield record
        if name in ("empty", "long-line", "think-tags", "no-stream", "json-only"):
            return
        for token in ("One", " two", " three"):
            yield answers.line(model, content=token)
        if name == "error-mid":
            yield {"error": "an error was encountered while running the model: unexpected EOF"}
        if name == "bad-json":
            yield b'{"model":nonsense}\n'
        yield {"reset-mid": Act.RESET, "eof-mid": Act.CUT, "hang-mid": Act.HANG}.get(name, Act.END)

    def _fail(self, name: str, times: int) -> None:
        self.failures[name] += 1
        if self.failures[name] <= times:
            text = "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error"
            raise Refusal(500, {"error": text}, content_type="application/json")
        del self.failures[name]

    def _last(self, body: Record, tokens: int) -> Record:
        prompt = sum(len(str(message.get("content") or "").split()) for message in body["messages"]) + 10
        return answers.last_line(body["model"], prompt=prompt, tokens=tokens, begun=self._begun)

    async def _paced(self, tokens: Iterable[str], *, rate: float | None = None) -> AsyncIterator[str]:
        rate = self.rate if rate is None else rate
        begun = time.monotonic()
        for number, token in enumerate(tokens):
            if rate:
                await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            yield token


FAULTS = {
    *("hang-headers", "hang-first", "hang-mid", "reset-mid", "eof-mid", "end-early", "error-mid"),
    *("bad-json", "html", "empty", "long-line", "think-tags", "no-stream", "json-only"),
    *("loop-tools", "repeat-tools", "parallel-tools", "unknown-tool", "bad-arguments", "guarded-tools"),
    *("thoughtful-tools", "no-form", "form-good", "form-fenced", "form-mends", "form-never", "form-cut"),
}
FORM, WRONG_FORM = '{"name": "Ada", "age": 36}', '{"name": "Ada", "age": "old"}'
PATTERNS = re.compile(
    r"namer|(?:slow|bench|think)-\d+@(?:max|[\d.]+)|(?:gated|echo|window)-\d+|(?:goes-on|repeats|begins-again|refuses)-\d+(?:@(?:max|[\d.]+))?|status-\d{3}|flaky-\d+|(?:trace|cut)/.+"
)


def begun_apart(body: Record) -> Record:
    """``body`` with the beginning of the model's own turn taken out of its messages."""
    messages = body.get("messages") or []
    last = messages[-1] if messages else {}
    begun = str(last.get("content") or "") if last.get("role") == "assistant" and not last.get("tool_calls") else ""
    return {**body, "messages": messages[:-1] if begun else messages, "begun": begun}


def still_to_say(body: Record, tokens: list[str]) -> list[str]:
    """What of ``tokens`` comes after what was begun."""
    text, begun = "".join(tokens), body["begun"]
    return answers.tokens_of(text[len(begun) :]) if begun and text.startswith(begun) else tokens


def check(body: Record) -> None:
    """Turn down what Ollama turns down, in its words."""
    model = body.get("model")
    if not model or not isinstance(model, str):
        raise Refusal(400, {"error": "model is required"})
    if re.search(r"[^\w./:@-]", model):
        raise Refusal(400, {"error": "invalid model name"})
    known = answers.listed(model)
    name = model.removesuffix(":latest")
    if known is None and name not in FAULTS and not PATTERNS.fullmatch(name):
        raise Refusal(404, {"error": f"model '{model}' not found"})
    for message in body.get("messages") or []:
        if not isinstance(message.get("content"), str | None):
            text = "json: cannot unmarshal array into Go struct field Alias.content of type string"
            raise Refusal(400, {"error": text})
        for call in message.get("tool_calls") or []:
            if not isinstance(call["function"].get("arguments"), dict):
                raise Refusal(400, {"error": "Value looks like object, but can't find closing '}' symbol"})
    think = body.get("think")
    if isinstance(think, str) and think not in ("high", "medium", "low", "max"):
        levels = '(must be "high", "medium", "low", "max", true, or false)'
        raise Refusal(400, {"error": f'invalid think value: "{think}" {levels}'})
    if (form := body.get("format")) and (name == "no-form" or (form != "json" and not isinstance(form, dict))):
        raise Refusal(500, {"error": "invalid JSON schema in format"})
    stream = body.get("stream", True)
    if name == "no-stream" and stream:
        raise Refusal(400, {"error": "streaming is not supported by this server, send stream: false"})
    if name == "html":
        page = b"<html><body>A login page with a secret</body></html>"
        raise Refusal(200, page, content_type="text/html; charset=utf-8")
    if known is None:
        return
    capabilities = known["capabilities"]
    if "completion" not in capabilities:
        raise Refusal(400, {"error": f'"{model}" does not support chat'})
    if body.get("tools") and "tools" not in capabilities:
        raise Refusal(400, {"error": f"registry.ollama.ai/library/{known['name']} does not support tools"})
    if body.get("think") and "thinking" not in capabilities:
        raise Refusal(400, {"error": f'"{model}" does not support thinking'})


def within(body: Record, window: int) -> Record:
    """``body`` with the messages that a model with this window sees of it."""
    messages = list(body["messages"])
    while (taken := sum(len(str(message.get("content") or "")) for message in messages) // 4) > window:
        if body.get("truncate") is False:
            sentence = (
                f"request ({taken} tokens) exceeds the available context size ({window} tokens), try increasing it"
            )
            numbers = {"n_prompt_tokens": taken, "n_ctx": window}
            error = {"code": 400, "message": sentence, "type": "exceed_context_size_error", **numbers}
            raise Refusal(400, {"error": json.dumps({"error": error})})
        if len(messages) == 1:
            break
        del messages[next((at for at, each in enumerate(messages[:-1]) if each["role"] != "system"), 0)]
    return {**body, "messages": messages}


def refusal_of(status: int) -> Refusal:
    recorded = json.loads((WIRES / "http-errors.json").read_bytes())["ollama"]
    row = next((row for row in recorded if row["status"] == status), None)
    headers = {"Retry_After": "1"} if status in (429, 503) else {}
    if status in (301, 302, 307, 308):
        headers["Location"] = "/elsewhere"
    if row is None:
        return Refusal(status, {"error": f"status {status}"}, **headers)
    return Refusal(status, row["body"].encode(), content_type=row["content_type"] or "", **headers)


async def trace(file: str, *, cut: bool) -> AsyncIterator[bytes | Act]:
    path = WIRES / Path(file).name
    if not path.is_file():
        raise Refusal(404, {"error": f"model 'trace/{file}' not found"})
    yield Act.HEADERS
    for part in path.read_bytes().splitlines(keepends=True):
        yield part
    yield Act.CUT if cut else Act.END
