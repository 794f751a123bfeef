"""The load client sees what is wrong with an answer: a letter, a hole in its numbers, another end, a broken body."""

import json
from typing import Any

import pytest

from tests.bench.dialects import ChatSocket, ChatStream
from tests.bench.wires import HttpWire, SocketWire, frame
from tests.bench.words import Hearing, Paced, mark, piece, sent_at

TOKENS = 5
WHOLE = mark(1_500_000_000) + "".join(piece(number) for number in range(1, TOKENS))


def test_the_name_says_what_the_model_does() -> None:
    assert Paced.named("200@50") == Paced(200, 50.0)
    assert Paced.named("20000@max:latest") == Paced(20_000, 0.0)
    assert Paced.named("20@50-after-300") == Paced(20, 50.0, 0.3)
    assert Paced.named("60@0.04") == Paced(60, 0.04)
    assert Paced.named("llama3") is None


def test_a_whole_answer_tells_when_it_was_sent() -> None:
    assert sent_at(WHOLE, tokens=TOKENS) == 1.5


@pytest.mark.parametrize("answer", ["", WHOLE[1:], WHOLE[:-1], WHOLE + " ", WHOLE.replace("is", "was"), WHOLE[::-1]])
def test_a_letter_more_or_less_is_seen(answer: str) -> None:
    assert sent_at(answer, tokens=TOKENS) is None


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_answer_that_goes_on_is_heard_token_by_token(size: int) -> None:
    hearing = Hearing()
    first = len(mark(1_500_000_000))
    hearing.take(WHOLE[:first])
    assert (hearing.began, hearing.tokens) == (1.5, 1)
    for start in range(first, len(WHOLE), size):
        hearing.take(WHOLE[start : start + size])
    assert hearing.tokens == TOKENS


def test_a_token_counts_when_it_is_whole() -> None:
    hearing = Hearing()
    hearing.take(WHOLE[:-1])
    assert hearing.tokens == TOKENS - 1


@pytest.mark.parametrize("answer", ["The", WHOLE.replace("is", "was"), WHOLE + "xyz"])
def test_another_text_is_heard_at_once(answer: str) -> None:
    with pytest.raises(ValueError, match="another text"):
        Hearing().take(answer)


def events(*, numbers: tuple[int, ...] = (1, 2, 3, 4), end: str = "thread.run.completed") -> list[bytes]:
    names = ["thread.run.created", "thread.message.delta", "thread.message.delta", end]
    contents = ["", WHOLE[:4], WHOLE[4:], ""]
    told = [
        {"event": name, "id": number, "data": {"content": content}}
        for number, name, content in zip(numbers, names, contents, strict=True)
    ]
    return [json.dumps(event).encode() for event in told]


def http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def streamed(told: list[bytes]) -> bytes:
    hint = b'data: {"event":"thread.run.queued","id":null,"data":{}}\n\n'
    return http(b": opened\n\n" + hint + b"".join(b"id: 1\ndata: %s\n\n" % each for each in told))


def framed(told: list[bytes]) -> bytes:
    frames = []
    for each in told:
        head = bytes([0x81, len(each)]) if len(each) < 126 else b"\x81\x7e" + len(each).to_bytes(2)
        frames.append(head + each)
    return b"".join([b"\x89\x02hi", *frames])  # with a ping before


async def in_pieces(wire: HttpWire | SocketWire, data: bytes, size: int) -> Any:
    wire.came = [(float(start), data[start : start + size]) for start in range(0, len(data), size)]
    return wire


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
async def test_however_it_is_cut_it_is_read_whole(size: int) -> None:
    stream = await in_pieces(HttpWire(), streamed(events()), size)
    assert "".join(text for _, text in ChatStream(0).texts(stream)) == WHOLE
    socket = await in_pieces(SocketWire(last=b""), framed(events()), size)
    assert "".join(text for _, text in ChatSocket(0).texts(socket)) == WHOLE


@pytest.mark.parametrize(
    "told", [events(numbers=(1, 2, 4, 5)), events(numbers=(1, 2, 2, 3)), events(end="thread.run.failed"), []]
)
async def test_a_hole_a_double_and_another_end_are_faults(told: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"after event|ended with"):
        list(ChatStream(0).texts(await in_pieces(HttpWire(), streamed(told), 64)))
    with pytest.raises(ValueError, match=r"after event|ended with"):
        list(ChatSocket(0).texts(await in_pieces(SocketWire(last=b""), framed(told), 64)))


@pytest.mark.parametrize("data", [streamed(events())[:-5], b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])
async def test_what_breaks_off_and_what_is_refused_are_faults(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"broke off|answered"):
        list(ChatStream(0).texts(await in_pieces(HttpWire(), data, 64)))


def test_a_client_s_frame_is_masked() -> None:
    data = frame(b"hello")
    assert data[:2] == b"\x81\x85"
    assert bytes(byte ^ data[2 + at % 4] for at, byte in enumerate(data[6:])) == b"hello"
    assert frame(b"x" * 200)[1] == 0x80 | 126
