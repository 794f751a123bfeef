"""However often and from wherever an approval is given, what it is for happens at most once, on every database."""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatserver.accounts.models import User
from conversations import selectors
from conversations.models import Run, RunEvent
from conversations.services.run_cancel import cancel_run
from conversations.services.run_decide import expire_parked
from conversations.services.run_lease import claim_run
from streaming.protocol.errors import ApprovalClosed, ApprovalExpired
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text, ToolCall
from streaming.providers.scripted import ScriptedProvider
from tests.support.bench import running
from tests.support.guarded import TOOLS, entries
from tests.support.inside import Answer, Inside
from tests.support.stored import ask, decide, park
from tests.support.together import together

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage())
CALL = ToolCall(id="w", name="write_journal", arguments={"line": "hello"})


def ends(run: Run) -> list[str]:
    texts = RunEvent.objects.filter(run=run).values_list("text", flat=True)
    return [name for name in ("cancelled", "expired") for text in texts if f'"event":"thread.run.{name}"' in text]


def test_of_two_decisions_at_once_one_counts_and_the_other_is_told(user: User) -> None:
    for _ in range(4):
        (asked,) = park(ask(user).run, "hello")
        outcomes = together([partial(decide, asked, word) for word in ("approve", "deny", "approve", "deny")])
        told = [outcome for outcome in outcomes if isinstance(outcome, ApprovalClosed)]
        assert len(told) == 2
        asked.refresh_from_db()
        assert {refusal.details["decision"] for refusal in told if refusal.details} == {asked.decision}


def test_of_two_different_arguments_at_once_one_is_approved(user: User) -> None:
    (asked,) = park(ask(user).run, "hello")
    outcomes = together([partial(decide, asked, "approve", {"line": line}) for line in ("a", "b")])
    assert sum(isinstance(outcome, ApprovalClosed) for outcome in outcomes) == 1
    asked.refresh_from_db()
    assert asked.approved_arguments in ({"line": "a"}, {"line": "b"})


def test_many_questions_decided_at_once_leave_a_run_that_one_worker_gets(user: User) -> None:
    run = ask(user).run
    asked = park(run, *"abcdef")
    assert not [each for each in together([partial(decide, one, "approve") for one in asked]) if each != run]
    assert selectors.in_turn(server="demo", most=5) == [run.pk]
    claims = together([partial(claim_run, run_id=run.pk, holder=f"w{n}", expiry=10) for n in range(6)])
    assert sum(claim is not None for claim in claims) == 1


def test_an_approval_that_races_a_stop_leaves_one_clear_state(user: User) -> None:
    for _ in range(6):
        run = ask(user).run
        (asked,) = park(run, "hello")
        decided, cancelled = together(
            [partial(decide, asked, "approve"), partial(cancel_run, run=run, by="user", reason="requested")]
        )
        assert cancelled.status == RunStatus.CANCELLED
        assert isinstance(decided, Run | ApprovalClosed)
        assert (ends(run), run.pk in selectors.in_turn(server="demo", most=50)) == (["cancelled"], False)


def test_an_approval_that_races_its_expiry_either_counts_or_is_too_late(user: User) -> None:
    for _ in range(4):
        run = ask(user).run
        (asked,) = park(run, "hello", expires_in=0.02)
        outcomes = together([partial(decide, asked, "approve"), *[partial(expire_parked, most=10)] * 2])
        expire_parked(most=10)
        run.refresh_from_db()
        if isinstance(outcomes[0], Run):
            assert (run.status, ends(run)) == ("requires_action", [])
        else:
            assert isinstance(outcomes[0], ApprovalExpired)
            assert ends(run) in ([], ["expired"])  # it may not have been due quite yet


async def test_what_is_approved_by_everybody_at_once_runs_once(user: User, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = str(tmp_path)
    async with running(user, [[[CALL], [STOP]], [[Text("Done.")], [STOP]]], tools=TOOLS) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        at_once = [bench.engine.offload(partial(decide, asked, "approve")) for _ in range(8)]
        assert {decided.pk for decided in await asyncio.gather(*at_once)} == {run.pk}
        await bench.watch(run)
        again = await bench.decide(run, asked, "approve")
        stored = await bench.stored(run)
    stored.agree()
    assert (again.status, entries()) == (RunStatus.COMPLETED, ["hello"])


async def test_a_replayed_approval_approves_no_later_call(user: User, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = str(tmp_path)
    async with running(user, [[[CALL], [STOP]], [[CALL], [STOP]], [[Text("Done.")], [STOP]]], tools=TOOLS) as bench:
        run = await bench.send()
        (first,) = await bench.parked(run)
        await bench.decide(run, first, "approve")
        (second,) = await bench.parked(run, times=2)
        await bench.decide(run, first, "approve")  # the same call, the same arguments, the old approval
        assert [left.pk for left in await bench.parked(run, times=2)] == [second.pk]
        assert entries() == ["hello"]
        await bench.decide(run, second, "deny")
        await bench.watch(run)
        (await bench.stored(run)).agree()
    assert entries() == ["hello"]


class Tab:
    """Somebody's way in, from any thread."""

    def __init__(self, inside: Inside, token: str) -> None:
        self.inside = inside
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, address: str, body: Any = None) -> Answer:
        raw = None if body is None else json.dumps(body).encode()
        return self.inside.request(method, address, headers=self.headers, body=raw)

    def post(self, run_id: str, approval_id: str, **body: Any) -> Answer:
        return self.call("POST", f"/api/v1/runs/{run_id}/approvals/{approval_id}", body)

    def frame(self, run_id: str, approval_id: str, **body: Any) -> dict[str, Any]:
        data = {"run_id": run_id, "approval_id": approval_id, **body}
        talk = self.inside.talk({"event": "tool.approve", "req": 1, "data": data}, headers=self.headers)
        return talk.replies[0]

    def ended(self, run_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while (state := self.call("GET", f"/api/v1/runs/{run_id}").json)["run"]["finished_at"] is None:
            assert time.monotonic() < deadline, state
            time.sleep(0.05)
        return state  # type: ignore[no-any-return]


def test_two_tabs_on_both_transports_decide_once(
    user: User, token_for: Callable[..., str], tmp_path: Path, settings: Any
) -> None:
    settings.DATA_DIR = str(tmp_path)
    turns = [[[Text("Let me. "), CALL], [STOP]], [[Text("Done.")], [STOP]]]
    with Inside(providers=[ScriptedProvider(turns)], tools=TOOLS) as inside:
        tab, reader = Tab(inside, token_for(user)), Tab(inside, token_for(user, ["read"]))
        waits = tab.call("POST", "/api/chat", {"message": "write it down"})
        assert (waits.status, waits.json["message"]["content"], waits.json["message"]["status"]) == (
            200,
            "Let me. ",
            "in_progress",
        )
        run_id, (asked,) = waits.json["run_id"], waits.json["approvals"]
        state = tab.call("GET", f"/api/v1/runs/{run_id}").json
        assert (state["run"]["status"], state["approvals"]) == ("requires_action", [asked])
        assert (asked["tool"], asked["arguments"]) == ("write_journal", {"line": "hello"})
        assert asked["step_id"] == state["steps"][0]["id"]

        ids = (run_id, asked["approval_id"])
        for body, field in (
            ({"decision": "approve", "arguments": {"line": 3}}, "arguments"),
            ({"decision": "approve", "arguments": {"line": "x", "more": 1}}, "arguments"),
            ({"decision": "approve", "arguments": {"line": "x" * 70_000}}, "arguments"),
            ({"decision": "perhaps"}, "decision"),
        ):
            refused = tab.post(*ids, **body)
            assert (refused.status, refused.json["error"]["details"]["field"]) == (400, field)
        assert tab.post(*ids, decision="deny", arguments={"line": "x"}).status == 400
        assert reader.post(*ids, decision="approve").status == 403
        assert entries() == []

        approve = {"decision": "approve"}
        acts = [partial(tab.post, *ids, **approve), partial(tab.frame, *ids, **approve)] * 3
        for outcome in together(acts):
            told = outcome.status if isinstance(outcome, Answer) else outcome["event"]
            assert told in (200, "ack"), outcome
        state = tab.ended(run_id)
        assert (state["run"]["status"], state["messages"][-1]["content"]) == ("completed", "Let me. Done.")
        assert "approvals" not in state
        assert entries() == ["hello"]

        again = tab.post(*ids, decision="approve")
        assert (again.status, again.json["run"]["status"]) == (200, "completed")
        other = tab.post(*ids, decision="deny")
        assert (other.status, other.json["error"]["code"]) == (409, "approval_closed")
        reply = tab.frame(*ids, decision="deny")
        assert (reply["event"], reply["data"]["code"]) == ("error", "approval_closed")
        assert tab.frame(*ids, decision="approve")["data"]["status"] == "completed"
        assert entries() == ["hello"]


def test_a_whole_answer_waits_for_a_person_and_after_a_stop_it_is_too_late(
    user: User, token_for: Callable[..., str], tmp_path: Path, settings: Any
) -> None:
    settings.DATA_DIR = str(tmp_path)
    with Inside(providers=[ScriptedProvider([[[CALL], [STOP]]])], tools=TOOLS) as inside:
        tab = Tab(inside, token_for(user))
        thread_id = tab.call("POST", "/api/v1/threads", {}).json["id"]
        address = f"/api/v1/threads/{thread_id}/runs?wait=true"
        waits = tab.call("POST", address, {"content": "write", "idempotency_key": "k"})
        run_id, (asked,) = waits.json["run"]["id"], waits.json["approvals"]
        again = tab.call("POST", address, {"content": "write", "idempotency_key": "k"})
        assert (again.header("Idempotency-Replayed"), again.json["approvals"]) == ("true", [asked])
        snapshot = inside.request(
            "GET", f"/api/v1/runs/{run_id}/events?after=1&snapshot=1", headers=tab.headers, parts=2
        )
        assert f'"approval_id":"{asked["approval_id"]}"' in snapshot.body.decode()

        stopped = tab.call("POST", f"/api/v1/runs/{run_id}/cancel")
        assert (stopped.status, stopped.json["run"]["status"]) == (200, "cancelled")
        late = tab.post(run_id, asked["approval_id"], decision="approve")
        assert (late.status, late.json["error"]["details"]) == (409, {"status": "cancelled"})
        assert tab.frame(run_id, asked["approval_id"], decision="approve")["data"]["code"] == "approval_closed"
        ended = tab.call("POST", address, {"content": "write", "idempotency_key": "k"})
        assert (ended.json["run"]["status"], "approvals" in ended.json) == ("cancelled", False)

        first = tab.call("POST", address, {"content": "write"}).json
        second = tab.call("POST", address, {"content": "no, this", "if_busy": "interrupt"}).json
        assert tab.ended(first["run"]["id"])["run"]["status"] == "cancelled"
        assert [second["run"]["status"], len(second["approvals"])] == ["requires_action", 1]
        assert tab.post(first["run"]["id"], first["approvals"][0]["approval_id"], decision="approve").status == 409
    assert entries() == []
