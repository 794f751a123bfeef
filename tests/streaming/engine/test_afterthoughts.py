"""When a model is asked for a title and for questions, with what, and what comes of it; at a real engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Message, ModelServer, Run, Thread
from conversations.selectors import Standing
from conversations.services.threads import delete_thread, update_thread
from streaming.engine.afterthought import Occasion, has_room, title_is_due
from streaming.engine.afterthought_prompts import ANSWER, QUESTION
from streaming.engine.afterthoughts import MOST, Afterthoughts, Wishes
from streaming.engine.outcome import Ending
from streaming.engine.prompt import Prompt, load_prompt, prompt_at_hand
from streaming.offload import Offload
from streaming.protocol import objects
from streaming.protocol.errors import UpstreamError, UpstreamFailed
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.parameters import Parameters
from streaming.providers.base import Finish, ModelInfo, Text
from streaming.providers.registry import Registry
from streaming.providers.scripted import ScriptedProvider, Turn
from streaming.tasks import TaskRegistry
from tests.support.bench import EngineBench, running
from tests.support.stored import ask, thread_of

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 10.0
STOP = Finish(reason="stop", usage=objects.Usage(prompt_tokens=7, completion_tokens=3))


def said(text: str) -> list[Any]:
    return [[Text(text)], [STOP]]


ANSWERED = said("Because of Rayleigh scattering.")


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.TITLES = True


@asynccontextmanager
async def at_work(user: User, turns: Sequence[Turn]) -> AsyncIterator[EngineBench]:
    async with running(user, turns) as bench:
        bench.engine.afterthoughts._pauses = (0.0, *(0.05,) * 40)
        yield bench


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def over(bench: EngineBench) -> None:
    await eventually(lambda: not (bench.engine.supervisor.running or len(bench.engine.afterthoughts)))


async def title_of(run: Run) -> tuple[str, str]:
    thread = await Thread.objects.aget(pk=run.thread_id)
    return thread.title, thread.title_by


async def test_a_title_comes_after_the_first_answer(user: User) -> None:
    async with at_work(user, [ANSWERED, said('Title: "Blue sky"')]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        assert await title_of(run) == ("Blue sky", "model")
        answer, title = bench.provider.requests
    assert len(answer.messages) == 1
    assert title.think is False
    assert title.tools == ()
    assert title.parameters == Parameters(max_tokens=100)
    assert "Why is the sky blue?" in title.messages[1].content
    assert "Because of Rayleigh scattering." in title.messages[1].content


async def test_its_tokens_are_not_the_run_s_and_stand_in_the_log_without_a_word_of_it(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with at_work(user, [ANSWERED, said("Blue sky")]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        stored = await bench.stored(run)
    assert stored.run.usage == {"prompt_tokens": 7, "completion_tokens": 3}
    logged = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    (line,) = (each for each in logged if each["event"] == "title by a model")
    assert (line["kept"], line["prompt_tokens"], line["completion_tokens"]) == (True, 7, 3)
    assert "sky" not in str(logged).lower()


async def test_once_there_is_one_nobody_is_asked_again(user: User) -> None:
    async with at_work(user, [ANSWERED, said("Blue sky"), ANSWERED]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        await bench.watch(await bench.send("And at night?", thread_id=run.thread_id))
        await over(bench)
        assert len(bench.provider.requests) == 3
        assert await title_of(run) == ("Blue sky", "model")


async def test_after_an_apology_it_is_tried_again_but_not_for_ever(user: User) -> None:
    turns = [ANSWERED, said("I'm sorry, I can't.")] * 3 + [ANSWERED]
    async with at_work(user, turns) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        for asked in (2, 4, 6):
            await over(bench)
            assert len(bench.provider.requests) == asked
            assert await title_of(run) == ("Why is the sky blue?", "question")
            await bench.watch(await bench.send("And?", thread_id=run.thread_id))
        await over(bench)
        assert len(bench.provider.requests) == 7


async def test_a_person_who_is_faster_keeps_the_name(user: User) -> None:
    gate = asyncio.Event()
    async with at_work(user, [ANSWERED, [gate, [Text("Blue sky")], [STOP]]]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await eventually(lambda: len(bench.provider.requests) == 2)
        thread = await Thread.objects.aget(pk=run.thread_id)
        await sync_to_async(update_thread)(thread=thread, changes={"title": "Mine"})
        gate.set()
        await over(bench)
        assert await title_of(run) == ("Mine", "person")


async def test_a_model_that_takes_too_long_is_left_and_the_answer_has_ended_before(user: User, settings: Any) -> None:
    settings.TITLE_TIMEOUT = 0.05
    async with at_work(user, [ANSWERED, [asyncio.Event(), [Text("Blue sky")], [STOP]]]) as bench:
        run = await bench.send("Why is the sky blue?")
        seen = await bench.watch(run)  # to its end: nothing sets that event
        await over(bench)
        assert await title_of(run) == ("Why is the sky blue?", "question")
        assert (seen.names[-1], bench.provider.closed_early) == ("thread.run.completed", 1)


async def test_a_model_server_that_fails_is_asked_once_and_nobody_hears_of_it(user: User) -> None:
    failure: UpstreamError = UpstreamFailed()
    async with at_work(user, [ANSWERED, [failure]]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        assert len(bench.provider.requests) == 2
        assert await title_of(run) == ("Why is the sky blue?", "question")
        (await bench.stored(run)).agree()


async def test_a_person_s_next_question_goes_first_and_the_title_comes_after_it(user: User) -> None:
    gate = asyncio.Event()
    turns = [ANSWERED, [asyncio.Event()], [[Text("At")], gate, [Text(" night")], [STOP]], said("Blue sky")]
    async with at_work(user, turns) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await eventually(lambda: len(bench.provider.requests) == 2)
        other = await bench.send("And at night?")
        await bench.until(other, "thread.message.delta")
        assert bench.provider.closed_early == 1
        gate.set()
        await bench.watch(other)
        await eventually(lambda: len(bench.provider.requests) >= 4)
        await over(bench)
        assert (await title_of(run))[1] == "model"


async def test_at_a_server_that_takes_one_run_at_once_nothing_is_asked_beside_it(user: User, other_user: User) -> None:
    gate = asyncio.Event()
    await ModelServer.objects.acreate(name="scripted", max_parallel=1)
    turns = [[gate, [Text("Because.")], [STOP]], ANSWERED, said("One"), said("Two")]
    async with at_work(user, turns) as bench:
        first = await bench.send("Why?")
        await eventually(lambda: len(bench.provider.requests) == 1)
        second = await EngineBench(bench.engine, bench.provider, other_user).send("How?")
        gate.set()
        await bench.watch(first)
        await bench.watch(second)
        await over(bench)
        # Both runs, and only then what is said about them.
        assert [len(request.messages) for request in bench.provider.requests[:2]] == [1, 1]
        assert {(await title_of(first))[1], (await title_of(second))[1]} == {"model"}


@pytest.mark.parametrize("switch", ["TITLES", "keep_alive"])
async def test_where_it_is_not_wanted_no_model_is_asked(user: User, settings: Any, switch: str) -> None:
    settings.TITLES = switch != "TITLES"
    thread = await Thread.objects.acreate(owner=user, parameters={"keep_alive": 0} if switch == "keep_alive" else {})
    async with at_work(user, [ANSWERED, said("Blue sky")]) as bench:
        run = await bench.send("Why is the sky blue?", thread_id=thread.pk)
        await bench.watch(run)
        await over(bench)
        assert len(bench.provider.requests) == 1


async def test_a_thread_that_has_a_name_is_not_named(user: User) -> None:
    thread = await Thread.objects.acreate(owner=user, title="Mine", title_by=Thread.TitleBy.PERSON)
    async with at_work(user, [ANSWERED, said("Blue sky")]) as bench:
        await bench.watch(await bench.send("Why is the sky blue?", thread_id=thread.pk))
        await over(bench)
        assert len(bench.provider.requests) == 1


async def test_a_thread_that_a_person_has_named_before_there_was_room_is_left_alone(user: User) -> None:
    gate = asyncio.Event()
    async with at_work(user, [[gate, [Text("Slowly.")], [STOP]], ANSWERED, said("Blue sky")]) as bench:
        slow = await bench.send("How is it said?")
        await eventually(lambda: len(bench.provider.requests) == 1)
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        thread = await Thread.objects.aget(pk=run.thread_id)
        await sync_to_async(update_thread)(thread=thread, changes={"title": "Mine"})
        gate.set()
        await bench.watch(slow)
        await over(bench)
        assert len(bench.provider.requests) == 3  # two answers, and the title of the other thread
        assert (await title_of(run), (await title_of(slow))[1]) == (("Mine", "person"), "model")


@pytest.mark.parametrize(("title", "untitled"), [("", True), ("Mine", False)])
def test_the_prompt_says_whether_anybody_has_named_the_thread(user: User, title: str, untitled: bool) -> None:
    run = ask(user, thread=thread_of(user, title=title)).run
    at_hand = prompt_at_hand(run)
    assert at_hand is not None
    assert (at_hand.untitled, load_prompt(run.pk).untitled) == (untitled, untitled)
    assert at_hand.owner_id == load_prompt(run.pk).owner_id == user.pk


async def test_the_demonstration_names_nothing(user: User) -> None:
    async with at_work(user, [ANSWERED, said("Blue sky")]) as bench:
        bench.provider.listed = [ModelInfo(provider="scripted", name="model", demonstration=True)]
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        assert len(bench.provider.requests) == 1
        assert await title_of(run) == ("Why is the sky blue?", "question")


async def test_ollama_need_not_load_the_model_anew_and_a_model_of_its_own_has_its_own_window(
    user: User, settings: Any
) -> None:
    parameters = {"context_length": 8192, "keep_alive": 60, "temperature": 1.5, "stop": "x", "max_tokens": 2}
    for model, expected in (
        ("", Parameters(context_length=8192, keep_alive=60, max_tokens=100)),
        ("scripted/small", Parameters(max_tokens=100)),
    ):
        settings.TASK_MODEL = model
        thread = await Thread.objects.acreate(owner=user, parameters=parameters)
        async with at_work(user, [ANSWERED, said("Blue sky")]) as bench:
            await bench.watch(await bench.send("Why is the sky blue?", thread_id=thread.pk))
            await over(bench)
            _, title = bench.provider.requests
            assert (title.model, title.parameters) == (model.partition("/")[2] or "model", expected)


async def test_of_a_long_exchange_the_beginning_is_told(user: User) -> None:
    async with at_work(user, [said("answer " * 2000), said("Blue sky")]) as bench:
        await bench.watch(await bench.send("question " * 2000))
        await over(bench)
        _, title = bench.provider.requests
        assert sum(len(message.content) for message in title.messages) < QUESTION + ANSWER + 600


async def test_a_model_that_does_not_stop_is_cut_off(user: User) -> None:
    endless = [[Text("word " * 100)]] * 1000
    async with at_work(user, [ANSWERED, endless]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        assert bench.provider.closed_early == 1
        assert await title_of(run) == ("Why is the sky blue?", "question")


async def test_a_thread_that_is_deleted_meanwhile_stays_deleted(user: User) -> None:
    gate = asyncio.Event()
    async with at_work(user, [ANSWERED, [gate, [Text("Blue sky")], [STOP]]]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await eventually(lambda: len(bench.provider.requests) == 2)
        await delete_thread(thread=await Thread.objects.aget(pk=run.thread_id))
        gate.set()
        await over(bench)
        assert not await Thread.objects.aexists()


async def test_a_drain_does_not_wait_for_it(user: User) -> None:
    async with at_work(user, [ANSWERED, [asyncio.Event()]]) as bench:
        await bench.watch(await bench.send("Why is the sky blue?"))
        await eventually(lambda: len(bench.provider.requests) == 2)
        async with asyncio.timeout(5):
            await bench.engine.supervisor.drain(grace=60)
            await over(bench)
        assert bench.provider.closed_early == 1


async def test_follow_ups_are_asked_for_where_they_are_wanted_and_stand_at_the_answer(
    user: User, settings: Any
) -> None:
    settings.FOLLOW_UPS, settings.TITLES = True, False
    async with at_work(user, [ANSWERED, said('["At night?", "On Mars?"]'), ANSWERED, said("None.")]) as bench:
        run = await bench.send("Why is the sky blue?")
        await bench.watch(run)
        await over(bench)
        assert (await Message.objects.aget(pk=run.answer_id)).follow_ups == ["At night?", "On Mars?"]
        assert bench.provider.requests[1].parameters == Parameters(max_tokens=250)
        later = await bench.send("And at night?", thread_id=run.thread_id)
        await bench.watch(later)
        await over(bench)
        assert (await Message.objects.aget(pk=later.answer_id)).follow_ups is None
        # What was suggested is never part of what a model is asked.
        assert "On Mars?" not in str(bench.provider.requests[2:])


def ending(
    *, status: RunStatus = RunStatus.COMPLETED, text: str = "Because.", thread: UUID | None = None, lane: int = 0
) -> Ending:
    ids = {"thread_id": str(thread or uuid4())}
    return Ending(
        status=status,
        events=[],
        run=objects.Run(id=str(uuid4()), status=status, lane=lane, **ids),
        message=objects.Message(id=str(uuid4()), role="assistant", status="completed", content=text, **ids),
        steps=[],
    )


def occasion(**facts: Any) -> Occasion:
    known = {"owner_id": UUID(int=1), "model": "scripted/model", "parameters": Parameters(), "question": "Why?"}
    return Occasion(**{**known, "untitled": True, "answers_before": 0, **facts})


@pytest.mark.parametrize(
    ("facts", "end", "due"),
    [
        ({}, {}, True),
        ({"answers_before": 2}, {}, True),
        ({"answers_before": 3}, {}, False),
        ({"untitled": False}, {}, False),
        ({}, {"text": "  \n"}, False),
        ({}, {"status": RunStatus.CANCELLED, "text": "x" * 80}, True),
        ({}, {"status": RunStatus.INCOMPLETE, "text": "x" * 80}, True),
        ({}, {"status": RunStatus.CANCELLED, "text": "x" * 79}, False),
        ({}, {"status": RunStatus.FAILED, "text": "x" * 80}, False),
        ({}, {"status": RunStatus.EXPIRED, "text": "x" * 80}, False),
    ],
)
def test_a_title_is_due_after_one_of_the_first_answers_that_says_something(
    facts: dict[str, Any], end: dict[str, Any], due: bool
) -> None:
    assert title_is_due(occasion(**facts), ending(**end)) is due


@pytest.mark.parametrize(
    ("facts", "most", "room"),
    [
        ({}, 0, True),
        ({"running": 9}, 0, True),
        ({"waiting": True}, 0, False),
        ({"owner_asks": True}, 0, False),
        ({"running": 1}, 1, False),
        ({"running": 1}, 2, True),
        ({"running": 1, "max_parallel": 1}, 2, False),
        ({"running": 5, "max_parallel": 0}, 2, True),
    ],
)
def test_there_is_room_where_no_run_waits_and_a_place_is_free(facts: dict[str, Any], most: int, room: bool) -> None:
    calm = {"untitled": True, "head": None, "waiting": False, "running": 0, "owner_asks": False, "max_parallel": None}
    assert has_room(Standing(**{**calm, **facts}), max_parallel=most) is room


@pytest.fixture
async def owner() -> Any:
    """What is asked of a server that never answers, with its tasks."""
    tasks, offload = TaskRegistry(), Offload()
    made = Afterthoughts(
        wishes=Wishes(titles=True, follow_ups=False, model="", timeout=60),
        registry=Registry([ScriptedProvider([[asyncio.Event()]])]),
        offload=offload,
        tasks=tasks,
        max_parallel=0,
    )
    yield made, tasks
    await tasks.cancel_all()
    offload.stop()


async def test_of_too_many_the_oldest_are_dropped(owner: tuple[Afterthoughts, TaskRegistry]) -> None:
    kept, _ = owner
    for _ in range(MOST):
        kept.ended(occasion(), ending())
    first, second, *_ = kept._threads.values()
    kept.ended(occasion(), ending())
    assert len(kept) == MOST
    await asyncio.wait([first, second])
    assert (first.cancelled(), second.cancelled()) == (True, False)


async def test_of_one_thread_only_the_newest_is_kept(owner: tuple[Afterthoughts, TaskRegistry]) -> None:
    kept, _ = owner
    thread = uuid4()
    kept.ended(occasion(), ending(thread=thread))
    (first,) = kept._threads.values()
    kept.ended(occasion(), ending(thread=thread))
    (second,) = kept._threads.values()
    await asyncio.wait([first, second])
    assert (first.cancelled(), second.cancelled()) == (True, False)
    assert len(kept) == 0


async def test_of_models_side_by_side_the_first_is_asked(owner: tuple[Afterthoughts, TaskRegistry]) -> None:
    kept, _ = owner
    for lane in (1, 2, 3):
        kept.ended(occasion(), ending(lane=lane))
    assert len(kept) == 0
    kept.ended(occasion(), ending(lane=0))
    assert len(kept) == 1


async def test_who_was_stopped_takes_nothing_more(owner: tuple[Afterthoughts, TaskRegistry]) -> None:
    kept, tasks = owner
    kept.ended(occasion(), ending())
    kept.stop()
    kept.ended(occasion(), ending())
    await eventually(lambda: not len(tasks))
    assert kept.begun(prompt()) is None


def prompt() -> Prompt:
    return Prompt(
        model="scripted/model",
        owner_id=UUID(int=1),
        untitled=True,
        attempt=1,
        history=[],
        system_prompt="",
        tools=None,
    )
