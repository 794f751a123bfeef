"""What a model adds when an answer is done: only where nobody was faster."""

import json
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations import selectors, wire
from conversations.models import FeedEvent, Message, ModelServer, Run, Thread
from conversations.services.afterthoughts import suggest, title_by_model
from conversations.services.threads import delete_thread, update_thread
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask, claim, thread_of
from tests.support.together import together

pytestmark = pytest.mark.django_db(transaction=True)


def told(event: str) -> list[dict[str, Any]]:
    events = [json.loads(text) for text in FeedEvent.objects.order_by("number").values_list("text", flat=True)]
    return [each["data"] for each in events if each["event"] == event]


def answered(user: Any, thread: Thread | None = None) -> Run:
    return answer(ask(user, "Why is the sky blue?\nTell me.", thread=thread).run)


def test_a_model_names_a_thread_that_only_its_question_has_named(user: Any) -> None:
    run = answered(user)
    assert title_by_model(thread_id=run.thread_id, title="Blue sky")
    thread = Thread.objects.get()
    assert (thread.title, thread.title_by) == ("Blue sky", "model")
    assert told("thread.updated")[-1]["thread"]["title"] == "Blue sky"
    assert told("thread.updated")[-1]["thread"]["title_by"] == "model"


def test_it_names_it_once(user: Any) -> None:
    run = answered(user)
    assert title_by_model(thread_id=run.thread_id, title="Blue sky")
    assert not title_by_model(thread_id=run.thread_id, title="Another")
    assert Thread.objects.get().title == "Blue sky"


def test_a_name_that_a_person_gave_stays(user: Any) -> None:
    run = answered(user)
    update_thread(thread=run.thread, changes={"title": "Mine"})
    before = FeedEvent.objects.count()
    assert not title_by_model(thread_id=run.thread_id, title="Blue sky")
    assert (Thread.objects.get().title, Thread.objects.get().title_by) == ("Mine", "person")
    assert FeedEvent.objects.count() == before


def test_the_next_question_leaves_a_model_s_name_alone(user: Any) -> None:
    run = answered(user)
    title_by_model(thread_id=run.thread_id, title="Blue sky")
    answered(user, run.thread)
    assert (Thread.objects.get().title, Thread.objects.get().title_by) == ("Blue sky", "model")


def test_in_a_thread_that_is_gone_nothing_happens(user: Any) -> None:
    run = answered(user)
    assert run.answer_id is not None
    async_to_sync(delete_thread)(thread=run.thread)
    before = FeedEvent.objects.count()
    assert not title_by_model(thread_id=run.thread_id, title="Blue sky")
    assert not suggest(thread_id=run.thread_id, message_id=run.answer_id, follow_ups=["How?"])
    assert FeedEvent.objects.count() == before


@pytest.mark.parametrize("_", range(5))
def test_whoever_comes_first_the_name_of_a_person_stands_in_the_end(user: Any, _: int) -> None:
    run = answered(user)
    thread = Thread.objects.get()
    person = partial(update_thread, thread=thread, changes={"title": "Mine"})
    models = [partial(title_by_model, thread_id=run.thread_id, title=f"Model's {n}") for n in range(3)]
    outcomes = together([*models[:2], person, models[2]])
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [outcome for outcome in outcomes if outcome is True][1:] == []  # one model at most
    assert (Thread.objects.get().title, Thread.objects.get().title_by) == ("Mine", "person")
    assert told("thread.updated")[-1]["thread"]["title"] == "Mine"


def test_follow_ups_stand_at_the_answer_and_in_the_feed(user: Any) -> None:
    run = answered(user)
    assert run.answer_id is not None
    assert suggest(thread_id=run.thread_id, message_id=run.answer_id, follow_ups=["How?", "When?"])
    assert told("message.updated") == [
        {"thread_id": str(run.thread_id), "message_id": str(run.answer_id), "follow_ups": ["How?", "When?"]}
    ]
    question, shown = selectors.message_page(thread=Thread.objects.get(), cursor=None).messages
    assert wire.plain(wire.listed_message(shown, []))["follow_ups"] == ["How?", "When?"]
    assert wire.plain(wire.listed_message(question, []))["follow_ups"] == []
    assert "follow_ups" not in wire.plain(wire.message_object(shown))  # a run's events go without


def test_an_answer_that_has_been_replied_to_gets_none(user: Any) -> None:
    run = answered(user)
    ask(user, "And now?", thread=run.thread)
    assert run.answer_id is not None
    assert not suggest(thread_id=run.thread_id, message_id=run.answer_id, follow_ups=["How?"])
    assert not Message.objects.filter(follow_ups__isnull=False).exists()


def test_an_answer_that_is_gone_on_with_loses_them(user: Any) -> None:
    run = ask(user).run
    answer(run, "Because", status=RunStatus.INCOMPLETE)
    assert run.answer_id is not None
    assert suggest(thread_id=run.thread_id, message_id=run.answer_id, follow_ups=["How?"])
    ask(user, None, thread=run.thread, **{"continue": str(run.answer_id)})
    assert Message.objects.get(pk=run.answer_id).follow_ups is None


def test_how_things_stand_is_one_query(user: Any, other_user: Any) -> None:
    ModelServer.objects.create(name="demo", max_parallel=3)
    run = answered(user)
    claim(ask(other_user).run)
    ask(other_user, thread=thread_of(other_user))
    with CaptureQueriesContext(connection) as asked:
        found = selectors.standing(thread_id=run.thread_id, server="demo")
    assert len(asked) == 1
    assert found == selectors.Standing(
        untitled=True, head=run.answer_id, waiting=True, running=1, owner_asks=False, max_parallel=3
    )


def test_at_another_server_nothing_goes_on(user: Any) -> None:
    run = answered(user)
    claim(ask(user, thread=thread_of(user)).run)
    found = selectors.standing(thread_id=run.thread_id, server="another")
    assert found is not None
    assert (found.waiting, found.running, found.owner_asks, found.max_parallel) == (False, 0, False, None)
    here = selectors.standing(thread_id=run.thread_id, server="demo")
    assert here is not None
    assert here.owner_asks
