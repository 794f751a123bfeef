import json
import logging
import logging.config

import pytest
import structlog
from django.core.exceptions import DisallowedHost, ImproperlyConfigured

from chatserver.logs import RefusedIsNoFault, logging_config, parse_levels
from chatserver.redaction import Redacted, conceal


def test_a_level_for_all_and_levels_of_components():
    assert parse_levels("info") == ("info", {})
    assert parse_levels("warning, providers=debug,transports=info") == (
        "warning",
        {"streaming.providers": "debug", "streaming.transports": "info"},
    )


@pytest.mark.parametrize("text", ["loud", "providers=loud", "nobody=info"])
def test_an_unknown_level_or_component_is_refused(text: str):
    with pytest.raises(ImproperlyConfigured, match="LOG_LEVEL"):
        parse_levels(text)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\u2028", 'quote"'])
def test_no_text_can_forge_a_line_or_reach_the_terminal(text: str, capsys: pytest.CaptureFixture[str]):
    handler = logging_config("info")
    formatter = handler["formatters"]["json"]
    made = structlog.stdlib.ProcessorFormatter(**{name: value for name, value in formatter.items() if name != "()"})
    record = logging.LogRecord("x", logging.INFO, "f", 1, text, (), None)
    line = made.format(record)
    assert "\n" not in line
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["event"] == text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("chat_0123456789ab_" + "x" * 43, "chat_0123456789ab_[redacted]"),
        ("GET /api/v1/me?token=abc&a=1", "GET /api/v1/me?token=[redacted]&a=1"),
        ("/accounts/setup/?code=abc", "/accounts/setup/?code=[redacted]"),
        ("postgres://me:pass@host/db", "postgres://[redacted]@host/db"),
        ('a "secret key" in text', 'a \\"[redacted]\\" in text'),
        ("mail me@example.org about http://127.0.0.1:9/x", "mail me@example.org about http://127.0.0.1:9/x"),
    ],
)
def test_no_line_has_a_secret(said: str, shown: str) -> None:
    line = Redacted(["secret key"])(None, "info", json.dumps({"event": said}))
    assert line == f'{{"event": "{shown}"}}'
    assert json.loads(line)


def test_what_is_learned_while_the_process_runs_is_no_more_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatserver.redaction._learned", {})
    redacted, line = Redacted(["known from the start"]), json.dumps({"event": 'learned "later" and short'})
    assert redacted(None, "info", line) == line
    conceal('learned "later"')
    conceal("short")  # would blot out words
    assert redacted(None, "info", line) == '{"event": "[redacted] and short"}'


def test_of_what_is_learned_the_latest_thousand_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, None] = {}
    monkeypatch.setattr("chatserver.redaction._learned", kept)
    for number in range(1001):
        conceal(f"secret-{number:04}")
    assert (len(kept), "secret-0000" in kept, "secret-1000" in kept) == (1000, False, True)


def refused_host() -> logging.LogRecord:
    try:
        raise DisallowedHost("Invalid HTTP_HOST header: 'evil.example'.")
    except DisallowedHost as fault:
        return logging.getLogger("django.security.DisallowedHost").makeRecord(
            "django.security.DisallowedHost", logging.ERROR, "f", 1, str(fault), (), (type(fault), fault, None)
        )


def test_what_django_refuses_raises_no_alarm() -> None:
    record = refused_host()
    assert RefusedIsNoFault().filter(record)
    assert (record.levelname, record.levelno, record.exc_info) == ("WARNING", logging.WARNING, None)


def test_a_refusal_is_left_out_where_warnings_are() -> None:
    logger = logging.getLogger("django.security")
    before = logger.level
    logger.setLevel("ERROR")
    try:
        assert not RefusedIsNoFault().filter(refused_host())
    finally:
        logger.setLevel(before)


@pytest.mark.parametrize(("status", "level"), [(503, "WARNING"), (500, "ERROR")])
def test_a_server_that_is_being_stopped_raises_no_alarm(status: int, level: str) -> None:
    record = logging.LogRecord("django.request", logging.ERROR, "f", 1, "Service Unavailable: %s", ("/",), None)
    record.status_code = status
    assert RefusedIsNoFault().filter(record)
    assert record.levelname == level


@pytest.mark.parametrize("name", ["django.request", "django.security", "chatserver.errors"])
def test_other_errors_stay_errors(name: str) -> None:
    record = logging.LogRecord(name, logging.ERROR, "f", 1, "x", (), (ValueError, ValueError(), None))
    assert RefusedIsNoFault().filter(record)
    assert (record.levelname, bool(record.exc_info)) == ("ERROR", True)
