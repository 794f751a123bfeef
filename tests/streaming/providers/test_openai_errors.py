import json
import time
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
from streaming.providers.openai_errors import (
    LOADING,
    NO_CREDIT,
    NOT_OPENAI,
    http_failure,
    refused_parts,
)

NOW = 1_787_313_600.0
KINDS = {
    "v1-model-not-found": ModelMissing,
    "v1-tools-unsupported": UpstreamRefused,
    "v1-messages-empty": UpstreamRefused,
    "v1-arguments-invalid": UpstreamRefused,
    "v1-effort-invalid": UpstreamRefused,
    "v1-context-exceeded": ContextExceeded,
    "v1-generation-failed": UpstreamFailed,
    "openai-key-invalid": UpstreamKey,
    "openai-rate-limit": UpstreamBusy,
    "openai-quota": UpstreamRefused,
    "openrouter-rate-limit": UpstreamBusy,
    "vllm-bad-request": ContextExceeded,
    "llamacpp-loading": UpstreamBusy,
    "gateway-html": UpstreamFailed,
}


def answer(status, body=b"", content_type="application/json", **headers) -> HttpAnswer:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, content_type, body, **headers)


def failure(
    status, body=b"", content_type="application/json", *, streaming=True, secret="", **headers
) -> UpstreamError:
    return http_failure(answer(status, body, content_type, **headers), streaming=streaming, now=NOW, secret=secret)


@pytest.fixture
def rows(http_errors):
    return [*http_errors["ollama_v1"], *http_errors["openai_compatible"]]


def of(row) -> UpstreamError:
    headers = {
        name.replace("-", "_"): value for name, value in row["headers"].items() if name.startswith("retry-after")
    }
    return failure(row["status"], row["body"].encode(), row["content_type"], **headers)


def test_every_recorded_answer_has_its_error(rows):
    assert {row["id"]: type(of(row)) for row in rows} == KINDS


def test_asking_again_is_advised_exactly_where_it_may_help(rows):
    assert {row["id"]: of(row).retryable for row in rows} == {row["id"]: row["retry"] for row in rows}


def test_the_time_that_the_server_asks_for_is_read(rows):
    waits = {row["id"]: of(row).retry_after_ms for row in rows if of(row).retry_after_ms is not None}
    assert waits == {"openai-rate-limit": 2000, "openrouter-rate-limit": 5000}


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "2"}, 2000),
        ({"retry_after": "2", "retry_after_ms": "150"}, 150),
        ({"retry_after": "2", "retry_after_ms": "soon"}, 2000),
        ({"retry_after_ms": "99999999999999"}, 3_600_000),
        ({"retry_after": formatdate(NOW + 7, usegmt=True)}, 7000),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 529])
def test_retry_after_is_read_in_every_form(status, headers, wait):
    error = failure(status, {"error": {"message": "busy"}}, **headers)
    assert (type(error), error.retry_after_ms) == (UpstreamBusy, wait)


def test_what_ails_it_is_said_in_a_sentence(rows):
    sentences = {row["id"]: of(row).message for row in rows}
    assert sentences["openai-quota"] == NO_CREDIT
    assert sentences["llamacpp-loading"] == LOADING
    assert "does not support tools" in sentences["v1-tools-unsupported"]
    assert sentences["openai-key-invalid"] == UpstreamKey.sentence
    assert sentences["gateway-html"] == UpstreamFailed.sentence


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no such thing"}},
        {"error": "no such thing"},
        {"object": "error", "message": "no such thing", "code": 400},
        {"detail": "no such thing"},
        {"detail": {"message": "no such thing"}},
        [{"error": {"message": "no such thing"}}],
        {"error": {"message": '{"error":{"message":"no such thing"}}'}},
    ],
)
def test_the_words_are_found_in_every_shape(body):
    error = failure(400, body)
    assert (type(error), error.message) == (UpstreamRefused, f"{UpstreamRefused.sentence[:-1]}: no such thing")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"error":' * 5000,
        b"null",
        b"[]",
        b"[1]",
        b'{"error":{"message":[1]}}',
        b'{"detail":[{}]}',
        b"{",
        b"",
    ],
)
def test_no_body_breaks_it(body):
    assert isinstance(failure(400, body), UpstreamRefused)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 429, 500, 502, 503])
def test_html_is_never_shown(status):
    shown = failure(status, b"<html><title>secret page</title></html>", "text/html")
    assert "secret" not in json.dumps([shown.message, shown.details])


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 413, 429, 500, 502, 503])
def test_the_key_is_never_repeated(status):
    for key in ("tiny", "a-key-of-no-known-shape"):
        shown = failure(status, {"error": {"message": f"no access with {key} here"}}, secret=key)
        assert key not in shown.message


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "The model `gpt-9` does not exist", "code": "model_not_found"}}, ModelMissing),
        ({"object": "error", "message": "The model `x` does not exist.", "code": 404}, ModelMissing),
        ({"error": {"message": "Invalid URL (POST /chat/completions)"}}, UpstreamProtocol),
        ({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, UpstreamProtocol),
        ({"detail": "Not Found"}, UpstreamProtocol),
        (b"404 page not found", UpstreamProtocol),
        (b"", UpstreamProtocol),
    ],
)
def test_a_model_that_is_not_there_is_told_from_an_address_that_is_wrong(body, kind):
    error = failure(404, body)
    assert type(error) is kind
    assert kind is ModelMissing or error.message == NOT_OPENAI


def test_a_model_that_is_not_there_may_be_a_400():
    assert (
        type(failure(400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}})) is ModelMissing
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, UpstreamProtocol),
        (302, UpstreamProtocol),
        (402, UpstreamRefused),
        (403, UpstreamRefused),
        (405, UpstreamProtocol),
        (408, UpstreamTimeout),
        (409, UpstreamFailed),
        (413, UpstreamRefused),
        (418, UpstreamRefused),
        (500, UpstreamFailed),
        (501, UpstreamRefused),
        (504, UpstreamTimeout),
        (520, UpstreamFailed),
        (529, UpstreamBusy),
    ],
)
def test_a_status_without_words_has_its_error(status, kind):
    error = failure(status)
    assert (type(error), error.details) == (kind, {"status": status})


def test_an_exceeded_context_is_known_by_its_code():
    assert type(failure(400, {"error": {"message": "too much", "code": "context_length_exceeded"}})) is ContextExceeded


@pytest.mark.parametrize("status", [400, 405, 422, 501])
@pytest.mark.parametrize("text", ["streaming is not supported", "Unsupported value: 'stream' does not support true"])
def test_a_server_that_says_it_does_not_stream_is_understood(status, text):
    assert type(failure(status, {"error": {"message": text}})) is StreamingRefused
    assert type(failure(status, {"error": {"message": text}}, streaming=False)) is not StreamingRefused


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "registry.ollama.ai/library/plain:latest does not support tools"}}),
        (
            400,
            {
                "object": "error",
                "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            },
        ),
        (404, {"error": {"message": "No endpoints found that support tool use. To learn more …", "code": 404}}),
        (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}),
        (500, {"error": {"code": 500, "message": "Unsupported param: tools", "type": "server_error"}}),
        (400, {"error": {"message": "deepseek-reasoner does not support Function Calling"}}),
        (400, {"error": {"message": "this is not supported", "param": "tools"}}),
        (
            422,
            {
                "detail": [
                    {"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "Extra inputs are not permitted"}
                ]
            },
        ),
    ],
)
def test_a_server_that_does_not_take_tools_is_understood(status, body):
    assert refused_parts(answer(status, body)) == {"tools"}


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Extra inputs are not permitted, field: 'stream_options'"}},
        {"error": {"message": "Unrecognized request argument supplied: stream_options"}},
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "input": {"include_usage": True}}]},
    ],
)
def test_a_server_that_does_not_take_stream_options_is_understood(body):
    assert refused_parts(answer(400, body)) == {"stream_options"}


@pytest.mark.parametrize(
    "body",
    [
        {
            "error": {
                "message": "'messages.2' : property 'reasoning_content' is unsupported",
                "type": "invalid_request_error",
            }
        },
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 1, "assistant", "reasoning_content"]}]},
    ],
)
def test_a_server_that_does_not_take_its_thinking_back_is_understood(body):
    assert refused_parts(answer(400, body)) == {"reasoning_content"}


@pytest.mark.parametrize(
    "message",
    [
        "Invalid content type. image_url is only supported by certain models.",
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "Failed to deserialize the JSON body: messages[0]: unknown variant `image_url`, expected `text`",
        "At most 0 image(s) may be provided in one request.",
        "/models/plain is not a multimodal model",
        "This model does not support image input",
        "messages[1].content must be a string",
    ],
)
def test_a_server_that_does_not_take_pictures_is_understood(message):
    assert refused_parts(answer(400, {"error": {"message": message}})) == {"images"}


@pytest.mark.parametrize("message", ["The image could not be decoded", "image_url: connection refused", "too large"])
def test_a_picture_that_is_found_fault_with_is_no_refusal_of_pictures(message):
    assert refused_parts(answer(400, {"error": {"message": message}})) == frozenset()


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("Unrecognized request argument supplied: top_k", "top_k"),
        (
            "Unsupported parameter: 'max_tokens' is not supported here. Use 'max_completion_tokens' instead.",
            "max_tokens",
        ),
        ("Unsupported parameter: 'reasoning_effort' is not supported with this model.", "reasoning_effort"),
    ],
)
def test_a_refused_parameter_is_told_by_its_name(message, part):
    assert refused_parts(answer(400, {"error": {"message": message}})) == {part}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"),
        (400, "Invalid schema for function 'calculator': 'x' is not valid"),
        (
            500,
            "error parsing tool call: raw='{\"city\":Tokyo}', err=invalid character 'T' looking for beginning of value",
        ),
        (400, "temperature is not supported"),
        (401, "tools are not supported"),
        (429, "tools are not supported"),
        (503, "tools are not supported"),
    ],
)
def test_other_failures_are_not_taken_for_it(status, text):
    assert refused_parts(answer(status, {"error": {"message": text}})) == frozenset()


@pytest.mark.parametrize(
    "words", ["some words of a question ", "context length ", "stream ", "maximum context length "]
)
def test_a_long_text_is_looked_through_in_no_time(words):
    body = {"error": {"message": f"[{{'loc': ['body'], 'input': '{words * (32 * 1024 // len(words))}'}}] stream"}}
    since = time.process_time()
    failure(400, body)
    assert time.process_time() - since < 1.0


def test_what_is_meant_is_seen_though_the_key_is_a_word_in_it():
    missing = {"error": {"message": "The model `foo` does not exist", "code": "model_not_found"}}
    too_long = {"error": {"message": "This model's maximum context length is 8192 tokens, you sent extra text."}}
    assert isinstance(failure(404, missing, secret="x"), ModelMissing)
    assert isinstance(failure(400, too_long, secret="x"), ContextExceeded)


def test_words_with_the_key_in_them_are_not_shown_whatever_they_mean():
    shown = failure(400, {"error": {"message": "canary is wrong"}}, secret="canary")
    assert isinstance(shown, UpstreamRefused)
    assert "canary" not in str(shown)


@pytest.mark.parametrize(
    "told", ["sk-canary-0123456789", "canary-0123456789", "canary-0123\u2026", "sk-c**\u2026456789"]
)
def test_a_piece_of_the_key_is_not_shown_either(told):
    shown = failure(403, {"error": {"message": f"no access with {told}"}}, secret="sk-canary-0123456789")
    assert str(shown) == UpstreamRefused.sentence


@pytest.mark.parametrize(
    "message",
    [
        "This response_format type is unavailable now",
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "This model does not support response format `json_schema`. See supported models.",
        "json mode cannot be combined with tool/function calling",
        "'response_format.type' must be 'json_schema' or 'text'",
        'response_format type must be one of "text" or "json_object", but got: json_schema',
        "Unrecognized request argument supplied: response_format",
    ],
)
def test_a_server_that_does_not_take_a_form_is_understood(message):
    assert refused_parts(answer(400, {"error": {"message": message}})) == {"response_format"}


def test_a_schema_that_it_does_not_take_is_for_whoever_wrote_it():
    words = "Invalid schema for response_format 'person': In context=(), 'minLength' is not permitted."
    refusal = answer(400, {"error": {"message": words, "param": "response_format"}})
    assert refused_parts(refusal) == frozenset()
    error = http_failure(refusal, streaming=True, now=NOW)
    assert isinstance(error, UpstreamRefused)
    assert "minLength" in error.message
