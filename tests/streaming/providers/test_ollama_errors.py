import json
from email.utils import formatdate

import pytest

from streaming.protocol.errors import (
    ContextExceeded,
    ModelMissing,
    StreamingRefused,
    UpstreamBusy,
    UpstreamError,
    UpstreamFailed,
    UpstreamKey,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
)
from streaming.providers.http_answer import HttpAnswer
from streaming.providers.ollama_errors import http_failure

NOW = 1_787_313_600.0
KINDS = {
    "model-not-found": ModelMissing,
    "show-not-found": ModelMissing,
    "queue-full": UpstreamBusy,
    "context-exceeded-by-runner": ContextExceeded,
    "context-exceeded-before-run": ContextExceeded,
    "tool-parse-not-streaming": UpstreamFailed,
    "runner-stopped": UpstreamFailed,
    "request-canceled": UpstreamFailed,
    "cloud-unreachable": UpstreamFailed,
    "option-type": UpstreamError,
    "format-invalid": UpstreamError,
    "load-failed": UpstreamError,
    "cloud-unauthorized": UpstreamKey,
    "path-unknown": UpstreamProtocol,
    "method-wrong": UpstreamProtocol,
    "gateway-html": UpstreamFailed,
}
SILENT = {
    "model-not-found",
    "show-not-found",
    "queue-full",
    "request-canceled",
    "cloud-unauthorized",
    "host-not-allowed",
    "path-unknown",
    "method-wrong",
    "context-exceeded-by-runner",
    "context-exceeded-before-run",
    "gateway-html",
}


def failure(status, body=b"", content_type="application/json", *, retry_after=None, streaming=True) -> UpstreamError:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http_failure(HttpAnswer(status, content_type, body, retry_after), streaming=streaming, now=NOW)


@pytest.fixture
def rows(http_errors):
    html = next(row for row in http_errors["openai_compatible"] if row["id"] == "gateway-html")
    return [*http_errors["ollama"], html]


def of(row) -> UpstreamError:
    return failure(row["status"], row["body"].encode(), row["content_type"] or "")


def test_every_recorded_answer_has_its_error(rows):
    assert {row["id"]: type(of(row)) for row in rows} == {
        row["id"]: KINDS.get(row["id"], UpstreamRefused) for row in rows
    }


def test_asking_again_is_advised_exactly_where_it_may_help(rows):
    assert {row["id"]: of(row).retryable for row in rows} == {row["id"]: row["retry"] for row in rows}


def test_the_words_of_the_server_are_shown_where_they_help_and_are_safe(rows):
    for row in rows:
        text = json.loads(row["body"])["error"] if "json" in (row["content_type"] or "") else row["body"]
        assert (bool(text) and text in of(row).message) == (row["id"] not in SILENT), row["id"]


def test_the_sizes_of_an_exceeded_context_are_told(rows):
    row = next(row for row in rows if row["id"] == "context-exceeded-by-runner")
    assert of(row).details == {"status": 400, "n_prompt_tokens": 9000, "n_ctx": 8192}


def test_an_exceeded_context_inside_an_object_is_known(http_errors):
    row = next(row for row in http_errors["ollama_v1"] if row["id"] == "v1-context-exceeded")
    assert type(of(row)) is ContextExceeded


@pytest.mark.parametrize("status", [400, 401, 404, 405, 429, 500, 502, 503])
def test_html_is_never_shown(status):
    shown = failure(status, b"<html><title>secret page</title></html>", "text/html")
    assert "secret" not in json.dumps([shown.message, shown.details])


@pytest.mark.parametrize("status", [400, 403, 500, 502])
@pytest.mark.parametrize(
    "text",
    [
        "no entry for sk-abc123def456",
        "see http://me:secret@host/",
        "token=secret",
        "two\nlines",
        "x" * 41,
        "long " * 61,
        "tab\there",
        "<b>bold</b>",
    ],
)
def test_unsafe_words_are_not_shown(status, text):
    assert text not in failure(status, {"error": text}).message


def test_the_words_of_a_refused_key_are_never_shown():
    assert failure(401, {"error": "key abc is wrong"}).message == UpstreamKey.sentence


@pytest.mark.parametrize("status", [400, 405, 415, 422, 501])
@pytest.mark.parametrize(
    "text",
    ["streaming is not supported", "stream must be false", "this model does not stream", "Unsupported value: stream"],
)
def test_a_server_that_says_it_does_not_stream_is_understood(status, text):
    assert type(failure(status, {"error": text})) is StreamingRefused
    assert type(failure(status, {"error": {"message": text}})) is StreamingRefused


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "upstream error: not found"),
        (400, "unexpected end of stream"),
        (500, "streaming is not supported"),
        (400, "no"),
    ],
)
def test_other_failures_are_not_taken_for_it(status, text):
    assert type(failure(status, {"error": text})) is not StreamingRefused


def test_who_did_not_ask_for_a_stream_cannot_be_refused_one():
    assert type(failure(400, {"error": "streaming is not supported"}, streaming=False)) is UpstreamRefused


def test_plain_text_may_say_it_too():
    assert type(failure(501, b"Streaming is not supported.", "text/plain; charset=utf-8")) is StreamingRefused


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("2", 2000),
        (" 0 ", 0),
        ("Fri, 21 Aug 2026 08:00:07 GMT", None),
        ("999999999999", 3_600_000),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read(status, header, wait):
    if header and header.startswith("Fri"):
        header, wait = formatdate(NOW + 7, usegmt=True), 7000
    error = failure(status, {"error": "busy"}, retry_after=header)
    assert (type(error), error.retry_after_ms) == (UpstreamBusy, wait)


def test_a_date_in_the_past_means_now():
    assert failure(503, retry_after=formatdate(NOW - 60, usegmt=True)).retry_after_ms == 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, UpstreamProtocol),
        (302, UpstreamProtocol),
        (408, UpstreamTimeout),
        (504, UpstreamTimeout),
        (413, UpstreamRefused),
        (418, UpstreamRefused),
        (501, UpstreamRefused),
        (500, UpstreamFailed),
        (520, UpstreamFailed),
        (404, UpstreamProtocol),
    ],
)
def test_a_status_without_words_has_its_error(status, kind):
    assert type(failure(status)) is kind


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 60_000, b'{"error":' * 5000, b"null", b"[1]", b'{"error":{"message":[1]}}']
)
def test_no_body_breaks_it(body):
    assert isinstance(failure(400, body), UpstreamRefused)


def test_the_status_is_in_the_details():
    assert failure(418).details == {"status": 418}
