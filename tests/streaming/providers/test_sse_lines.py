import itertools
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.protocol.errors import UpstreamProtocol
from streaming.providers.sse_lines import SseEvent, SseSplitter

MAX = 1024


def split(*pieces: bytes, max_event: int = MAX) -> list[SseEvent]:
    splitter = SseSplitter(max_event=max_event)
    return [event for piece in pieces for event in splitter.feed(piece)]


def data_of(*pieces: bytes) -> list[bytes]:
    return [event.data for event in split(*pieces)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_come_out_without_their_frame(end):
    assert data_of(b"data: one" + end + end + b"data:two" + end + end) == [b"one", b"two"]


def test_an_event_is_given_out_by_its_blank_line_and_not_before():
    splitter = SseSplitter(max_event=MAX)
    assert splitter.feed(b"data: one\n") == []
    assert splitter.feed(b"\n") == [SseEvent(b"", b"one")]


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"])
def test_nothing_else_ends_a_line(character):
    text = f"a{character}b".encode()
    assert data_of(b"data: " + text + b"\n\n") == [text]


def test_a_crlf_that_is_cut_in_two_is_one_line_end():
    assert data_of(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [b"a\nb"]


def test_a_return_at_the_end_of_a_piece_ends_its_line_at_once():
    assert data_of(b"data: a\r\r", b"data: b\r\r") == [b"a", b"b"]


@pytest.mark.parametrize("comment", [b":", b": OPENROUTER PROCESSING", b":data: no"])
def test_comments_are_neither_data_nor_an_end(comment):
    assert data_of(b"data: a\n" + comment + b"\ndata: b\n\n" + comment + b"\n\n") == [b"a\nb"]


@pytest.mark.parametrize(
    "lines", [b"data\n\n", b"data:\n\n", b"event: ping\n\n", b"id: 7\n\n", b"retry: 3000\n\n", b"\n\n"]
)
def test_an_event_without_data_is_none(lines):
    assert data_of(lines + b"data: a\n\n") == [b"a"]


def test_the_name_of_an_event_is_its_own():
    assert split(b"event: error\ndata: a\n\ndata: b\n\n") == [SseEvent(b"error", b"a"), SseEvent(b"", b"b")]


def test_a_name_without_data_is_forgotten():
    assert split(b"event: error\n\ndata: a\n\n") == [SseEvent(b"", b"a")]


def test_one_space_after_the_colon_is_not_data():
    assert data_of(b"data:  a\n\n") == [b" a"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_byte_order_mark_stands_at_the_beginning_only(size):
    wire = b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n"
    assert data_of(*(wire[at : at + size] for at in range(0, len(wire), size))) == [b"a", b"c"]


def test_what_the_body_ended_with_is_an_event_where_its_lines_had_ended():
    splitter = SseSplitter(max_event=MAX)
    splitter.feed(b"data: a\nevent: x\ndata: half")
    assert splitter.flush() == [SseEvent(b"x", b"a")]
    assert splitter.flush() == []


@pytest.mark.parametrize(
    "wire", [b"data: 123", b"data: 123\n", b": 2345678", b"data:\ndata:\ndata:\ndata:\ndata:\n", b"event: 23"]
)
def test_an_event_over_the_limit_is_a_protocol_error_at_once(wire):
    with pytest.raises(UpstreamProtocol) as caught:
        split(wire, max_event=8)
    assert caught.value.details == {"reason": "line_too_long", "max_line": 8}


def test_an_event_of_exactly_the_limit_is_fine():
    assert split(b"data: 12\n\n", max_event=8)[0].data == b"12"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\ndata: more\n\n"])
def test_the_events_before_one_over_the_limit_are_kept(end):
    splitter = SseSplitter(max_event=8)
    with pytest.raises(UpstreamProtocol):
        splitter.feed(b"data: 1\n\ndata: 2\n\ndata: 123" + end)
    assert [event.data for event in splitter.complete] == [b"1", b"2"]


def test_the_limit_counts_over_pieces():
    splitter = SseSplitter(max_event=8)
    splitter.feed(b"data:")
    with pytest.raises(UpstreamProtocol):
        splitter.feed(b"1234")


def test_an_endless_event_costs_no_more_memory_than_the_limit():
    limit, piece = 1024 * 1024, b"x" * 16_384
    splitter = SseSplitter(max_event=limit)
    tracemalloc.start()
    try:
        for _ in range(limit // len(piece)):
            splitter.feed(piece)
        with pytest.raises(UpstreamProtocol):
            splitter.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * limit
    finally:
        tracemalloc.stop()


def test_a_long_event_in_small_pieces_costs_linear_time():
    def seconds(size: int) -> float:
        splitter = SseSplitter(max_event=2 * size)
        splitter.feed(b"data: ")
        begun = time.thread_time()
        for _ in range(size // 64):
            splitter.feed(b"x" * 64)
        assert len(splitter.feed(b"\n\n")[0].data) == size
        return time.thread_time() - begun

    assert min(seconds(4_000_000) for _ in range(3)) < 50 * seconds(400_000) + 0.1


LINE = st.sampled_from(
    [b"data: a", b"data:b", b"data", b": ping", b"event: error", b"id: 1", b"", b"", b"odd", b"data: \xe2\x80\xa8"]
)


@given(st.lists(st.tuples(LINE, st.sampled_from([b"\n", b"\r\n", b"\r"]))), st.lists(st.integers(min_value=0)))
def test_the_cuts_do_not_matter(lines, cuts):
    wire = b"".join(line + end for line, end in lines)
    edges = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    assert split(*(wire[start:end] for start, end in itertools.pairwise(edges))) == split(wire)


@given(st.lists(LINE))
def test_it_is_what_the_standard_says(lines):
    """Against the standard's own steps, a line at a time."""
    expected, name, data = [], b"", []
    for line in lines:
        if not line:
            if b"\n".join(data):
                expected.append(SseEvent(name, b"\n".join(data)))
            name, data = b"", []
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        name = value if field == b"event" else name
        data += [value] if field == b"data" else []
    assert split(b"".join(line + b"\n" for line in lines)) == expected


@pytest.mark.parametrize("line", [b"data:\n", b"data:ab\n", b"data: ab\n"])
def test_an_event_of_tiny_lines_costs_no_more_memory_than_a_long_one(line):
    limit = 64 * 1024
    splitter = SseSplitter(max_event=limit)
    lines = line * (1024 // len(line))
    tracemalloc.start()
    try:
        while splitter.held < limit - len(lines):
            splitter.feed(lines)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * limit
    finally:
        tracemalloc.stop()


def test_what_is_held_of_an_event_is_known():
    splitter = SseSplitter(max_event=MAX)
    splitter.feed(b": a comment\n\ndata: abc\ndata: d")
    assert splitter.held == len(b" abc") + len(b"data: d")
    splitter.feed(b"\n\n")
    assert splitter.held == 0
