"""However often and from wherever an approval is given, what it is for happens at most once, on every database."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatserver.accounts.models import User
from conversations.models import Run, RunEvent
from conversations.services.run_cancel import cancel_run
from conversations.services.run_decide import expire_parked
from conversations.services.run_lease import claim_run, queued_run_ids
from streaming.protocol.errors import ApprovalClosed, ApprovalExpired
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text, ToolCall
from tests.support.bench import running
from tests.support.guarded import TOOLS, entries
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
    assert queued_run_ids(most=5) == [run.pk]
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
        assert (ends(run), run.pk in queued_run_ids(most=50)) == (["cancelled"], False)


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
