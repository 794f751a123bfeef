"""Going on with an answer that ended early, whatever the model makes of it. On each database."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Run
from streaming.engine.prompt import load_prompt
from streaming.protocol.codec import Entry, encode
from streaming.protocol.commands import Send, parse
from streaming.protocol.errors import UpstreamDropped, UpstreamRefused
from streaming.protocol.objects import Usage
from streaming.protocol.snapshot import fold
from streaming.providers.base import Finish, Text, Thinking, ToolCall
from streaming.transports import sending
from tests.support.bench import EngineBench, principal_of, running
from tests.support.histories import assert_valid

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
BEGUN = [[Text("The sky is blue ")], [Text("because of the light ")], UpstreamDropped()]
SO_FAR = "The sky is blue because of the light "


async def go_on(bench: EngineBench, run: Run) -> Run:
    command = parse({"continue": str(run.answer_id)}, Send)
    opened = await sending.send(
        bench.engine, principal_of(bench.user), run.thread_id, command, key=None, body={"continue": str(run.answer_id)}
    )
    return opened.run


async def continued(user: User, *turns: Any, begun: Any = BEGUN) -> tuple[EngineBench, Any]:
    """An answer that broke off, and what came of going on with it: the bench and what is stored."""
    async with running(user, [begun, *turns]) as bench:
        first = await bench.send("Why?")
        await bench.watch(first)
        second = await go_on(bench, first)
        seen = await bench.watch(second)
        stored = await bench.stored(second)
        assert seen.entries == stored.entries
        stored.agree()
        assert_valid(seen.events)
        before = await bench.stored(first)
        assert before.run.status == "failed"
        assert before.run.head == before.lease.head == len(before.entries)
    return bench, stored


async def test_a_model_that_goes_on_completes_the_answer(user: User) -> None:
    bench, stored = await continued(user, [[Text(" being")], [Text(" scattered.")], [STOP]])
    assert (stored.run.status, stored.answer.status) == ("completed", "completed")
    assert stored.answer.content == "The sky is blue because of the light being scattered."
    assert stored.answer.parts == [{"text": [0, len(stored.answer.content)]}]
    asked = bench.provider.requests[1]
    assert [(message.role, message.content) for message in asked.messages] == [
        ("user", "Why?"),
        ("assistant", SO_FAR.rstrip()),
    ]
    assert (asked.think, bench.provider.requests[0].think) == (False, None)


async def test_a_repeated_tail_is_cut(user: User) -> None:
    _, stored = await continued(user, [[Text("because of the ")], [Text("light being scattered.")], [STOP]])
    assert stored.answer.content == "The sky is blue because of the light being scattered."


@pytest.mark.parametrize(
    "turn",
    [
        [[Text("The sky is")], [Text(" blue because of the light, you know.")], [STOP]],
        [UpstreamRefused(details={"status": 400})],
    ],
    ids=["begins again", "refuses"],
)
async def test_a_model_that_does_not_go_on_leaves_the_answer_as_it_was(user: User, turn: Any) -> None:
    _, stored = await continued(user, turn)
    assert (stored.run.status, stored.answer.status, stored.answer.content) == ("incomplete", "incomplete", SO_FAR)
    assert list(map(_name, stored.entries))[-2:] == ["thread.message.incomplete", "thread.run.incomplete"]
    assert '"reason":"interrupted"' in stored.entries[-1].text


async def test_what_breaks_off_again_keeps_what_came_and_can_go_on_once_more(user: User) -> None:
    async with running(user, [BEGUN, [[Text(" being")], UpstreamDropped()], [[Text(" scattered.")], [STOP]]]) as bench:
        run = await bench.send("Why?")
        await bench.watch(run)
        for text in (f"{SO_FAR}being", f"{SO_FAR}being scattered."):
            run = await go_on(bench, run)
            await bench.watch(run)
            stored = await bench.stored(run)
            stored.agree()
            assert stored.answer.content == text
        assert stored.answer.status == "completed"
        assert await Run.objects.filter(answer=stored.answer).acount() == 3


async def test_tools_and_thoughts_of_the_earlier_run_stay_and_are_told_to_the_model(user: User) -> None:
    call = ToolCall(id="c1", name="calculator", arguments={"expression": "6*7"})
    thought = [Thinking("Hm.")]
    async with running(user, [[thought, [call], [STOP]], [[Text("It is ")], UpstreamDropped()]]) as bench:
        first = await bench.send("6*7?")
        await bench.watch(first)
        bench.provider.turns += [[[Text(" 42.")], [call], [STOP]], [[Text(" Twice.")], [STOP]]]
        second = await go_on(bench, first)
        seen = await bench.watch(second)
        stored = await bench.stored(second)
        stored.agree()
        assert_valid(seen.events)
    assert stored.answer.content == "It is 42. Twice."
    assert stored.answer.thinking == "Hm."
    kinds = ["text" if "text" in part else "step" for part in stored.answer.parts]
    assert kinds == ["step", "step", "text", "step", "text"]
    roles = [[message.role for message in request.messages] for request in bench.provider.requests]
    assert roles[2] == ["user", "assistant", "tool", "assistant"]
    assert roles[3] == [*roles[2], "tool"]
    assert bench.provider.requests[3].messages[3].content == "It is 42."
    assert [request.think for request in bench.provider.requests] == [None, None, False, None]


async def test_an_answer_that_broke_off_before_its_first_word_is_simply_asked_for_again(user: User) -> None:
    bench, stored = await continued(user, [[Text("Because.")], [STOP]], begun=[UpstreamRefused()])
    assert (stored.answer.content, stored.answer.status) == ("Because.", "completed")
    assert bench.provider.requests[1].messages == bench.provider.requests[0].messages
    assert bench.provider.requests[1].think is None


async def test_a_later_question_is_asked_with_the_whole_answer_of_its_own_branch(user: User) -> None:
    async with running(user, [BEGUN, [[Text(" being scattered.")], [STOP]], [[Text("Yes.")], [STOP]]]) as bench:
        first = await bench.send("Why?")
        await bench.watch(first)
        await bench.watch(await go_on(bench, first))
        last = await bench.send("Really?", thread_id=first.thread_id)
        await bench.watch(last)
        prompt = await sync_to_async(load_prompt)(last.pk)
    assert [message.content for message in prompt.history] == ["Why?", f"{SO_FAR}being scattered.", "Really?"]


async def test_a_snapshot_at_any_point_and_the_events_after_it_are_the_same_state(user: User) -> None:
    _, stored = await continued(user, [[Thinking("Hm.")], [Text(" being")], [Text(" scattered.")], [STOP]])
    entries: list[Entry] = stored.entries
    full = fold(entries).as_snapshot(False, "")
    for cut in range(1, len(entries) + 1):
        snapshot = encode(fold(entries[:cut]).as_snapshot(False, "test"), cut)
        assert fold([Entry(cut, snapshot), *entries[cut:]]).as_snapshot(False, "") == full


def _name(entry: Entry) -> str:
    return entry.text.split('"')[3]
