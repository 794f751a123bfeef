import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.protocol.errors import ContextExceeded, UpstreamError, UpstreamProtocol, UpstreamTruncated
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
from streaming.providers.openai_wire import Answer, left_out, request_body
from streaming.providers.sse_lines import SseEvent, SseSplitter

WIRES = Path(__file__).resolve().parents[2] / "wires"
TRACES = [
    name for name, row in json.loads((WIRES / "expected.json").read_bytes()).items() if row["protocol"] == "openai-chat"
]


class Read:
    """One answer, read from bytes in pieces to a clean end."""

    def __init__(self, *pieces: bytes, ended: bool = True, secret: str = "") -> None:
        self.answer = Answer(secret=secret)
        splitter = SseSplitter(max_event=8 * 1024 * 1024)
        self.chunks = [chunk for piece in pieces for chunk in self.answer.feed(splitter.feed(piece))]
        if ended:
            self.chunks += self.answer.end(splitter.flush())

    def joined(self, kind: type) -> str:
        return "".join(chunk.text for chunk in self.chunks if isinstance(chunk, kind))

    @property
    def finish(self) -> Finish | None:
        return next((chunk for chunk in self.chunks if isinstance(chunk, Finish)), None)

    @property
    def calls(self) -> list[tuple]:
        return [(one.id, one.name, one.arguments) for one in self.chunks if isinstance(one, ToolCall)]

    def as_expected(self) -> dict:
        usage = self.finish.usage if self.finish else Usage()
        counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
        return {
            "outcome": "complete" if self.finish else "error" if self.answer.failure else "incomplete",
            "finish_reason": self.finish.reason if self.finish else None,
            "content": self.joined(Text),
            "thinking": self.joined(Thinking),
            "tool_calls": self.calls,
            "usage": None if usage == Usage() else counts,
            "model": self.answer.model,
        }


def wanted(row: dict) -> dict:
    keys = ("outcome", "finish_reason", "content", "thinking", "usage", "model")
    calls = [(call["id"], call["name"], call["arguments"]) for call in row["tool_calls"]]
    return {**{key: row[key] for key in keys}, "tool_calls": calls}


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def event(**record) -> bytes:
    return b"data: " + json.dumps(record, ensure_ascii=False).encode() + b"\n\n"


def said(content=None, *, reason=None, **delta) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": content, **delta}, "finish_reason": reason}])


STOP = said(reason="stop")
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("size", [1, 3, 7, 10**9])
def test_every_trace_says_the_same_in_pieces_of_any_size(name, size, expected):
    assert Read(*in_pieces((WIRES / name).read_bytes(), size)).as_expected() == wanted(expected[name])


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_says_the_same_line_by_line(name, expected):
    assert Read(*(WIRES / name).read_bytes().splitlines(keepends=True)).as_expected() == wanted(expected[name])


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_says_the_same_split_at_any_point(name, expected):
    data = (WIRES / name).read_bytes()
    row = wanted(expected[name])
    for cut in range(len(data)):
        assert Read(data[:cut], data[cut:]).as_expected() == row, cut


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_cut_short_is_incomplete_and_nothing_worse(name, expected):
    """Complete from the reason to stop on, and never before; nothing but an error that was told is one."""
    data, row = (WIRES / name).read_bytes(), wanted(expected[name])
    for length in range(len(data)):
        read = Read(data[:length])
        assert read.answer.failure is None or row["outcome"] == "error", length
        assert row["content"].startswith(read.joined(Text))
        assert row["thinking"].startswith(read.joined(Thinking))
        assert (read.finish is not None) == read.answer.concluded
        assert read.finish is None or read.as_expected()["tool_calls"] == row["tool_calls"], length
        assert not read.calls or read.finish is not None


@pytest.mark.parametrize("name", TRACES)
def test_the_error_of_a_trace_is_told(name, expected):
    failure = Read((WIRES / name).read_bytes()).answer.failure
    error = expected[name]["error"]
    assert (failure is None) == (error is None)
    assert error is None or error["message"] in failure.message


def test_the_text_of_one_read_is_one_chunk():
    assert Read((WIRES / "openai-plain-usage.sse").read_bytes()).chunks == [
        Text("Hello! How can I help?"),
        Finish(reason="stop", usage=Usage(prompt_tokens=9, completion_tokens=8)),
    ]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thinking_goes_by_either_name(name):
    assert Read(said(**{name: "Hm."}), said("Yes.")).chunks == [Thinking("Hm."), Text("Yes.")]


def test_thinking_that_comes_by_both_names_is_read_once():
    assert Read(said(reasoning="Hm.", reasoning_content="Hm.", reasoning_details=[{"text": "Hm."}])).chunks == [
        Thinking("Hm.")
    ]


def test_think_tags_in_the_content_are_taken_out_wherever_they_are_cut():
    read = Read(*(said(piece) for piece in ("<th", "ink>\nLet ", "me.\n</", "think>\n\n4 <", " 5.")), STOP)
    assert (read.joined(Thinking), read.joined(Text)) == ("Let me.", "4 < 5.")


def test_a_refusal_is_the_answer():
    assert Read(said(refusal="I will not."), STOP).joined(Text) == "I will not."


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_null_empty_and_absent_members_mean_the_same(nothing):
    delta = {"content": nothing, "reasoning": nothing, "refusal": nothing, "tool_calls": nothing, "role": nothing}
    wire = event(choices=[{"index": 0, "delta": delta, "finish_reason": None}]) + event(choices=[{"delta": nothing}])
    assert Read(wire).chunks == []


@pytest.mark.parametrize(
    "chunk", [{"choices": []}, {"choices": None}, {}, {"prompt_filter_results": [{}], "choices": []}]
)
def test_a_chunk_without_choices_says_nothing(chunk):
    assert Read(said("a"), event(**chunk), said("b"), STOP, DONE).joined(Text) == "ab"


def test_other_choices_than_the_first_are_not_ours():
    other = event(choices=[{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}])
    read = Read(said("a"), other)
    assert (read.joined(Text), read.finish) == ("a", None)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "function_call"),
        ("what_else", "what_else"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("safety", "content_filter"),
        ("eos", "stop"),
    ],
)
def test_reasons_to_stop_come_in_our_words_or_as_they_are(told, reason):
    assert Read(said("a", reason=told), DONE).finish.reason == reason


@pytest.mark.parametrize("reason", [None, "", "null", 0, True, ["stop"]])
def test_nothing_else_is_a_reason(reason):
    assert Read(said("a", reason=reason)).finish is None


@pytest.mark.parametrize(("reason", "kind"), [("error", UpstreamError), ("abort", UpstreamTruncated)])
def test_a_reason_that_says_it_gave_up_completes_nothing(reason, kind):
    read = Read(said("kept", reason=reason), DONE)
    assert (read.chunks, type(read.answer.failure)) == ([Text("kept")], kind)


def test_text_may_share_the_chunk_with_the_reason_and_come_after_it():
    read = Read(said("a", reason="stop"), said("b"), said("c", reason="length"), DONE)
    assert (read.joined(Text), read.finish.reason) == ("abc", "stop")


def test_a_later_null_does_not_undo_the_reason():
    assert Read(STOP, said("", reason=None), DONE).finish.reason == "stop"


def test_the_end_without_a_mark_is_complete_after_the_reason():
    read = Read(said("a"), STOP, ended=False)
    assert (read.finish, read.answer.concluded) == (None, True)
    assert read.answer.end() == [Finish(reason="stop", usage=Usage())]


def test_the_mark_without_a_reason_completes_nothing():
    read = Read(said("a"), DONE)
    assert (read.chunks, type(read.answer.failure)) == ([Text("a")], UpstreamTruncated)


def test_an_end_with_neither_is_none():
    read = Read(said("a <"))
    assert (read.chunks, read.answer.finished) == ([Text("a "), Text("<")], False)


def test_what_comes_after_the_end_is_ignored():
    read = Read(said("a"), STOP, DONE, said("b"), event(error="no"), DONE)
    assert read.chunks == [Text("a"), Finish(reason="stop", usage=Usage())]
    assert read.answer.failure is None


def test_a_last_event_without_its_blank_line_counts():
    assert Read(said("a"), STOP.rstrip() + b"\n").finish is not None


def test_half_an_event_at_the_end_is_no_fault():
    read = Read(said("a"), b'data: {"choices":\n')
    assert (read.joined(Text), read.answer.failure, read.finish) == ("a", None, None)


@pytest.mark.parametrize("order", ["before", "beside", "after", "both"])
def test_usage_is_taken_from_any_chunk_and_the_last_one_wins(order):
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    first = {"usage": {"prompt_tokens": 1, "completion_tokens": 1} if order == "both" else usage}
    stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    wire = {
        "before": [event(choices=[], **first), event(**stop)],
        "beside": [event(**stop, **first)],
        "after": [event(**stop), event(choices=[], usage=usage), event(choices=[], usage=None)],
        "both": [event(choices=[], **first), event(**stop), event(choices=[], usage=usage)],
    }[order]
    assert Read(*wire, DONE).finish.usage == Usage(prompt_tokens=3, completion_tokens=4)


@pytest.mark.parametrize("usage", [None, [], "7", {}, {"prompt_tokens": None}])
def test_usage_that_is_none_is_none(usage):
    assert Read(STOP, event(choices=[], usage=usage), DONE).finish.usage == Usage()


@pytest.mark.parametrize("count", [-1, 10**9 + 1, 1.5, True, "7", None, [], 10**4000])
def test_an_absurd_token_count_is_no_count(count):
    usage = {"prompt_tokens": 3, "completion_tokens": count}
    assert Read(STOP, event(choices=[], usage=usage)).finish.usage == Usage(prompt_tokens=3)


def call(index=0, id=None, name=None, arguments=None) -> bytes:
    return said(tool_calls=[{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}])


def test_calls_come_together_before_the_end_and_after_the_text():
    read = Read(
        said("One"),
        call(0, "a", "x", "{}"),
        said(" two"),
        call(1, "b", "y", '{"n":'),
        call(1, arguments="1}"),
        STOP,
        DONE,
    )
    assert [type(chunk) for chunk in read.chunks] == [Text, Text, ToolCall, ToolCall, Finish]
    assert read.calls == [("a", "x", {}), ("b", "y", {"n": 1})]


@pytest.mark.parametrize("reason", ["stop", "tool_calls"])
def test_calls_count_and_not_the_reason(reason):
    assert Read(call(0, "a", "x", "{}"), said(reason=reason), DONE).calls == [("a", "x", {})]


def test_a_call_that_was_cut_is_no_call():
    assert Read(call(0, "a", "x", "{}"), call(1, "b", "y", '{"n":')).chunks == []


def test_a_call_that_the_length_cut_has_no_arguments():
    assert Read(call(0, "a", "x", '{"n":'), said(reason="length"), DONE).calls == [("a", "x", None)]


ERRORS = {
    "alone, then the end": event(error={"message": "it broke", "type": "server_error", "code": None}),
    "followed by the mark": event(error={"message": "it broke", "code": 500}) + DONE,
    "beside choices": event(
        error={"code": 502, "message": "it broke"},
        choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
    ),
    "a named event": b"event: error\n" + event(message="it broke", code=504),
    "an older body": event(object="error", message="it broke", type="timeout"),
    "inside the choice": event(choices=[{"index": 0, "delta": {}, "error": {"message": "it broke"}}]),
    "a text": event(error="it broke"),
    "JSON in a text": event(error={"message": '{"error":{"message":"it broke"}}'}),
}


@pytest.mark.parametrize("wire", ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("concluded", [False, True])
def test_an_error_fails_the_answer_whatever_its_shape(wire, concluded):
    read = Read(said("kept"), STOP if concluded else b"", wire, said("never"), STOP, DONE)
    assert read.chunks == [Text("kept")]
    assert type(read.answer.failure) is UpstreamError
    assert "it broke" in read.answer.failure.message


@pytest.mark.parametrize(
    "text",
    [
        "<html>it broke</html>",
        "it broke\nTraceback",
        "it broke " * 50,
        "it broke, sk-abcdefgh12345",
        "it broke: hush-hush",
    ],
)
def test_an_error_is_shown_only_where_that_is_safe(text):
    failure = Read(event(error={"message": text}), secret="hush-hush").answer.failure
    assert failure.message == UpstreamError.sentence


def test_an_error_about_the_context_is_known():
    wire = event(error={"message": "no", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8})
    failure = Read(wire).answer.failure
    assert (type(failure), failure.details) == (ContextExceeded, {"n_prompt_tokens": 9, "n_ctx": 8})


@pytest.mark.parametrize("error", [None, "", False, {}, []])
def test_an_empty_error_is_none(error):
    assert Read(event(error=error, choices=[]), STOP, DONE).finish is not None


HOSTILE = {
    "not JSON": b"{nope}",
    "half JSON": b'{"choices":[{"delta":{"content":"x"}}]',
    "NaN": b'{"choices":[],"n":NaN}',
    "Infinity": b'{"n":Infinity}',
    "-Infinity": b'{"n":-Infinity}',
    "a number that is infinite": b'{"n":1e999}',
    "a number of 5,000 digits": b'{"n":' + b"9" * 5000 + b"}",
    "depth 10,000": b'{"n":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "depth 10,000 of objects": b'{"n":' * 10_000 + b"1" + b"}" * 10_000,
    "an array": b'[{"choices":[]}]',
    "a text": b'"done"',
    "null": b"null",
    "choices that are an object": b'{"choices":{"delta":{}}}',
    "a choice that is a text": b'{"choices":["x"]}',
    "a delta that is a text": b'{"choices":[{"delta":"x"}]}',
    "content that is a list": b'{"choices":[{"delta":{"content":["x"]}}]}',
    "a part whose text is a number": b'{"choices":[{"delta":{"content":[{"type":"text","text":7}]}}]}',
    "a part whose thought is a number": b'{"choices":[{"delta":{"content":[{"type":"thinking","thinking":7}]}}]}',
    "thinking that is an object": b'{"choices":[{"delta":{"reasoning":{"a":1}}}]}',
    "calls that are an object": b'{"choices":[{"delta":{"tool_calls":{"a":1}}}]}',
    "a call that is a text": b'{"choices":[{"delta":{"tool_calls":["a"]}}]}',
    "arguments that are a number": b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":7}}]}}]}',
    "arguments nested too deep": b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"a","arguments":{"a":'
    + b"[" * 100
    + b"]" * 100
    + b"}}}]}}]}",
}


@pytest.mark.parametrize("record", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_event_is_a_protocol_error_that_keeps_the_text_before_it(record):
    read = Read(said("kept"), said(" <"), b"data: " + record + b"\n\n", said("after"), STOP, DONE)
    assert read.joined(Text) == "kept <"
    assert type(read.answer.failure) is UpstreamProtocol
    assert read.answer.failure.details["event"] == 3
    assert read.finish is None


def test_invalid_utf8_is_replaced_and_counted():
    read = Read(b'data: {"choices":[{"delta":{"content":"a\xff\xc3b"}}]}\n\n', said("ü"), STOP)
    assert (read.joined(Text), read.answer.replaced) == ("a\ufffd\ufffdbü", 1)
    assert read.finish is not None


def test_lone_surrogates_controls_and_separators_pass_untouched():
    wire = (
        b'data: {"choices":[{"delta":{"content":"\\ud800\\u0000\\u001b\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\\u000b"}}]}\n\n'
    )
    assert Read(wire).joined(Text) == "\ud800\x00\x1b\x85\u2028\u2029\x0b"


@given(
    st.lists(st.tuples(st.sampled_from(["content", "reasoning_content", "reasoning"]), st.text(max_size=5))), st.data()
)
def test_what_was_written_is_what_is_read_whatever_the_cuts(pieces, data):
    pieces = [(name, text.replace("<", "").replace("◁", "")) for name, text in pieces]
    wire = b"".join(said(**{"content": None, name: text}) for name, text in pieces) + STOP + DONE
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    edges = [0, *cuts, len(wire)]
    read = Read(*(wire[start:end] for start, end in itertools.pairwise(edges)))
    assert read.joined(Text) == "".join(text for name, text in pieces if name == "content")
    assert read.joined(Thinking) == "".join(text for name, text in pieces if name != "content")
    assert read.finish is not None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_break_it(before, inside):
    read = Read(before, b"data: " + inside + b"\n\n", STOP, DONE)
    assert (read.finish is None) == (read.answer.failure is not None)


WEATHER = ToolSpec(
    name="get_weather",
    description="Current weather for a city",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string", "description": "City name"}},
        "required": ["city"],
    },
)
TOKYO, PARIS = "call_uO1s7Yk2Qw9ErT5yUi8oPaSd", "call_Zx4cVb6nMq8wEr1tYu3iOpLk"
OPENING = (PromptMessage(role="user", content="Weather in Tokyo and Paris?"),)
ROUND = (
    PromptMessage(
        role="assistant",
        content="",
        tool_calls=(
            PromptCall(id=TOKYO, name="get_weather", arguments={"city": "Tokyo"}),
            PromptCall(id=PARIS, name="get_weather", arguments={"city": "Paris"}),
        ),
    ),
    PromptMessage(role="tool", content="11 °C", tool_call_id=TOKYO, tool_name="get_weather"),
    PromptMessage(role="tool", content="12 °C", tool_call_id=PARIS, tool_name="get_weather"),
)


@pytest.mark.parametrize(("name", "messages"), [("openai first", OPENING), ("openai second", OPENING + ROUND)])
def test_the_bodies_of_a_tool_round_trip_are_as_recorded(name, messages, prompts):
    request = ChatRequest(model="gpt-4.1-mini", messages=messages, tools=(WEATHER,))
    assert json.dumps(request_body(request, stream=True)) == json.dumps(prompts[name])


def test_what_was_not_asked_for_is_not_in_the_body():
    request = ChatRequest(model="m", messages=(PromptMessage(role="system", content="Be brief."),))
    assert request_body(request, stream=False) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}],
        "stream": False,
    }


@pytest.mark.parametrize(("think", "effort"), [("low", "low"), (True, None), (False, None), (None, None)])
def test_a_level_of_thinking_is_the_only_one_that_is_passed_on(think, effort):
    assert request_body(ChatRequest(model="m", messages=(), think=think), stream=True).get("reasoning_effort") == effort


ALL = Parameters(
    temperature=0.0, top_p=0.9, top_k=40, seed=7, stop="END", max_tokens=100, context_length=8192, keep_alive=600
)
NAMED = {"temperature": 0.0, "top_p": 0.9, "top_k": 40, "seed": 7, "stop": ["END"], "max_tokens": 100}
ASKED_FOR_ALL = ChatRequest(model="m", messages=(), think="max", parameters=ALL)


def test_every_parameter_that_this_wire_has_a_name_for_is_passed_on():
    body = request_body(ASKED_FOR_ALL, stream=False)
    assert body == {**NAMED, "model": "m", "messages": [], "reasoning_effort": "high", "stream": False}


@pytest.mark.parametrize(
    ("refused", "instead"),
    [("top_k", {}), ("max_tokens", {"max_completion_tokens": 100}), ("reasoning_effort", {})],
)
def test_a_parameter_that_a_server_does_not_take_is_left_out_or_called_otherwise(refused, instead):
    whole = request_body(ASKED_FOR_ALL, stream=False)
    less = request_body(ASKED_FOR_ALL, stream=False, without=frozenset({refused}))
    assert less == {**{name: value for name, value in whole.items() if name != refused}, **instead}


def test_thinking_goes_back_with_its_calls_and_nowhere_else():
    call = PromptCall(id="a", name="clock", arguments={})
    messages = (
        PromptMessage(role="assistant", content="Wait.", thinking="Hm.", tool_calls=(call,)),
        PromptMessage(role="assistant", content="Yes.", thinking="Hm."),
    )
    first, second = request_body(ChatRequest(model="m", messages=messages), stream=True)["messages"]
    assert first["reasoning_content"] == "Hm."
    assert second == {"role": "assistant", "content": "Yes."}


def test_what_a_server_does_not_take_is_left_out_and_nothing_else():
    call = PromptCall(id="a", name="clock", arguments={})
    said = PromptMessage(role="assistant", content="Wait.", thinking="Hm.", tool_calls=(call,))
    request = ChatRequest(model="m", messages=(said,), tools=(WEATHER,))
    whole = request_body(request, stream=True)
    for part in ("tools", "stream_options"):
        less = request_body(request, stream=True, without=frozenset({part}))
        assert less == {name: value for name, value in whole.items() if name != part}
    (less,) = request_body(request, stream=True, without=frozenset({"reasoning_content"}))["messages"]
    assert less == {name: value for name, value in whole["messages"][0].items() if name != "reasoning_content"}


def test_the_ids_of_our_steps_are_nine_letters_and_digits_and_belong_together():
    ids = [f"01a22efb-6ec6-7731-b433-7eda1e7bc10{number}" for number in range(3)]
    calls = tuple(PromptCall(id=id, name="clock", arguments={}) for id in ids)
    results = [PromptMessage(role="tool", content="now", tool_call_id=id) for id in ids]
    messages = (PromptMessage(role="assistant", content="", tool_calls=calls), *results)
    said, *told = request_body(ChatRequest(model="m", messages=messages), stream=True)["messages"]
    sent = [call["id"] for call in said["tool_calls"]]
    assert sent == [one["tool_call_id"] for one in told]
    assert len({*sent}) == 3
    assert all(len(id) == 9 and id.isalnum() for id in sent)


def test_an_answer_without_streaming_goes_the_same_way(endpoints):
    body = json.dumps(endpoints["POST /v1/chat/completions stream false"]).encode()
    answer = Answer()
    chunks = [*answer.feed([SseEvent(b"", body)]), *answer.end()]
    assert chunks == [
        Thinking("hmm"),
        ToolCall(id="call_c42ttmfj", name="get_weather", arguments={"city": "Tokyo"}),
        Finish(reason="tool_calls", usage=Usage(prompt_tokens=26, completion_tokens=7)),
    ]


def test_a_message_beside_the_deltas_is_not_told_once_more():
    read = Read(
        b'data: {"choices":[{"delta":{"content":"Hello"},"message":{"content":"Hello"}}]}\n\n',
        b'data: {"choices":[{"delta":{},"message":{"content":"Hello"},"finish_reason":"stop"}]}\n\n',
    )
    assert read.joined(Text) == "Hello"
    assert read.finish is not None


@pytest.mark.parametrize("last", [b"null", b"done", b"[done]", b'{"choices":[],"usage":{"prompt_tokens":1', b"\xff"])
def test_nonsense_after_the_reason_to_stop_takes_nothing_of_the_answer_away(last):
    read = Read(
        b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n',
        b"data: " + last + b"\n\ndata: [DONE]\n\n",
    )
    assert read.joined(Text) == "Hello"
    assert read.finish is not None


def test_content_in_parts_is_text_and_thinking_in_their_order():
    def thought(*texts):
        return {"type": "thinking", "thinking": [{"type": "text", "text": text} for text in texts]}

    read = Read(
        said([thought("Let ", "me")]),
        said([thought(" think."), {"type": "text", "text": "It is "}]),
        said([{"type": "reference", "reference_ids": [1]}, {"type": "thinking", "thinking": []}]),
        said("forty-"),
        said([{"type": "text", "text": "two"}, {"type": "text", "text": ""}]),
        STOP,
    )
    assert [type(chunk) for chunk in read.chunks[:3]] == [Thinking, Thinking, Text]
    assert (read.joined(Thinking), read.joined(Text)) == ("Let me think.", "It is forty-two")
    assert read.finish is not None


def test_a_thought_in_parts_may_be_a_text_and_what_else_is_in_it_is_passed_over():
    odd = [{"type": "reference", "reference_ids": [1]}, "loose", {"text": "Hm."}]
    read = Read(said([{"type": "thinking", "thinking": "So. "}, {"type": "thinking", "thinking": odd}]), STOP)
    assert (read.joined(Thinking), read.joined(Text)) == ("So. Hm.", "")


def test_a_whole_answer_may_be_in_parts_too():
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]
    read = Read(event(choices=[{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]))
    assert (read.joined(Thinking), read.joined(Text), read.finish.reason) == ("Hm.", "Yes.", "stop")


def test_a_form_is_told_as_it_came_tools_or_not_unless_it_is_not_taken():
    wanted = JsonSchema(name="person", schema={"type": "object"}, strict=True)
    asked = ChatRequest(
        model="m", messages=(), response_format=ResponseFormat(type="json_schema", json_schema=wanted), tools=(WEATHER,)
    )
    body = request_body(asked, stream=True)
    told = {"name": "person", "schema": {"type": "object"}, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": told}
    assert "tools" in body
    without = frozenset({"response_format"})
    assert "response_format" not in request_body(asked, stream=True, without=without)
    assert left_out(asked, without) == ("response_format",)
