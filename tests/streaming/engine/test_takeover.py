"""Runs whose process died, and what the next one makes of them: over a real database, with a scripted model."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.utils import timezone

from chatserver.accounts.models import User
from conversations.models import LearnedModel, Run, RunLease, ServerProcess
from conversations.services import run_lease, run_queue
from conversations.services.run_lease import Claim
from streaming.engine.turn import NOT_FINISHED
from streaming.engine.worker import Worker
from streaming.protocol.errors import ModelUnknown, UpstreamRefused
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text, Thinking, ToolCall
from streaming.providers.scripted import Turn
from streaming.tools.base import tool
from tests.support.bench import EngineBench, Seen, Stored, running
from tests.support.guarded import TOOLS, entries
from tests.support.histories import assert_valid

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
SO_FAR = "The sky is blue because of the light "
PAST = datetime(2026, 1, 1, tzinfo=UTC)
SUM = ToolCall(id="sum", name="calculator", arguments={"expression": "6*7"})


def never() -> asyncio.Event:
    return asyncio.Event()


async def left(user: User, *turns: Turn, until: str = "thread.message.delta", tools: Any = TOOLS) -> tuple[Run, Stored]:
    """A run whose process died, once an event of that name was in its log."""
    async with running(user, turns, tools=tools) as bench:
        run = await bench.send("Why?")
        await bench.until(run, until)
        await bench.die()
        return run, await bench.stored(run)


async def taken_over(
    user: User, run: Run, before: Stored, *turns: Turn, tools: Any = TOOLS
) -> tuple[EngineBench, Seen, Stored]:
    """What the next process makes of it; whatever that is, the history is a legal one."""
    async with running(user, turns, tools=tools) as bench:
        seen = await bench.watch(run)
        after = await bench.stored(run)
    after.agree()
    assert_valid(seen.events)
    assert seen.entries[: len(before.entries)] == before.entries
    return bench, seen, after


def news(seen: Seen, before: Stored) -> list[str]:
    return [name.removeprefix("thread.") for name in seen.names[len(before.entries) :]]


def asked(bench: EngineBench, request: int = 0) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in bench.provider.requests[request].messages]


# --- where it was --------------------------------------------------------------------------------------------------


async def test_the_answer_goes_on_from_the_very_text_that_its_readers_saw(user: User) -> None:
    run, before = await left(user, [[Text(SO_FAR)], never()])
    bench, seen, after = await taken_over(user, run, before, [[Text(" being")], [Text(" scattered.")], [STOP]])
    assert news(seen, before)[0] == "run.in_progress"
    assert seen.events[len(before.entries)].attempt == 2  # type: ignore[attr-defined]
    assert (after.run.status, after.run.attempt, after.lease.number) == (RunStatus.COMPLETED, 2, 2)
    assert after.answer.content == seen.text == f"{SO_FAR}being scattered."
    assert asked(bench) == [("user", "Why?"), ("assistant", SO_FAR.rstrip())]
    assert bench.provider.requests[0].think is False


async def test_what_no_process_has_counted_is_not_told(user: User) -> None:
    run, before = await left(user, [[Text(SO_FAR)], never()])
    _, _, after = await taken_over(user, run, before, [[Text("being scattered.")], [STOP]])
    assert (after.run.usage, after.run.timing["chunks"], after.run.timing["first_token_ms"]) == (None, None, None)


async def test_before_the_first_token_it_is_asked_again_from_the_start(user: User) -> None:
    run, before = await left(user, [never()], until="thread.run.in_progress")
    bench, seen, after = await taken_over(user, run, before, [[Text("Because.")], [STOP]])
    assert asked(bench) == [("user", "Why?")]
    assert bench.provider.requests[0].think is None
    assert news(seen, before)[:2] == ["run.in_progress", "message.delta"]
    assert after.run.timing["first_token_ms"] is not None
    assert after.run.usage == {"prompt_tokens": 3, "completion_tokens": 2}


async def test_a_claim_that_came_to_nothing_was_an_attempt_all_the_same(user: User) -> None:
    async with running(user, []) as bench:
        with mock.patch.object(bench.engine.supervisor, "_employ"):
            run = await bench.send()
            async with asyncio.timeout(5):
                while (before := await bench.stored(run)).run.status != RunStatus.IN_PROGRESS:
                    await asyncio.sleep(0.02)
        await bench.die()
    _, _, after = await taken_over(user, run, before, [[Text("x")], [STOP]])
    assert (len(before.entries), after.run.attempt, after.run.status) == (3, 2, RunStatus.COMPLETED)


async def test_thinking_that_was_cut_short_is_closed_and_begun_anew(user: User) -> None:
    run, before = await left(user, [[Thinking("Let me ")], never()], until="thread.run.step.in_progress")
    bench, seen, after = await taken_over(user, run, before, [[Thinking("Hm.")], [Text("Because.")], [STOP]])
    assert news(seen, before)[:3] == ["run.in_progress", "run.step.cancelled", "run.step.created"]
    assert [(step.status, step.details, step.error) for step in after.steps] == [
        ("cancelled", "Let me ", None),
        ("completed", "Hm.", None),
    ]
    assert asked(bench) == [("user", "Why?")]
    assert (after.answer.thinking, after.answer.content) == ("Let me \n\nHm.", "Because.")


async def test_between_the_last_token_and_the_end_the_model_has_the_last_word(user: User) -> None:
    """Nothing in the log proves that it had finished; it says so now, and adds nothing."""
    run, before = await left(user, [[Text(SO_FAR)], never()])
    _, seen, after = await taken_over(user, run, before, [[STOP]])
    assert news(seen, before) == ["run.in_progress", "message.completed", "run.completed"]
    assert after.answer.content == SO_FAR


async def test_an_answer_that_the_model_does_not_finish_is_not_shown_as_complete(user: User) -> None:
    run, before = await left(user, [[Text(SO_FAR)], never()])
    _, _, after = await taken_over(user, run, before, [[Text("being")]])
    assert (after.run.status, after.run.error_code) == (RunStatus.FAILED, "upstream_truncated")
    assert (after.answer.content, after.answer.status) == (f"{SO_FAR}being", "incomplete")


# --- tools ---------------------------------------------------------------------------------------------------------

started: list[str] = []


@tool(title="Launch")
async def launch(what: str) -> str:
    """Does something once, and does not come back."""
    started.append(what)
    await asyncio.Event().wait()
    return what


async def test_a_tool_that_was_running_is_never_run_again_by_itself(user: User) -> None:
    started.clear()
    calls = [ToolCall(id="l", name="launch", arguments={"what": "rocket"}), SUM]
    run, before = await left(
        user, [[Text("One moment.")], calls, [STOP]], until="thread.run.step.completed", tools=(*TOOLS, launch)
    )
    bench, seen, after = await taken_over(user, run, before, [[Text(" It is 42.")], [STOP]], tools=(*TOOLS, launch))
    assert started == ["rocket"]
    assert [(step.name, step.status, step.output) for step in after.steps] == [
        ("launch", "cancelled", None),
        ("calculator", "completed", "42"),
    ]
    assert after.steps[0].error["code"] == "outcome_unknown"
    assert news(seen, before)[:3] == ["run.in_progress", "run.step.cancelled", "message.delta"]
    assert asked(bench)[1:] == [("assistant", "One moment."), ("tool", f"Error: {NOT_FINISHED}"), ("tool", "42")]
    assert (after.run.status, after.answer.content) == (RunStatus.COMPLETED, "One moment. It is 42.")


async def test_its_unknown_outcome_is_told_however_the_run_ends(user: User) -> None:
    call = ToolCall(id="l", name="launch", arguments={"what": "rocket"})
    tools = (*TOOLS, launch)
    run, _ = await left(user, [[call], [STOP]], until="thread.run.step.in_progress", tools=tools)
    async with running(user, [], tools=tools) as bench:
        with mock.patch.object(bench.engine.registry, "resolve", side_effect=ModelUnknown()):
            await bench.watch(run)
        after = await bench.stored(run)
    after.agree()
    assert (after.run.error_code, after.steps[0].error["code"]) == ("model_unknown", "outcome_unknown")


async def test_a_call_that_waits_for_a_person_still_does(user: User, settings: Any, tmp_path: Any) -> None:
    settings.DATA_DIR = str(tmp_path)
    tools = (*TOOLS, launch)
    calls = [
        ToolCall(id="l", name="launch", arguments={"what": "rocket"}),
        ToolCall(id="w", name="write_journal", arguments={"line": "hello"}),
    ]
    run, _ = await left(user, [calls, [STOP]], until="thread.run.step.in_progress", tools=tools)
    async with running(user, [[[Text("Done.")], [STOP]]], tools=tools) as bench:
        (question,) = await bench.parked(run)
        assert (question.tool, entries(), bench.provider.requests) == ("write_journal", [], [])
        await bench.decide(run, question, "approve")
        seen = await bench.watch(run)
        after = await bench.stored(run)
    after.agree()
    assert_valid(seen.events)
    assert entries() == ["hello"]
    assert (after.run.status, after.run.attempt) == (RunStatus.COMPLETED, 2)
    assert asked(bench)[1:] == [("assistant", ""), ("tool", f"Error: {NOT_FINISHED}"), ("tool", "Written: hello")]


async def test_a_parked_run_is_left_in_peace(user: User, settings: Any, tmp_path: Any) -> None:
    settings.DATA_DIR = str(tmp_path)
    async with running(
        user, [[[ToolCall(id="w", name="write_journal", arguments={"line": "x"})], [STOP]]], tools=TOOLS
    ) as bench:
        run = await bench.send()
        await bench.parked(run)
        await bench.die()
    async with running(user, [], tools=TOOLS) as after:
        await asyncio.sleep(1.2)
        stored = await after.stored(run)
    assert (stored.run.status, stored.run.attempt, stored.lease.number) == (RunStatus.REQUIRES_ACTION, 1, 1)


@pytest.mark.parametrize(
    ("limit", "reason"), [({"MAX_TOOL_STEPS": 2}, "max_steps"), ({"MAX_REPEATS": 3}, "repeat_limit")], ids=str
)
async def test_what_was_called_before_counts(user: User, settings: Any, limit: dict[str, int], reason: str) -> None:
    for name, number in limit.items():
        setattr(settings, name, number)
    again = [[SUM], [STOP]]
    run, before = await left(user, again, again, [[Text("So ")], never()])
    _, seen, after = await taken_over(user, run, before, again)
    assert (after.run.status, seen.events[-1].reason) == (RunStatus.INCOMPLETE, reason)  # type: ignore[attr-defined]
    assert [step.status for step in after.steps] == ["completed", "completed", "failed"]


# --- how often, how long -------------------------------------------------------------------------------------------


async def test_a_run_may_lose_its_process_more_than_once(user: User) -> None:
    run, before = await left(user, [[Text("One ")], never()])
    for attempt, word in ((2, "two "), (3, "three ")):
        async with running(user, [[[Text(word)], never()]]) as bench:
            async with asyncio.timeout(5):
                while word not in "".join(entry.text for entry in before.entries):
                    await asyncio.sleep(0.02)
                    before = await bench.stored(run)
            assert before.run.attempt == attempt
            await bench.die()
    bench, seen, after = await taken_over(user, run, before, [[Text("four.")], [STOP]])
    assert after.answer.content == seen.text == "One two three four."
    assert asked(bench)[-1] == ("assistant", "One two three")
    assert (after.run.attempt, after.lease.lost) == (4, 3)


async def test_a_run_that_ends_its_process_each_time_does_not_go_round_for_ever(user: User, settings: Any) -> None:
    settings.MAX_ATTEMPTS = 3
    run, before = await left(user, [[Text("half")], never()])
    for _ in range(2):
        async with running(user, [[never()]]) as bench:
            async with asyncio.timeout(5):
                while not bench.provider.requests:
                    await asyncio.sleep(0.02)
            await bench.die()
            before = await bench.stored(run)
    bench, seen, after = await taken_over(user, run, before, [[Text(" more")], [STOP]])
    assert bench.provider.requests == []
    assert news(seen, before) == ["message.incomplete", "run.incomplete"]
    assert (after.run.status, after.answer.content, after.lease.lost) == (RunStatus.INCOMPLETE, "half", 3)


async def test_the_deadline_counts_what_others_have_worked_on_it(user: User, settings: Any) -> None:
    run, before = await left(user, [[Text("half")], never()])
    await sync_to_async(RunLease.objects.update)(held=settings.RUN_DEADLINE)
    _, _, after = await taken_over(user, run, before, [[Text(" more")], never()])
    assert (after.run.status, after.answer.content) == (RunStatus.EXPIRED, "half")


async def test_what_was_begun_goes_before_what_waits_to_begin(user: User, settings: Any) -> None:
    run, before = await left(user, [[Text("half")], never()])
    settings.RUN_CAPACITY = 0
    async with running(user, []) as bench:
        queued = await bench.send()
        await asyncio.sleep(1.2)
        assert (await bench.stored(run)).lease.number == before.lease.number  # one that only serves pages takes nothing
    settings.RUN_CAPACITY = 1
    gate = never()
    async with running(user, [[gate, [Text(" more")], [STOP]]]) as bench:
        async with asyncio.timeout(5):
            while not bench.provider.requests:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert asked(bench)[-1] == ("assistant", "half")
        assert (await bench.stored(queued)).run.status == RunStatus.QUEUED
        assert bench.engine.supervisor.running == 1
        gate.set()
        assert (await bench.watch(run)).text == "half more"
        await bench.watch(queued)


async def test_with_all_places_taken_left_runs_wait_in_turn(user: User, settings: Any) -> None:
    async with running(user, [[[Text("half")], never()]]) as bench:
        runs = [await bench.send() for _ in range(3)]
        for run in runs:
            await bench.until(run, "thread.message.delta")
        await bench.die()
    settings.RUN_CAPACITY = 1
    gate = never()
    async with running(user, [[gate, [Text(" more")], [STOP]]]) as bench:
        async with asyncio.timeout(5):
            while not bench.provider.requests:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1.2)
        assert (bench.engine.supervisor.running, len(bench.provider.requests)) == (1, 1)
        gate.set()
        for run in runs:
            assert (await bench.watch(run)).text == "half more"


# --- models that do not go on --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "turn",
    [[[Text("The sky is")], [Text(" blue because of the light, you know.")], [STOP]], [UpstreamRefused()]],
    ids=["begins again", "refuses"],
)
async def test_a_model_that_does_not_go_on_leaves_what_there_is(user: User, turn: Turn) -> None:
    run, before = await left(user, [[Text(SO_FAR)], never()])
    bench, seen, after = await taken_over(user, run, before, turn)
    assert news(seen, before) == ["run.in_progress", "message.incomplete", "run.incomplete"]
    assert (after.run.status, seen.events[-1].reason) == (RunStatus.INCOMPLETE, "interrupted")  # type: ignore[attr-defined]
    assert (after.answer.content, after.answer.status) == (SO_FAR, "incomplete")
    assert len(bench.provider.requests) == 1


async def test_what_was_seen_of_a_model_is_remembered_and_it_is_not_asked_in_vain(user: User) -> None:
    for requests in (1, 0):
        run, _ = await left(user, [[Text(SO_FAR)], never()])
        async with running(user, [[UpstreamRefused()]]) as bench:
            await bench.watch(run)
            after = await bench.stored(run)
            async with asyncio.timeout(5):
                while not await LearnedModel.objects.aexists():
                    await asyncio.sleep(0.02)
        assert len(bench.provider.requests) == requests
        assert (after.run.status, after.answer.content) == (RunStatus.INCOMPLETE, SO_FAR)
    assert not (await LearnedModel.objects.aget(pk="scripted/model")).continues


# --- those who were thought dead -----------------------------------------------------------------------------------


async def test_a_worker_whose_lease_is_another_s_is_stopped_by_the_next_beat(user: User, settings: Any) -> None:
    """Though it has nothing to write by which it would notice."""
    settings.LEASE_BEAT = 0.1
    async with running(user, [[[Text("a")], never()]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        before = (await bench.stored(run)).entries
        soon = timezone.now() + timedelta(seconds=60)
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(number=99, holder="other", expires_at=soon)
        async with asyncio.timeout(2):
            while bench.engine.supervisor.running:
                await asyncio.sleep(0.02)
        stored = await bench.stored(run)
    assert bench.provider.closed_early == 1
    assert (stored.entries, stored.lease.holder, stored.lease.number) == (before, "other", 99)


async def test_a_claim_whose_answer_was_lost_on_the_way_is_gone_on_with(user: User, settings: Any) -> None:
    """The database has it as ours, and we extend all that is ours: nobody else would ever take it."""
    settings.LEASE_BEAT = 0.1
    lost: list[Claim] = []

    def losing(**wishes: Any) -> tuple[int, list[Claim]]:
        wanted, claims = run_queue.claim_shares(**wishes)
        if claims and not lost:
            lost.extend(claims)
            raise OperationalError("the connection was closed")
        return wanted, claims

    async with running(user, [[[Text("Because.")], [STOP]]]) as bench:
        with mock.patch("streaming.engine.supervisor.run_queue", SimpleNamespace(claim_shares=losing)):
            run = await bench.send()
            await bench.watch(run)
        after = await bench.stored(run)
    after.agree()
    assert [claim.run_id for claim in lost] == [run.pk]
    assert (after.run.status, after.lease.number) == (RunStatus.COMPLETED, 2)


async def test_a_lease_that_could_not_be_given_up_when_its_worker_fell_is_given_up_later(
    user: User, settings: Any
) -> None:
    settings.LEASE_BEAT, settings.LEASE_EXPIRY = 0.1, 0.5
    works, gives_up = Worker.carry_out, run_lease.let_go
    fallen: list[Worker] = []
    kept: list[Claim] = []

    async def falling(worker: Worker) -> None:
        if not fallen:
            fallen.append(worker)
            raise RuntimeError("a fault of ours")
        await works(worker)

    def failing(*, claim: Claim) -> None:
        kept.append(claim)
        if len(kept) == 1:
            raise OperationalError("the connection was closed")
        gives_up(claim=claim)

    async with running(user, [[[Text("Because.")], [STOP]]]) as bench:
        with mock.patch.object(Worker, "carry_out", falling), mock.patch.object(run_lease, "let_go", failing):
            run = await bench.send()
            await bench.watch(run)
        after = await bench.stored(run)
    after.agree()
    assert len(kept) > 1
    assert (after.run.status, after.lease.number) == (RunStatus.COMPLETED, 2)


# --- a drain, with others there ------------------------------------------------------------------------------------


async def alive(name: str = "other", **changes: Any) -> None:
    row = {"capacity": 5, "draining": False, "expires_at": timezone.now() + timedelta(seconds=60), **changes}
    await ServerProcess.objects.acreate(pk=name, **row)


async def handed_back_at_once(bench: EngineBench, runs: Sequence[Run]) -> list[bool]:
    """Which of them a drain gives away before its grace is over."""
    bench.engine.supervisor._alone = False
    draining = asyncio.ensure_future(bench.engine.supervisor.drain(grace=1.5))
    await asyncio.sleep(0.7)
    held = [not (await bench.stored(run)).lease.holder for run in runs]
    await draining
    return held


async def test_what_nobody_has_seen_anything_of_is_handed_back_at_once(user: User) -> None:
    await alive()
    async with running(user, [[never()]]) as bench:
        run = await bench.send()
        async with asyncio.timeout(5):
            while not bench.provider.requests:
                await asyncio.sleep(0.02)
        assert await handed_back_at_once(bench, [run]) == [True]
        assert (await ServerProcess.objects.aget(pk=bench.engine.supervisor._holder)).draining
    assert not await ServerProcess.objects.filter(pk=bench.engine.supervisor._holder).aexists()


@pytest.mark.parametrize(
    "others",
    [[], [{"draining": True}], [{"expires_at": PAST}], [{"capacity": 0}]],
    ids=["nobody", "drains", "dead", "pages only"],
)
async def test_with_nobody_to_take_it_a_run_may_use_the_grace(user: User, others: list[dict[str, Any]]) -> None:
    for other in others:
        await alive(**other)
    async with running(user, [[never()]]) as bench:
        run = await bench.send()
        async with asyncio.timeout(5):
            while not bench.provider.requests:
                await asyncio.sleep(0.02)
        assert await handed_back_at_once(bench, [run]) == [False]
        assert not (await bench.stored(run)).lease.holder


@pytest.mark.parametrize(
    ("turn", "known", "at_once"),
    [
        ([[Text(SO_FAR)], never()], True, True),
        ([[Text(SO_FAR)], never()], None, False),
        ([[Text(SO_FAR)], never()], False, False),
        ([[Thinking("Hm.")], never()], True, False),
    ],
    ids=["goes on", "unknown", "does not go on", "thinks"],
)
async def test_what_was_begun_is_handed_back_at_once_only_where_nothing_is_lost(
    user: User, turn: Turn, known: bool | None, at_once: bool
) -> None:
    await alive()
    if known is not None:
        await LearnedModel.objects.acreate(pk="scripted/model", continues=known, learned_at=timezone.now())
    async with running(user, [turn]) as bench:
        run = await bench.send()
        await bench.until(
            run, "thread.run.step.in_progress" if isinstance(turn[0][0], Thinking) else "thread.message.delta"
        )  # type: ignore[index]
        assert await handed_back_at_once(bench, [run]) == [at_once]


async def test_no_more_is_handed_back_at_once_than_others_have_room_for(user: User) -> None:
    await alive(capacity=1)
    async with running(user, [[never()]]) as bench:
        runs = [await bench.send() for _ in range(3)]
        async with asyncio.timeout(5):
            while len(bench.provider.requests) < 3:
                await asyncio.sleep(0.02)
        assert sum(await handed_back_at_once(bench, runs)) >= 1


async def test_a_tool_may_finish_within_the_grace(user: User) -> None:
    gate = asyncio.Event()

    @tool(title="Slow")
    async def slow() -> str:
        """Takes its time."""
        await gate.wait()
        return "done"

    await alive()
    async with running(
        user, [[[ToolCall(id="s", name="slow", arguments={})], [STOP]], [never()]], tools=(slow,)
    ) as bench:
        run = await bench.send()
        await bench.until(run, "thread.run.step.in_progress")
        bench.engine.supervisor._alone = False
        draining = asyncio.ensure_future(bench.engine.supervisor.drain(grace=5))
        await asyncio.sleep(0.3)
        assert (await bench.stored(run)).lease.holder
        gate.set()
        await bench.until(run, "thread.run.step.completed")
        async with asyncio.timeout(3):  # and with its result told, it can go on elsewhere
            await draining
        stored = await bench.stored(run)
    assert (stored.run.status, stored.lease.holder) == (RunStatus.IN_PROGRESS, "")
