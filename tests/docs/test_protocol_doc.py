"""docs/protocol.md against the code: whoever changes one of them hears about the other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatserver.accounts.api import api_urlpatterns
from conversations.api.urls import urlpatterns as resources
from streaming.engine import structured
from streaming.engine.calls import MAX_STEPS, REPEAT_LIMIT
from streaming.protocol.errors import ChatError
from streaming.protocol.events import BY_NAME, HINTS, TERMINAL_EVENTS
from streaming.protocol.feed import RECORDED, RESET
from streaming.protocol.json_schema import NOT_TAKEN
from streaming.protocol.lifecycle import TRANSITIONS
from streaming.protocol.response_format import ENDED_EARLY
from streaming.transports.routing import websocket_urlpatterns
from streaming.transports.session import COMMANDS, CloseCode
from streaming.transports.urls import urlpatterns as runs

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "protocol.md").read_text()
PACKAGES = ("chatserver", "conversations", "streaming")
# Whose codes are no errors of a call, a run or a step.
ELSEWHERE = {"notices.py", "response_format.py", "structured.py"}
REPLIES = frozenset({"ack", "error", "pong", "session.ready"})


def section(title: str) -> str:
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##+ |\Z)", TEXT, re.M | re.S)
    assert found, f"there is no section {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in ``text``, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {number - 1 for number, line in enumerate(lines) if re.fullmatch(r"[|\- ]+", line)}
    found = [line for number, line in enumerate(lines) if number not in heads and number - 1 not in heads]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def first_names(title: str) -> list[str]:
    return [names(row[0])[0] for row in rows(section(title)) if names(row[0])]


def classes(base: type[ChatError]) -> Iterator[type[ChatError]]:
    yield base
    for each in base.__subclasses__():
        yield from classes(each)


def written_codes() -> set[str]:
    """Every code that stands in the source as one, in whatever class or call."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    sources = (path.read_text() for path in paths if path.name not in ELSEWHERE)
    return {code for source in sources for code in re.findall(r'\bcode ?= ?"([a-z_]+)"', source)}


CODES = written_codes() | {MAX_STEPS, REPEAT_LIMIT} | {error.code for error in classes(ChatError)}


def test_rows_leave_heads_and_rules_out() -> None:
    assert rows("| a | b |\n|---|---|\n| `x` | y |\n| z | |\n\n| c |\n|---|\n| w |") == [["`x`", "y"], ["z", ""], ["w"]]


def test_the_events_are_those_of_the_code() -> None:
    listed = first_names("Events")
    assert sorted(name for name in listed if "." in name or name == "error") == sorted(BY_NAME)


def test_no_table_speaks_of_an_event_that_does_not_exist() -> None:
    told = {name for row in rows(TEXT) for cell in row for name in names(cell) if name.startswith("thread.")}
    assert told <= BY_NAME.keys() | RECORDED.keys()


def test_the_feed_s_events_and_their_data_are_those_of_the_code() -> None:
    told = {names(row[0])[0]: set(names(row[1])) for row in rows(section("The feed"))}
    assert told == {**{name: set(data) for name, data in RECORDED.items()}, RESET: {"head", "reason"}}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_an_event_s_row_tells_its_data_and_its_kind(name: str) -> None:
    (row,) = [row for row in rows(section("Events")) if names(row[0])[:1] == [name]]
    ours = {field for field in BY_NAME[name].__struct_fields__ if field not in ("run_id", "thread_id")}
    assert set(names(row[1])) == ours
    assert ("terminal" in row[2]) == (name in TERMINAL_EVENTS)
    assert ("a hint" in row[2]) == (name in HINTS)


def test_the_lifecycle_is_the_code_s() -> None:
    told = {names(row[0])[0]: set(names(row[1])) for row in rows(section("Lifecycle"))}
    assert told == {str(status): {str(next) for next in following} for status, following in TRANSITIONS.items()}


def test_the_error_codes_are_those_of_the_code() -> None:
    listed = first_names("Errors")
    assert len(listed) == len(set(listed))
    assert set(listed) == CODES


def test_every_notice_is_told_and_no_other() -> None:
    (line,) = re.findall(r"^- \*\*notice\*\*: .*?(?=^- |\Z)", section("Objects"), re.M | re.S)
    told = re.findall(r"`([a-z_]+)` \(", line.partition("Codes:")[2])
    assert sorted(told) == sorted(
        re.findall(r'\bcode="([a-z_]+)"', (ROOT / "streaming" / "protocol" / "notices.py").read_text())
    )


def test_what_may_be_wrong_with_a_structured_answer_is_told() -> None:
    ours = {structured.NOT_JSON, structured.SCHEMA_MISMATCH, structured.NOT_CHECKED, ENDED_EARLY.code}
    assert set(first_names("Structured answers")) == ours


def test_every_keyword_that_a_schema_may_not_have_is_told() -> None:
    told = section("Structured answers")
    plain = {keyword for keyword in NOT_TAKEN if not keyword.startswith(("$dynamic", "$recursive"))}
    assert {keyword for keyword in plain if f"`{keyword}`" in told} == plain


def test_statuses_and_retryability_are_told_right() -> None:
    told = {names(row[0])[0]: row for row in rows(section("Errors")) if len(row) == 4}
    upstream = {"upstream", "model_missing", "context_exceeded", "streaming_refused"}
    for error in classes(ChatError):
        if error.code not in told:
            continue
        _, status, retryable, _ = told[error.code]
        assert retryable == ("yes" if error.retryable else "no"), error.code
        # The model server's own busyness reaches a client as a gateway's error: only a failed run can say it.
        if error.code.split("_")[0] not in upstream and error.code not in upstream:
            assert status.startswith(str(error.status)), error.code


def test_every_frame_is_told_and_no_other() -> None:
    listed = [names(row[0])[0] for row in rows(section("WebSocket")) if names(row[0])]
    assert sorted(listed) == sorted(COMMANDS)
    assert {name for name in REPLIES if f"`{name}`" in section("WebSocket")} == REPLIES


def test_every_close_code_is_told_and_no_other() -> None:
    ours = {value for name, value in vars(CloseCode).items() if name.isupper()}
    assert {code for code in ours if str(code) in section("WebSocket")} == ours
    listed = {int(row[0]) for row in rows(section("WebSocket")) if row[0].isdigit()}
    assert listed - {1009} == ours


def test_every_address_is_told() -> None:
    routes = [str(each.pattern) for each in (*runs, *resources, *websocket_urlpatterns)]
    routes += [f"api/v1/{each.pattern}" for each in api_urlpatterns]
    for route in routes:
        address = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
        assert re.search(rf"{re.escape(address)}(?![\w/{{])", TEXT), address


def test_no_address_is_told_that_is_not_served() -> None:
    ours = {str(each.pattern) for each in (*runs, *resources)} | {f"api/v1/{each.pattern}" for each in api_urlpatterns}
    served = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) for route in ours}
    calls = [name for row in rows(TEXT) for name in names(row[0])]
    told = {call.split()[1].partition("?")[0] for call in calls if re.match(r"(GET|POST|PATCH|PUT|DELETE) /", call)}
    assert told == served
