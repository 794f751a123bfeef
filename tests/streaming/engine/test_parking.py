"""A run that asks a person first: parked, decided, gone on with; over a real database, with a tool that can be seen."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Approval, Run, RunEvent, RunLease
from conversations.selectors import open_approvals
from conversations.services.run_decide import expire_parked
from conversations.services.threads import delete_thread
from streaming.engine import worker
from streaming.engine.turn import NOT_FINISHED
from streaming.eventlog.base import LogLost
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text, ToolCall
from streaming.providers.scripted import Turn
from streaming.transports.follow import follow
from tests.support.bench import Seen, running
from tests.support.guarded import TOOLS, entries

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
SUM = ToolCall(id="sum", name="calculator", arguments={"expression": "6*7"})


@pytest.fixture(autouse=True)
def _own_journal(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = str(tmp_path)


def writing(line: str = "hello", id: str = "w1") -> ToolCall:
    return ToolCall(id=id, name="write_journal", arguments={"line": line})


ASKS: Turn = [[Text("Let me. ")], [writing()], [STOP]]
THEN: Turn = [[Text("Done.")], [STOP]]


def bench_of(user: User, *turns: Turn) -> Any:
    return running(user, turns or (ASKS, THEN), tools=TOOLS)


def names(seen: Seen) -> list[str]:
    return [name.removeprefix("thread.") for name in seen.names]


async def test_before_anybody_has_agreed_nothing_runs_and_nobody_holds_the_run(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        stored = await bench.stored(run)
        tasks = len(bench.engine.tasks)
        assert (asked.tool, asked.arguments, asked.decision) == ("write_journal", {"line": "hello"}, "")
        assert (stored.run.status, stored.run.attempt) == (RunStatus.REQUIRES_ACTION, 1)
        assert (stored.lease.holder, stored.lease.expires_at) == ("", None)
        assert (stored.answer.status, stored.answer.content) == ("in_progress", "Let me. ")
        assert [(step.name, step.status, step.pk) for step in stored.steps] == [
            ("write_journal", "in_progress", asked.step_id)
        ]
        assert entries() == []
        async with asyncio.timeout(10):
            while bench.engine.supervisor.running or len(bench.engine.tasks) > tasks:
                await asyncio.sleep(0.02)


async def test_what_was_approved_runs_once_and_the_answer_goes_on(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send("write it down")
        (asked,) = await bench.parked(run)
        await bench.decide(run, asked, "approve")
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert entries() == ["hello"]
    assert (stored.run.status, stored.answer.content) == (RunStatus.COMPLETED, "Let me. Done.")
    assert (stored.run.attempt, stored.run.usage) == (1, {"prompt_tokens": 6, "completion_tokens": 4})
    assert stored.run.timing["first_token_ms"] is not None
    assert stored.run.first_token_at is not None
    assert names(seen)[4:] == [
        "message.delta",
        "run.step.created",
        "run.requires_action",
        "run.in_progress",
        "run.step.in_progress",
        "run.step.in_progress",
        "run.step.completed",
        "message.delta",
        "message.completed",
        "run.completed",
    ]
    question, turn, result = bench.provider.requests[1].messages
    assert (question.role, question.content) == ("user", "write it down")
    assert (turn.role, turn.content, turn.tool_calls[0].arguments) == ("assistant", "Let me. ", {"line": "hello"})
    assert (result.role, result.content) == ("tool", "Written: hello")
    assert result.tool_call_id == turn.tool_calls[0].id


async def test_a_decision_wakes_whoever_can_go_on(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        bench.engine.supervisor._poll = 60.0
        bench.engine.supervisor._look.set()  # so that it begins to wait for so long
        await asyncio.sleep(0.3)
        await bench.decide(run, asked, "approve")
        assert names(await bench.watch(run))[-1] == "run.completed"


async def test_what_was_denied_does_not_run_and_the_model_is_told_why(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        await bench.decide(run, asked, "deny", note="Not today.")
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert entries() == []
    assert [(step.status, step.error["code"]) for step in stored.steps] == [("failed", "denied")]
    told = bench.provider.requests[1].messages[-1].content
    assert told == "Error: Not run: the user did not allow it. Not today."


async def test_other_arguments_may_be_approved_and_those_run(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        await bench.decide(run, asked, "approve", arguments={"line": "goodbye"})
        seen = await bench.watch(run)
        stored = await bench.stored(run)
        row = await sync_to_async(Approval.objects.get)(pk=asked.pk)
    stored.agree()
    assert entries() == ["goodbye"]
    assert (row.arguments, row.changed) == ({"line": "hello"}, {"line": "goodbye"})
    assert stored.steps[0].arguments == {"line": "goodbye"}
    begun = next(event for event in seen.events if event.name == "thread.run.step.in_progress")
    assert begun.arguments == {"line": "goodbye"}  # type: ignore[attr-defined]
    assert bench.provider.requests[1].messages[1].tool_calls[0].arguments == {"line": "goodbye"}


async def test_the_other_calls_of_the_turn_finish_before_it_parks(user: User) -> None:
    async with bench_of(user, [[writing(), SUM], [STOP]], THEN) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        assert [step.output for step in (await bench.stored(run)).steps] == [None, "42"]
        await bench.decide(run, asked, "approve")
        await bench.watch(run)
        (await bench.stored(run)).agree()
    results = bench.provider.requests[1].messages[-2:]
    assert [message.content for message in results] == ["Written: hello", "42"]


async def test_the_run_waits_until_all_is_decided(user: User) -> None:
    turn: Turn = [[writing("one", "a"), writing("two", "b")], [STOP]]
    async with bench_of(user, turn, THEN) as bench:
        run = await bench.send()
        first, second = await bench.parked(run)
        await bench.decide(run, first, "approve")
        assert (await bench.stored(run)).run.status == RunStatus.REQUIRES_ACTION
        assert [left.pk for left in await bench.parked(run)] == [second.pk]
        await bench.decide(run, second, "deny")
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert [step.status for step in stored.steps] == ["completed", "failed"]
    assert entries() == ["one"]


async def test_a_run_may_be_parked_again_and_again(user: User) -> None:
    turns: list[Turn] = [[[Text(f"{n} ")], [writing(str(n))], [STOP]] for n in range(3)]
    async with bench_of(user, *turns, THEN) as bench:
        run = await bench.send()
        for n in range(3):
            (asked,) = await bench.parked(run, times=n + 1)
            await bench.decide(run, asked, "approve")
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert entries() == ["0", "1", "2"]
    assert stored.answer.content == "0 1 2 Done."
    roles = [message.role for message in bench.provider.requests[3].messages]
    assert roles == ["user", *["assistant", "tool"] * 3]
    assert stored.run.usage == {"prompt_tokens": 12, "completion_tokens": 8}


async def test_a_call_that_could_not_run_is_asked_about_by_nobody(user: User) -> None:
    wrong = ToolCall(id="w", name="write_journal", arguments={"lines": 3})
    async with bench_of(user, [[wrong], [STOP]], THEN) as bench:
        run = await bench.send()
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert [step.error["code"] for step in stored.steps] == ["arguments_invalid"]


async def test_a_parked_run_stays_parked_over_a_drain_and_a_restart_and_goes_on_after(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        await bench.engine.supervisor.drain(grace=5)
    async with bench_of(user, THEN) as after:
        assert await after.parked(run)
        assert (await after.stored(run)).run.status == RunStatus.REQUIRES_ACTION
        await after.decide(run, asked, "approve")
        await after.watch(run)
        (await after.stored(run)).agree()
    assert entries() == ["hello"]


async def test_what_was_decided_while_no_worker_was_there_is_found_at_the_next_start(user: User, settings: Any) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
    settings.RUN_CAPACITY = 0
    async with bench_of(user, THEN) as web_only:
        await web_only.decide(run, asked, "approve")
    settings.RUN_CAPACITY = 10
    async with bench_of(user, THEN) as after:
        await after.watch(run)
        (await after.stored(run)).agree()
    assert entries() == ["hello"]


async def test_a_process_that_dies_before_it_began_loses_no_approval(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        with mock.patch.object(worker, "load_prompt", side_effect=asyncio.CancelledError):
            claimed = asyncio.ensure_future(bench.engine.supervisor._claim(1))
            await bench.decide(run, asked, "approve")
            async with asyncio.timeout(10):
                while (await bench.stored(run)).run.status != RunStatus.IN_PROGRESS:
                    await asyncio.sleep(0.02)
            await claimed
            await bench.die()
    assert entries() == []
    async with bench_of(user, THEN) as after:
        seen = await after.watch(run)
        stored = await after.stored(run)
    stored.agree()
    assert entries() == ["hello"]
    assert names(seen).count("run.in_progress") == 2


async def test_a_tool_that_was_approved_and_whose_process_died_is_never_run_again(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        with mock.patch.object(bench.engine.supervisor._shop.tools.__class__, "_execute", _acts_and_hangs):
            await bench.decide(run, asked, "approve")
            async with asyncio.timeout(10):
                while not entries():
                    await asyncio.sleep(0.02)
            await bench.die()
    async with bench_of(user, THEN) as after:
        await after.watch(run)
        stored = await after.stored(run)
        told = after.provider.requests[0].messages[-1]
    stored.agree()
    assert entries() == ["hello"]
    assert (stored.run.status, stored.run.attempt) == (RunStatus.COMPLETED, 2)
    assert (stored.steps[0].status, stored.steps[0].error["code"]) == ("cancelled", "outcome_unknown")
    assert (told.role, told.content) == ("tool", f"Error: {NOT_FINISHED}")


async def _acts_and_hangs(registry: Any, tool: Any, arguments: dict[str, Any], emit: Any) -> Any:
    tool.function(**arguments)
    await asyncio.Event().wait()


async def test_a_drain_that_comes_before_it_goes_on_leaves_it_to_the_next_process(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        with mock.patch.object(bench.engine.registry, "resolve", side_effect=_never):
            await bench.decide(run, asked, "approve")
            async with asyncio.timeout(10):
                while (await bench.stored(run)).run.status != RunStatus.IN_PROGRESS:
                    await asyncio.sleep(0.02)
            await bench.engine.supervisor.drain(grace=0.1)
        stored = await bench.stored(run)
        assert (stored.run.status, stored.lease.holder) == (RunStatus.IN_PROGRESS, "")
    async with bench_of(user, THEN) as after:
        await after.watch(run)
        stored = await after.stored(run)
    stored.agree()
    assert (stored.run.status, stored.run.attempt) == (RunStatus.COMPLETED, 2)
    assert entries() == ["hello"]


async def _never(*_: object) -> Any:
    await asyncio.Event().wait()


async def test_a_parked_run_whose_log_makes_no_sense_ends_all_the_same_and_runs_nothing(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        await sync_to_async(RunEvent.objects.filter(run=run, seq__gt=2).update)(text='{"event":"error","data":{}}')
        await bench.decide(run, asked, "approve")
        async with asyncio.timeout(10):
            while (stored := await bench.stored(run)).run.finished_at is None:
                await asyncio.sleep(0.02)
    assert (stored.run.status, stored.run.error_code) == (RunStatus.FAILED, "internal_error")
    assert [(step.status, step.error["code"]) for step in stored.steps] == [("cancelled", "not_run")]
    assert (stored.answer.status, entries()) == ("incomplete", [])


async def test_the_log_in_memory_parks_and_goes_on_too(user: User, settings: Any) -> None:
    settings.EVENT_LOG = "memory"
    async with bench_of(user) as bench:
        run = await bench.send()
        await bench.until(run, "thread.run.requires_action")
        (asked,) = await sync_to_async(open_approvals)(run)
        await bench.decide(run, asked, "approve")
        seen = await bench.watch(run)
    assert (names(seen)[-1], seen.text, entries()) == ("run.completed", "Let me. Done.", ["hello"])


async def test_swapped_arguments_do_not_run(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        with mock.patch.object(bench.engine.supervisor, "_look", asyncio.Event()):
            bench.engine.supervisor.draining = True
            await bench.decide(run, asked, "approve")
            await sync_to_async(Approval.objects.filter(pk=asked.pk).update)(arguments={"line": "evil"})
            bench.engine.supervisor.draining = False
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert entries() == []
    assert (stored.steps[0].status, stored.steps[0].error["code"]) == ("failed", "not_run")


async def test_a_stop_while_it_waits_ends_it_at_once_and_nothing_runs(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        await bench.parked(run)
        ended = await bench.cancel(run)
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    assert ended.status == RunStatus.CANCELLED
    stored.agree()
    assert names(seen)[-3:] == ["run.step.cancelled", "message.incomplete", "run.cancelled"]
    assert stored.run.usage == {"prompt_tokens": 3, "completion_tokens": 2}
    assert (stored.answer.content, entries()) == ("Let me. ", [])


async def test_a_question_that_nobody_answers_expires(user: User, settings: Any) -> None:
    settings.APPROVAL_EXPIRY = 1
    async with bench_of(user) as bench:
        run = await bench.send()
        await bench.parked(run)
        async with asyncio.timeout(20):
            while not await sync_to_async(expire_parked)(most=10):
                await asyncio.sleep(0.05)
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert names(seen)[-3:] == ["run.step.cancelled", "message.incomplete", "run.expired"]
    assert seen.events[-2].reason == "expired"  # type: ignore[attr-defined]
    assert stored.run.status == RunStatus.EXPIRED


async def test_a_thread_is_deleted_while_its_run_waits(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        await bench.parked(run)
        watching = asyncio.ensure_future(bench.watch(run))
        await asyncio.sleep(0.05)
        await delete_thread(thread=await sync_to_async(lambda: run.thread)())
        with contextlib.suppress(LogLost):  # where it was gone before this reader had come to its end
            assert names(await watching)[-1] == "run.cancelled"
    assert not await sync_to_async(Run.objects.exists)()


async def test_the_deadline_counts_the_time_that_the_run_is_held_and_no_other(user: User, settings: Any) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        assert 0 < (await bench.stored(run)).lease.held < 60
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(held=settings.RUN_DEADLINE + 1)
        await bench.decide(run, asked, "approve")
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert (stored.run.status, entries()) == (RunStatus.EXPIRED, [])


async def test_a_reader_who_comes_late_learns_what_is_asked_and_later_that_it_is_settled(user: User) -> None:
    async with bench_of(user) as bench:
        run = await bench.send()
        (asked,) = await bench.parked(run)
        head = (await bench.stored(run)).lease.head
        late: list[str] = []

        async def read() -> None:
            async for news in follow(tailer=bench.engine.tailer, run_id=run.pk, after=head, heartbeat=1.0):
                late.extend(entry.text for entry in news.entries)

        reading = asyncio.ensure_future(read())
        await bench.decide(run, asked, "approve")
        async with asyncio.timeout(10):
            await reading
    assert '"thread.run.in_progress"' in late[0]
    assert '"thread.run.completed"' in late[-1]
