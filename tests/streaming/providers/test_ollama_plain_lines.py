"""The quick way of a plain line says what the general way says of it, however odd its bytes are."""

from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from streaming.providers import ollama_wire
from streaming.providers.ollama_wire import Answer

# JSON and what is nearly JSON: values as they stand on the wire.
ODD = [
    *(b"null true false 0 1 -0 01 1. .5 - +1 NaN Infinity -Infinity 1e999 -1E400 nul [] {} [1,] {'a':1}".split()),
    *(b'"" "x" "true" "<think>" "</think>" "\\ud800" "\\udc00\\ud800" "\\u0000" "\\x" "\\u12"'.split()),
    *(b'"\x00"', b'"\x1f"', b'"\t"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', '"\u2028ü🙂"'.encode()),
    *(b"9" * 30, b"9" * 5000, b"[" * 70 + b"]" * 70, b"[" * 5000 + b"]" * 5000),
    *(b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\xff"}', b'{"a\xff":1}', b'{"a":"\x01"}', b'{"a":1,}'),
    *(b'{"content":"y"}', b'{"content":null,"thinking":"z"}', b'{"content":"q","tool_calls":[]}'),
    b'[{"function":{"name":"f","arguments":{}}}]',
]
IN_A_MESSAGE = [b"content", b"thinking", b"role", b"tool_calls", b"c\\u006fntent", b"images", b"x\xff"]
IN_A_LINE = [b"model", b"message", b"done", b"done_reason", b"error", b"created_at", b"total_duration", b"x\xff", b"x"]
USUAL = [(b"model", b'"m"'), (b"message", b'{"role":"assistant","content":"a"}'), (b"done", b"false")]
Fields = list[tuple[bytes, bytes]]


def fields(names: list[bytes]) -> st.SearchStrategy[Fields]:
    return st.lists(st.tuples(st.sampled_from(names), st.sampled_from(ODD)), max_size=3)


def as_object(fields: Fields) -> bytes:
    return b"{%s}" % b",".join(b'"%s":%s' % field for field in fields)


def said_of(line: bytes) -> object:
    answer = Answer(make_id=lambda: "call")
    chunks = answer.feed([line, b'{"model":"n","message":{"content":"!"}}'])
    failure = answer.failure
    told = None if failure is None else (type(failure), failure.message, failure.details)
    return chunks, told, answer.model, answer.replaced, answer.finished, answer.end()


@given(message=fields(IN_A_MESSAGE), line=fields(IN_A_LINE), before=st.booleans())
@example(message=[], line=[(b"total_duration", b"1e999")], before=False)
@example(message=[(b"images", b"9" * 5000)], line=[], before=False)
@example(message=[], line=[(b"x", b'"\xff"')], before=True)
@example(message=[], line=[(b"done_reason", b"1e999"), (b"done_reason", b"null")], before=False)
def test_a_line_says_the_same_whichever_way_it_is_read(message: Fields, line: Fields, before: bool) -> None:
    odd_fields = [*USUAL, (b"message", as_object([(b"content", b'"a"'), *message]))]
    odd = as_object([*line, *odd_fields] if before else [*odd_fields, *line])
    said = said_of(odd)
    with mock.patch.object(ollama_wire, "_plain", return_value=None):
        assert said_of(odd) == said


def test_what_ollama_sends_goes_the_quick_way() -> None:
    usual = (
        b'{"model":"m","created_at":"2026-11-22T00:00:00Z","message":{"role":"assistant","content":"a"},"done":false}'
    )
    assert ollama_wire._plain(usual) is not None
