import itertools
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.protocol.errors import UpstreamProtocol
from streaming.providers.ndjson import LineSplitter

MAX = 1024


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_lines_come_out_without_their_line_ends():
    assert LineSplitter(max_line=MAX).feed(b"one\ntwo\n") == [b"one", b"two"]


def test_a_line_in_two_pieces_comes_when_it_is_whole():
    splitter = LineSplitter(max_line=MAX)
    assert splitter.feed(b"on") == []
    assert splitter.feed(b"e\ntw") == [b"one"]
    assert splitter.tail == b"tw"


def test_blank_lines_are_left_out():
    assert LineSplitter(max_line=MAX).feed(b"\n\r\n  \none\n\n") == [b"one"]


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r"])
def test_only_the_line_feed_ends_a_line(character):
    line = f"a{character}b".encode()
    assert LineSplitter(max_line=MAX).feed(line + b"\n") == [line]


def test_an_unfinished_line_is_never_given_out():
    splitter = LineSplitter(max_line=MAX)
    assert splitter.feed(b'{"a":1}') == []
    assert splitter.tail == b'{"a":1}'


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_over_the_limit_is_a_protocol_error_at_once(end):
    with pytest.raises(UpstreamProtocol) as caught:
        LineSplitter(max_line=8).feed(b"123456789" + end)
    assert caught.value.details == {"reason": "line_too_long", "max_line": 8}


@pytest.mark.parametrize("end", [b"", b"\n", b"\nmore"])
def test_a_line_of_exactly_the_limit_is_fine(end):
    LineSplitter(max_line=8).feed(b"12345678" + end)


@pytest.mark.parametrize("end", [b"", b"\n", b"\nmore\n"])
def test_the_lines_before_a_line_over_the_limit_are_kept(end):
    splitter = LineSplitter(max_line=8)
    with pytest.raises(UpstreamProtocol):
        splitter.feed(b"one\ntwo\n123456789" + end)
    assert splitter.complete == [b"one", b"two"]


def test_the_limit_counts_over_pieces():
    splitter = LineSplitter(max_line=8)
    splitter.feed(b"12345")
    with pytest.raises(UpstreamProtocol):
        splitter.feed(b"6789")
    assert splitter.tail == b""


def test_an_endless_line_costs_no_more_memory_than_the_limit():
    limit, piece = 1024 * 1024, b"x" * 16_384
    splitter = LineSplitter(max_line=limit)
    tracemalloc.start()
    try:
        for _ in range(limit // len(piece)):
            splitter.feed(piece)
        with pytest.raises(UpstreamProtocol):
            splitter.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * limit
    finally:
        tracemalloc.stop()


def test_a_long_line_in_small_pieces_costs_linear_time():
    def seconds(size: int) -> float:
        splitter = LineSplitter(max_line=2 * size)
        begun = time.thread_time()
        for _ in range(size // 64):
            splitter.feed(b"x" * 64)
        assert len(splitter.feed(b"\n")[0]) == size
        return time.thread_time() - begun

    assert min(seconds(4_000_000) for _ in range(3)) < 50 * seconds(400_000) + 0.1


@given(st.lists(st.binary(max_size=12)), st.lists(st.integers(min_value=0)))
def test_the_cuts_do_not_matter(lines, cuts):
    data = b"\n".join(lines)
    splitter = LineSplitter(max_line=MAX * 64)
    found = [line for piece in pieces(data, cuts) for line in splitter.feed(piece)]
    whole, tail = data.split(b"\n")[:-1], data.split(b"\n")[-1]
    assert found == [line for line in whole if line and not line.isspace()]
    assert splitter.tail == tail


def test_what_is_held_of_a_line_is_known():
    splitter = LineSplitter(max_line=8)
    splitter.feed(b"one\n\ntw")
    assert (splitter.held, splitter.flush()) == (2, [])
    splitter.feed(b"o\n")
    assert splitter.held == 0
