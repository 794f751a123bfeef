"""Everything a model server can do wrong, seen from a client's end: one clear end each time, and nothing lost.

On Ollama's wire all of it; on that of OpenAI-compatible servers what takes a way of its own through the server. What
becomes of each fault at the provider is shown on both wires by tests/streaming/providers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn
from tests.support.transcript import Transcript

pytestmark = pytest.mark.process
THREE_WORDS = "One two three"


@dataclass(frozen=True)
class Case:
    """A model, and how its run ends. ``chats``: how often the model server is asked."""

    model: str
    status: str
    code: str | None = None  # of the error, or the reason of an incomplete run
    text: str | None = ""  # None: whatever
    chats: int = 1
    http: int = 200  # of POST /api/chat
    wire: str = "ollama"

    def __str__(self) -> str:
        return self.model if self.wire == "ollama" else self.name

    @property
    def name(self) -> str:
        return f"{self.wire}/{self.model}"


def failed(model: str, code: str, *, text: str = "", chats: int = 1, http: int = 502) -> Case:
    return Case(model, "failed", code, text, chats, http)


CASES = [
    failed("hang-headers", "upstream_timeout", chats=3, http=504),
    failed("hang-first", "upstream_timeout", chats=3, http=504),
    failed("hang-mid", "upstream_stalled", text=THREE_WORDS, http=504),
    failed("reset-mid", "upstream_dropped", text=THREE_WORDS),
    failed("eof-mid", "upstream_dropped", text=THREE_WORDS),
    failed("end-early", "upstream_truncated", text=THREE_WORDS),
    failed("cut/truncated-clean-eof.ndjson", "upstream_dropped", text=None),  # type: ignore[arg-type]
    failed("error-mid", "upstream_error", text=THREE_WORDS),
    failed("bad-json", "upstream_protocol", text=THREE_WORDS),
    failed("html", "upstream_protocol"),
    failed("status-400", "upstream_refused"),
    failed("status-401", "upstream_key"),
    failed("status-404", "model_missing"),
    failed("status-429", "upstream_busy", chats=3),
    failed("status-500", "upstream_error"),  # its body says that the request is to blame
    failed("status-502", "upstream_failed", chats=3),
    failed("status-503", "upstream_busy", chats=3),
    Case("no-stream", "completed", text=THREE_WORDS, chats=2),
    Case("json-only", "completed", text=THREE_WORDS, chats=2),
    Case("flaky-2", "completed", text="At last.", chats=3),
    Case("empty", "completed", text=""),
    Case("think-tags", "completed", text="The answer is 4 < 5."),
    Case("parallel-tools", "completed", text="The result is 14 and 21.", chats=2),
    Case("unknown-tool", "completed", text=None, chats=2),
    Case("bad-arguments", "completed", text=None, chats=2),
    Case("loop-tools", "incomplete", "max_steps", chats=9),
    Case("repeat-tools", "incomplete", "repeat_limit", chats=3),
]


# One of each way through the server: silence, text that is kept, a page, the key, a second try, steps, no stream.
BOTH_WIRES = (
    *("hang-first", "hang-mid", "end-early", "error-mid", "html", "status-401", "flaky-2", "no-stream"),
    *("parallel-tools", "loop-tools"),
)
OPENAI_CASES = [
    replace(case, wire="openai")
    for case in [
        *(case for case in CASES if case.model in BOTH_WIRES),
        failed("status-400", "context_exceeded"),
        failed("error-first", "upstream_error"),
        failed("broken-call", "upstream_dropped", chats=3),  # nobody has seen anything of it
        Case("cut-call", "incomplete", "max_tokens"),
        Case("no-mark", "completed", text=THREE_WORDS),
        Case("pings-on", "completed", text=THREE_WORDS),
        Case("no-tools", "completed", text=THREE_WORDS, chats=2),
    ]
]
# One of each end, as it is stored: with text and without, with steps, after several tries.
BOTH_DATABASES = (
    *("hang-mid", "html", "flaky-2", "empty", "parallel-tools", "bad-arguments", "loop-tools", "cut-call"),
    "status-503",
)
ALL_CASES = [
    pytest.param(case, marks=pytest.mark.process_on_both if case.model in BOTH_DATABASES else (), id=str(case))
    for case in [*CASES, *OPENAI_CASES]
]


@pytest.fixture(scope="module")
def server(_maker: MakeServer, compatible: OpenAIStandIn) -> Iterator[ChatServer]:
    quick = {"UPSTREAM_FIRST_BYTE": 0.4, "UPSTREAM_IDLE": 0.4, "RETRY_DELAY": 0.05}
    with _maker(OPENAI_BASE_URL=compatible.base_url, **quick) as server:
        yield server


async def ask(client: Client, model: str, thread: str | None = None) -> Transcript:
    """``model`` is Ollama's, or a full name."""
    model = model if model.startswith("openai/") else f"ollama/{model}"
    body = {"message": "What is 6 * 7?", "model": model, **({"thread_id": thread} if thread else {})}
    async with client.stream("POST", "/api/chat/stream", body=body) as stream:
        assert stream.status == 200
        return await stream.until_end(within=20)


@pytest.mark.parametrize("case", ALL_CASES)
async def test_a_fault_of_the_model_server_has_its_one_right_end(
    ada: Client, server: ChatServer, standin: StandIn, compatible: OpenAIStandIn, case: Case
) -> None:
    asked = standin if case.wire == "ollama" else compatible
    asked.reset()
    seen = await ask(ada, case.name.removeprefix("ollama/"))
    run = seen.end.data["run"]
    assert run["status"] == case.status
    if case.text is not None:
        assert seen.content == case.text
    if case.status == "failed":
        error = seen.one("error").data
        assert seen.names[-2:] == ["error", "thread.run.failed"]
        assert error["code"] == run["error"]["code"] == seen.end.data["error"]["code"] == case.code
        assert error["message"]
        assert run["error"]["log_id"]
        assert run["error"]["log_id"] in server.log
        assert "Traceback" not in str(run)
        assert seen.one("thread.message.incomplete").data["reason"] == "failed"
    elif case.status == "incomplete":
        assert seen.end.data["reason"] == seen.one("thread.message.incomplete").data["reason"] == case.code
    else:
        assert seen.one("thread.message.completed").data["message"]["content"] == seen.content
    assert asked.stats()["chats"] == case.chats
    history = agreed_end(server, run["id"], seen)
    assert history.texts == seen.texts
    question = server.message_row(run["user_message_id"])
    assert (question["content"], question["status"]) == ("What is 6 * 7?", "completed")
    following = await ask(ada, "slow-3@max", thread=run["thread_id"])
    assert (following.end.name, following.content) == ("thread.run.completed", "t0 t1 t2")


@pytest.mark.parametrize(
    "case",
    [case for case in [*CASES, *OPENAI_CASES] if case.model in ("end-early", "hang-first", "error-mid", "loop-tools")],
    ids=str,
)
async def test_whoever_waits_for_the_whole_is_told_the_same(ada: Client, server: ChatServer, case: Case) -> None:
    answer = await ada.post("/api/chat", {"message": "Hello", "model": case.name})
    assert answer.status_code == case.http
    if case.status != "failed":
        assert answer.json()["message"]["status"] == "incomplete"
        return
    error = answer.json()["error"]
    assert error["code"] == case.code
    run = await ada.look(error["details"]["run_id"])
    assert run["run"]["thread_id"] == error["details"]["thread_id"]
    assert {**error, "details": None} == {**run["run"]["error"], "details": None}


async def test_a_fallback_comes_as_one_piece(ada: Client) -> None:
    for model in ("no-stream", "json-only", "openai/no-stream", "openai/json-only"):
        seen = await ask(ada, model)
        assert seen.names.count("thread.message.delta") == 1


@pytest.mark.parametrize("model", ["parallel-tools", "openai/parallel-tools"])
async def test_tools_are_told_step_by_step(ada: Client, server: ChatServer, model: str) -> None:
    seen = await ask(ada, model)
    steps = [event.data["step"] for event in seen.events if event.name == "thread.run.step.completed"]
    assert {step["output"] for step in steps} == {"14", "21"}
    assert all(step["name"] == "calculator" and step["arguments"] for step in steps)
    whole = await ada.look(seen.end.data["run"]["id"])
    assert {step["id"]: step for step in whole["steps"]} == {step["id"]: step for step in steps}


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("unknown-tool", "tool_unknown"),
        ("bad-arguments", "arguments_invalid"),
        ("openai/unknown-tool", "tool_unknown"),
        ("openai/bad-arguments", "arguments_invalid"),
    ],
)
async def test_a_call_that_cannot_be_made_is_a_failed_step_and_no_failed_run(
    ada: Client, model: str, code: str
) -> None:
    seen = await ask(ada, model)
    assert seen.one("thread.run.step.failed").data["step"]["error"]["code"] == code
    assert seen.end.name == "thread.run.completed"


async def test_a_loop_shows_all_its_steps(ada: Client) -> None:
    loop = await ask(ada, "loop-tools")
    assert loop.names.count("thread.run.step.completed") == 8
    again = await ask(ada, "repeat-tools")
    assert again.names.count("thread.run.step.completed") == 2


@pytest.mark.process_on_both
async def test_a_run_beyond_its_deadline_expires(make_server: MakeServer, people: People) -> None:
    server = make_server(RUN_DEADLINE=1).start()
    async with Client(server.url, people["ada"].token) as ada:
        seen = await ask(ada, "slow-1000@50")
        assert seen.end.name == "thread.run.expired"
        assert seen.one("thread.message.incomplete").data["reason"] == "expired"
        assert agreed_end(server, seen.end.data["run"]["id"], seen).content.startswith("t0 t1 t2")
