"""What Ollama says in a pull, in every slice; and what its errors mean."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from streaming.protocol.errors import PullUnknown, UpstreamDiskFull, UpstreamError, UpstreamFailed, UpstreamProtocol
from streaming.providers.ndjson import LineSplitter
from streaming.providers.pull_wire import MAX_LAYERS, Pull, PullProgress, pull_failure

WIRES = Path(__file__).resolve().parents[2] / "wires"
PULLED = (WIRES / "pull-progress.ndjson").read_bytes()
MISSING = (WIRES / "pull-error.ndjson").read_bytes()
WHOLE = PullProgress(status="success", completed=2019377376 + 1429, total=2019377376 + 1429)


def fed(*pieces: bytes) -> Pull:
    pull, lines = Pull(), LineSplitter(max_line=64 * 1024)
    for piece in pieces:
        pull.feed(lines.feed(piece))
    return pull


def lines(*said: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in said)


@pytest.mark.parametrize("at", range(0, len(PULLED), 7))
def test_a_pull_is_the_same_however_it_is_cut(at: int) -> None:
    pull = fed(PULLED[:at], PULLED[at:])
    assert (pull.done, pull.failure, pull.progress) == (True, None, WHOLE)


def test_a_pull_is_the_same_byte_by_byte_and_what_follows_does_not_count() -> None:
    pull = fed(*(PULLED[at : at + 1] for at in range(len(PULLED))), b'{"error":"late"}\n{"status":"x"}\n')
    assert (pull.done, pull.failure, pull.progress) == (True, None, WHOLE)


@pytest.mark.parametrize("end", range(0, len(PULLED) - 1, 5))
def test_a_pull_that_is_cut_short_is_not_done(end: int) -> None:
    pull = fed(PULLED[:end])
    assert (pull.done, pull.failure) == (False, None)


def test_what_has_come_never_shrinks_in_the_recording() -> None:
    pull, seen = Pull(), []
    for line in PULLED.splitlines():
        pull.feed([line])
        seen.append(pull.progress)
    assert [each.completed for each in seen] == [0, 0, 734003200, 2019377376, *[2019378805] * 4]
    assert all(before.total <= after.total for before, after in pairwise(seen))


def test_an_error_ends_a_pull_that_the_server_had_begun_with_200() -> None:
    pull = fed(MISSING, lines({"status": "success"}))
    assert isinstance(pull.failure, PullUnknown)
    assert (pull.done, pull.progress.status) == (False, "pulling manifest")


@pytest.mark.parametrize("line", [b"no json", b"[]", b'"x"', b"[" * 60_000])
def test_a_line_that_is_no_object_is_not_ollama(line: bytes) -> None:
    assert isinstance(fed(line + b"\n").failure, UpstreamProtocol)


@pytest.mark.parametrize(
    "odd",
    [
        {"total": "9"},
        {"total": -1},
        {"total": 2**60},
        {"total": True},
        {"total": 1.5},
        {"total": 9, "digest": None},
        {"completed": 9},
    ],
)
def test_numbers_that_are_none_count_as_not_said(odd: dict[str, Any]) -> None:
    pull = fed(lines({"status": "pulling", "digest": "d", **odd}))
    assert pull.progress == PullProgress(status="pulling")


def test_more_than_all_is_all() -> None:
    assert fed(lines({"digest": "d", "total": 5, "completed": 9})).progress.completed == 5


def test_layers_have_a_limit() -> None:
    pull = fed(lines(*({"digest": str(each), "total": 1, "completed": 1} for each in range(MAX_LAYERS + 5))))
    assert pull.progress.total == MAX_LAYERS


def test_a_status_that_is_a_page_or_a_secret_is_not_shown() -> None:
    assert fed(lines({"status": "<html>"})).progress.status == ""
    assert fed(lines({"status": "token=abcdef"})).progress.status == ""


@pytest.mark.parametrize(
    ("text", "kind", "retryable"),
    [
        ("pull model manifest: file does not exist", PullUnknown, False),
        ("pull model manifest: 404: page not found", PullUnknown, False),
        ("write /root/.ollama/models/blobs/x: no space left on device", UpstreamDiskFull, False),
        ("max retries exceeded: write x: no space left on device", UpstreamDiskFull, False),
        ("max retries exceeded: EOF", UpstreamFailed, True),
        ("Get: dial tcp: lookup registry.ollama.ai: no such host", UpstreamFailed, True),
        ("pull model manifest: 503: busy", UpstreamFailed, True),
        ("digest mismatch, file must be downloaded again: want x, got y", UpstreamFailed, True),
        ("pull model manifest: 412: this model requires a newer version of Ollama", UpstreamError, False),
        ({"message": "something else"}, UpstreamError, False),
        (7, UpstreamError, False),
    ],
)
def test_what_an_error_means(text: Any, kind: type[UpstreamError], retryable: bool) -> None:
    failure = pull_failure(text)
    assert (type(failure), failure.retryable) == (kind, retryable)


def test_what_ollama_says_is_told_where_that_is_safe() -> None:
    assert "newer version of Ollama" in pull_failure("412: requires a newer version of Ollama").message
    assert "me:hush" not in pull_failure("Get http://me:hush@registry: boom").message


def test_the_key_of_a_gateway_in_front_is_not_told() -> None:
    pull, words = Pull(secret="quiet-river"), LineSplitter(max_line=64 * 1024)
    pull.feed(words.feed(lines({"status": "fetching for quiet-river"})))
    assert pull.progress.status == ""
    pull.feed(words.feed(lines({"status": "fetching"}, {"error": "not with quiet-river"})))
    assert pull.failure is not None
    assert (pull.progress.status, "river" in pull.failure.message) == ("fetching", False)
    assert "quiet-river" in pull_failure("not with quiet-river").message
    assert "river" not in pull_failure("dial tcp: quiet-river: EOF", secret="quiet-river").message
