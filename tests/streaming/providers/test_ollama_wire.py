import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming.protocol.errors import ContextExceeded, UpstreamError, UpstreamProtocol
from streaming.protocol.objects import Usage
from streaming.protocol.parameters import Parameters
from streaming.protocol.response_format import JsonSchema, ResponseFormat
from streaming.providers.base import (
    ChatRequest,
    Finish,
    PromptCall,
    PromptMessage,
    Text,
    Thinking,
    ToolCall,
    ToolSpec,
)
from streaming.providers.ndjson import LineSplitter
from streaming.providers.ollama_wire import Answer, request_body

WIRES = Path(__file__).resolve().parents[2] / "wires"
TRACES = [
    name for name, row in json.loads((WIRES / "expected.json").read_bytes()).items() if row["protocol"] == "ollama-chat"
]


class Read:
    """One answer, read from bytes in pieces."""

    def __init__(self, *pieces: bytes, max_line: int = 8 * 1024 * 1024) -> None:
        self.answer = Answer()
        splitter = LineSplitter(max_line=max_line)
        self.batches = [self.answer.feed(splitter.feed(piece)) for piece in pieces]
        if not self.answer.finished and self.answer.failure is None:
            self.batches.append(self.answer.end())
        self.chunks = [chunk for batch in self.batches for chunk in batch]
        self.tail = splitter.tail

    def joined(self, kind: type) -> str:
        return "".join(chunk.text for chunk in self.chunks if isinstance(chunk, kind))

    @property
    def finish(self) -> Finish | None:
        return next((chunk for chunk in self.chunks if isinstance(chunk, Finish)), None)

    def as_expected(self) -> dict:
        outcome = "complete" if self.finish else "error" if self.answer.failure else "incomplete"
        usage = None
        if self.finish:
            usage = {
                "input_tokens": self.finish.usage.prompt_tokens,
                "output_tokens": self.finish.usage.completion_tokens,
            }
        return {
            "outcome": outcome,
            "finish_reason": self.finish.reason if self.finish else None,
            "content": self.joined(Text),
            "thinking": self.joined(Thinking),
            "tool_calls": [
                {"id": chunk.id, "name": chunk.name, "arguments": chunk.arguments}
                for chunk in self.chunks
                if isinstance(chunk, ToolCall)
            ],
            "usage": usage,
            "model": self.answer.model,
        }


def wanted(row: dict) -> dict:
    keys = ("outcome", "finish_reason", "content", "thinking", "usage", "model")
    calls = [{key: call[key] for key in ("id", "name", "arguments")} for call in row["tool_calls"]]
    return {**{key: row[key] for key in keys}, "tool_calls": calls}


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def line(**record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def said(content: str = "", **message) -> bytes:
    return line(message={"role": "assistant", "content": content, **message}, done=False)


DONE = line(message={"role": "assistant", "content": ""}, done=True, done_reason="stop")


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("size", [1, 3, 7, 10**9])
def test_every_trace_says_the_same_in_pieces_of_any_size(name, size, expected):
    assert Read(*in_pieces((WIRES / name).read_bytes(), size)).as_expected() == wanted(expected[name])


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_says_the_same_line_by_line(name, expected):
    *whole, tail = (WIRES / name).read_bytes().split(b"\n")
    read = Read(*(part + b"\n" for part in whole), tail)
    assert read.as_expected() == wanted(expected[name])


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_says_the_same_split_at_any_point(name, expected):
    data = (WIRES / name).read_bytes()
    row = wanted(expected[name])
    for cut in range(len(data)):
        assert Read(data[:cut], data[cut:]).as_expected() == row, cut


@pytest.mark.parametrize("name", TRACES)
def test_the_error_of_a_trace_is_told(name, expected):
    failure = Read((WIRES / name).read_bytes()).answer.failure
    error = expected[name]["error"]
    assert (failure is None) == (error is None)
    assert error is None or error["message"] in failure.message


def test_every_prefix_of_an_answer_is_incomplete_and_nothing_worse():
    data = (WIRES / "plain-answer.ndjson").read_bytes()
    text = Read(data).joined(Text)
    for length in range(len(data) - 1):
        read = Read(data[:length])
        assert (read.finish, read.answer.failure) == (None, None)
        assert text.startswith(read.joined(Text))


def test_a_line_cut_short_is_left_in_the_tail():
    assert Read((WIRES / "truncated-mid-line.ndjson").read_bytes()).tail.startswith(b'{"model":"llama3.2"')


def test_the_text_of_one_read_is_one_chunk():
    assert Read((WIRES / "plain-answer.ndjson").read_bytes()).chunks == [
        Text("The sky is blue because of Rayleigh scattering."),
        Finish(reason="stop", usage=Usage(prompt_tokens=26, completion_tokens=10)),
    ]


def test_thinking_and_text_keep_their_order_and_calls_their_place():
    call = {"id": "a", "function": {"name": "clock", "arguments": {}}}
    read = Read(
        said(thinking="Hm") + said("One", thinking=".") + said(" two", tool_calls=[call]) + said(" three") + DONE
    )
    assert [type(chunk) for chunk in read.chunks] == [Thinking, Text, ToolCall, Text, Finish]
    assert [chunk.text for chunk in read.chunks if isinstance(chunk, Text | Thinking)] == ["Hm.", "One two", " three"]


@pytest.mark.parametrize(("content", "kind"), [("4 <", Text), (" \n", Text), ("<think>4 </th", Thinking)])
def test_what_was_held_back_comes_before_the_end(content, kind):
    chunks = Read(said(content) + DONE).chunks
    assert [type(chunk) for chunk in chunks] == [kind, Finish]
    assert chunks[0].text == content.removeprefix("<think>")


def test_a_done_reason_ends_the_answer_even_without_done():
    assert Read(said("a") + line(done_reason="length")).finish == Finish(reason="length", usage=Usage())


def test_done_without_a_reason_ends_the_answer():
    assert Read(line(done=True)).chunks == [Finish(reason=None, usage=Usage())]


@pytest.mark.parametrize("done", [False, None, 0, 1, "true"])
def test_nothing_else_ends_the_answer(done):
    assert Read(line(done=done, done_reason="")).chunks == []


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "load", "what_else"])
def test_finish_reasons_pass_as_they_are(reason):
    assert Read(line(done=True, done_reason=reason)).finish.reason == reason


def test_lines_after_the_end_are_ignored():
    read = Read(said("a") + DONE + said("b") + line(error="no") + DONE)
    assert read.chunks == [Text("a"), Finish(reason="stop", usage=Usage())]
    assert read.answer.failure is None


@pytest.mark.parametrize("count", [-1, 10**9 + 1, 1.5, True, "7", None, [], 10**4000])
def test_an_absurd_token_count_is_no_count(count):
    assert Read(line(done=True, eval_count=count, prompt_eval_count=3)).finish.usage == Usage(prompt_tokens=3)


@pytest.mark.parametrize("count", [0, 10**9])
def test_a_sound_token_count_is_kept(count):
    assert Read(line(done=True, eval_count=count)).finish.usage == Usage(completion_tokens=count)


HOSTILE = {
    "not JSON": b"{nope}",
    "half JSON": b'{"message":{"content":"x"}',
    "NaN": b'{"message":{"content":"x"},"n":NaN}',
    "Infinity": b'{"n":Infinity}',
    "-Infinity": b'{"n":-Infinity}',
    "a number that is infinite": b'{"n":1e999}',
    "a number of 5,000 digits": b'{"n":' + b"9" * 5000 + b"}",
    "depth 10,000": b'{"n":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "depth 10,000 of objects": b'{"n":' * 10_000 + b"1" + b"}" * 10_000,
    "an array": b'[{"message":{"content":"x"}}]',
    "a text": b'"done"',
    "null": b"null",
    "a message that is a text": b'{"message":"x"}',
    "content that is a list": b'{"message":{"content":["x"]}}',
    "thinking that is an object": b'{"message":{"thinking":{"a":1}}}',
    "calls that are an object": b'{"message":{"tool_calls":{"a":1}}}',
    "a call that is a text": b'{"message":{"tool_calls":["a"]}}',
    "a call without a function": b'{"message":{"tool_calls":[{"id":"a"}]}}',
    "arguments nested too deep": b'{"message":{"tool_calls":[{"function":{"name":"a","arguments":{"a":'
    + b"[" * 100
    + b"]" * 100
    + b"}}}]}}",
}


@pytest.mark.parametrize("record", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_line_is_a_protocol_error_that_keeps_the_text_before_it(record):
    read = Read(said("kept") + said(" <") + record + b"\n" + said("after"))
    assert read.joined(Text) == "kept <"
    assert type(read.answer.failure) is UpstreamProtocol
    assert read.answer.failure.details["line"] == 3


def test_invalid_utf8_is_replaced_and_counted():
    read = Read(b'{"message":{"content":"a\xff\xc3b"}}\n' + said("ü") + DONE)
    assert read.joined(Text) == "a\ufffd\ufffdbü"
    assert read.answer.replaced == 1
    assert read.finish is not None


def test_lone_surrogates_and_controls_pass_untouched():
    assert Read(b'{"message":{"content":"\\ud800\\u0000\\u001b"}}\n').joined(Text) == "\ud800\x00\x1b"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("it broke", True),
        ({"message": "it broke"}, True),
        ("<html><body>it broke</body></html>", False),
        ("it broke\nTraceback", False),
        ("it broke \x1b[31m", False),
        ("it broke " * 50, False),
        ("it broke at http://user:password@host/", False),
        ("it broke, key sk-abcdefgh12345", False),
        ("it broke, Authorization: Bearer abcdefgh", False),
        (42, False),
        ([], False),
    ],
)
def test_an_error_line_fails_the_answer_and_is_shown_only_where_safe(error, shown):
    read = Read(said("kept") + line(error=error, done=True, message={"content": "never"}) + DONE)
    assert read.chunks == [Text("kept")]
    assert type(read.answer.failure) is UpstreamError
    assert ("it broke" in read.answer.failure.message) == shown


def test_an_error_line_about_the_context_is_known():
    inner = '{"error":{"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}'
    failure = Read(line(error=inner)).answer.failure
    assert type(failure) is ContextExceeded
    assert failure.details == {"n_prompt_tokens": 9, "n_ctx": 8}


def test_an_empty_error_is_none():
    assert Read(line(error=None) + line(error="") + DONE).finish is not None


def call_of(arguments) -> ToolCall:
    read = Read(said(tool_calls=[{"function": {"name": "a", "arguments": arguments}}]))
    return read.chunks[0]


@pytest.mark.parametrize(
    ("given", "arguments", "invalid"),
    [
        ({"a": 1}, {"a": 1}, None),
        ('{"a": 1}', {"a": 1}, None),
        (None, {}, None),
        ("", {}, None),
        ("[1]", None, "[1]"),
        ('{"a": Tokyo}', None, '{"a": Tokyo}'),
        ('{"a": NaN}', None, '{"a": NaN}'),
        ([1, 2], None, "[1, 2]"),
        (7, None, "7"),
        ('{"a":' * 5000 + "1" + "}" * 5000, None, '{"a":' * 5000 + "1" + "}" * 5000),
        ('{"a":' * 80 + "1" + "}" * 80, None, '{"a":' * 80 + "1" + "}" * 80),
    ],
)
def test_arguments_are_an_object_or_invalid(given, arguments, invalid):
    call = call_of(given)
    assert (call.arguments, call.invalid_arguments) == (arguments, invalid)


def test_calls_without_ids_or_with_the_same_id_get_ids_of_their_own():
    calls = [{"id": id, "function": {"name": "a", "index": 0}} for id in ("x", "x", "", None, 5)]
    ids = [chunk.id for chunk in Read(said(tool_calls=calls) + said(tool_calls=calls)).chunks]
    assert ids[0] == "x"
    assert len(set(ids)) == 10
    assert all(ids)


def test_a_call_without_a_name_is_still_a_call():
    assert Read(said(tool_calls=[{"function": {}}])).chunks[0].name == ""


WEATHER = ToolSpec(
    name="get_weather",
    description="Current weather for a city",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string", "description": "City name"}},
        "required": ["city"],
    },
)
OPENING = (
    PromptMessage(role="system", content="You are brief."),
    PromptMessage(role="user", content="Weather in Tokyo and Paris?"),
)
ROUND = (
    PromptMessage(
        role="assistant",
        content="",
        tool_calls=(
            PromptCall(id="call_xfxkab9z", name="get_weather", arguments={"city": "Tokyo"}),
            PromptCall(id="call_56fjngkt", name="get_weather", arguments={"city": "Paris"}),
        ),
    ),
    PromptMessage(role="tool", content="11 °C", tool_call_id="call_xfxkab9z", tool_name="get_weather"),
    PromptMessage(role="tool", content="12 °C", tool_call_id="call_56fjngkt", tool_name="get_weather"),
)


@pytest.mark.parametrize(("name", "messages"), [("ollama first", OPENING), ("ollama second", OPENING + ROUND)])
def test_the_bodies_of_a_tool_round_trip_are_as_recorded(name, messages, prompts):
    parameters = Parameters(temperature=0.2)
    request = ChatRequest(model="llama3.2", messages=messages, tools=(WEATHER,), parameters=parameters)
    recorded = {key: value for key, value in prompts[name].items() if key != "keep_alive"}
    assert json.dumps(request_body(request, stream=True, num_ctx=8192)) == json.dumps(recorded)


def test_what_was_not_asked_for_is_not_in_the_body():
    request = ChatRequest(model="m", messages=(PromptMessage(role="user", content="Hi"),))
    assert request_body(request, stream=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
    }


@pytest.mark.parametrize("think", [True, False, "low"])
def test_think_is_passed_on_when_given(think):
    assert request_body(ChatRequest(model="m", messages=(), think=think), stream=True)["think"] == think


ALL = Parameters(
    temperature=0.0, top_p=0.9, top_k=40, seed=7, stop="END", max_tokens=100, context_length=8192, keep_alive=600
)


def test_every_parameter_has_its_name_at_ollama():
    body = request_body(ChatRequest(model="m", messages=(), think="high", parameters=ALL), stream=True)
    assert body["options"] == {
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "stop": ["END"],
        "num_predict": 100,
    }
    assert (body["keep_alive"], body["think"]) == (600, "high")


def test_a_context_of_one_s_own_does_not_make_ollama_load_the_model_anew():
    wish = ChatRequest(model="m", messages=(), parameters=Parameters(context_length=4096))
    assert "options" not in request_body(wish, stream=True)
    assert request_body(wish, stream=True, num_ctx=8192)["options"] == {"num_ctx": 8192}


def test_a_prompt_that_was_made_to_fit_is_refused_rather_than_cut():
    assert request_body(ChatRequest(model="m", messages=(), whole=True), stream=True)["truncate"] is False


@pytest.mark.parametrize("stop", ["END", ["END"]])
def test_stop_words_are_a_list_as_ollama_wants_it(stop):
    body = request_body(ChatRequest(model="m", messages=(), parameters=Parameters(stop=stop)), stream=True)
    assert body["options"] == {"stop": ["END"]}


def test_thinking_goes_back_with_its_message():
    message = PromptMessage(role="assistant", content="Yes.", thinking="Hm.")
    body = request_body(ChatRequest(model="m", messages=(message,)), stream=True)
    assert body["messages"] == [{"role": "assistant", "content": "Yes.", "thinking": "Hm."}]


@pytest.mark.parametrize(("name", "finish"), [("POST /api/chat stream false", "stop"), (None, None)])
def test_an_answer_without_streaming_goes_the_same_way(name, finish, endpoints):
    name = name or next(key for key in endpoints if "without a final event" in key)
    answer = Answer()
    chunks = answer.feed([json.dumps(endpoints[name]).encode()])
    assert answer.finished == (finish is not None)
    assert type(chunks[0]) is (ToolCall if finish else Text)


@pytest.mark.parametrize(
    ("form", "format"),
    [
        (ResponseFormat(type="json_object"), "json"),
        (
            ResponseFormat(type="json_schema", json_schema=JsonSchema(name="a", schema={"type": "array"})),
            {"type": "array"},
        ),
    ],
)
def test_a_form_is_its_schema_unless_tools_are_offered_or_it_is_not_taken(form, format):
    asked = ChatRequest(model="m", messages=(), response_format=form)
    assert request_body(asked, stream=True)["format"] == format
    assert "format" not in request_body(asked, stream=True, without_format=True)
    tool = ToolSpec(name="clock", description="Tells the time", parameters={"type": "object"})
    assert "format" not in request_body(replace(asked, tools=(tool,)), stream=True)
