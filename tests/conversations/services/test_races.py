"""Several threads at one row, each with a connection of its own, on the real database."""

import json
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError

from chatserver.accounts.models import User
from chatserver.accounts.services import create_user
from conversations import selectors
from conversations.models import FeedEvent, FeedHead, Message, Run, RunEvent, Thread
from conversations.services.idempotency import Key
from conversations.services.run_cancel import cancel_run
from conversations.services.run_close import LeaseLost
from conversations.services.run_lease import beat, claim_orphan, claim_run
from conversations.services.run_waiting import change_waiting, start_waiting
from conversations.services.threads import create_thread, delete_thread, update_thread
from streaming.protocol.commands import NewThread
from streaming.protocol.errors import IdempotencyConflict, NotFound, NotWaiting, QueueFull, ThreadBusy
from streaming.protocol.lifecycle import ACTIVE
from tests.support.stored import answer, ask, claim, close, thread_of
from tests.support.together import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_of_many_questions_at_once_gets_the_thread(user: Any) -> None:
    thread = thread_of(user)
    outcomes = together([partial(ask, user, f"question {n}", thread=thread) for n in range(8)])
    busy = [outcome for outcome in outcomes if isinstance(outcome, ThreadBusy)]
    opened = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert (len(opened), len(busy)) == (1, 7)
    assert Run.objects.get() == opened[0].run
    assert {fault.details["run"]["id"] for fault in busy} == {str(opened[0].run.pk)}
    assert Message.objects.count() == 2


def test_many_requests_with_one_key_are_one_run(user: Any) -> None:
    outcomes = together([partial(ask, user, "Why?", key="k") for _ in range(20)])
    assert {outcome.run.pk for outcome in outcomes} == {Run.objects.get().pk}
    assert [outcome.replayed for outcome in outcomes].count(False) == 1
    assert (Thread.objects.count(), RunEvent.objects.count()) == (1, 3)


def test_many_requests_with_one_key_in_one_thread_are_one_run_and_nobody_is_told_that_it_is_busy(user: Any) -> None:
    thread = thread_of(user)
    outcomes = together([partial(ask, user, "Why?", thread=thread, key="k") for _ in range(20)])
    assert [fault for fault in outcomes if isinstance(fault, Exception)] == []
    assert {outcome.run.pk for outcome in outcomes} == {Run.objects.get().pk}
    assert [outcome.replayed for outcome in outcomes].count(False) == 1


def test_many_requests_with_one_key_for_a_thread_make_one_thread(user: Any) -> None:
    key = Key(user_id=user.pk, key="k", body_hash="x")
    outcomes = together([partial(create_thread, owner_id=user.pk, command=NewThread(), key=key) for _ in range(20)])
    assert {thread for thread, _ in outcomes} == {Thread.objects.get()}
    assert [replayed for _, replayed in outcomes].count(False) == 1


def test_one_key_for_two_bodies_is_one_run_and_a_conflict(user: Any) -> None:
    outcomes = together([partial(ask, user, content, key="k") for content in ("one", "two")])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [IdempotencyConflict.__name__, "Opened"]
    assert Run.objects.count() == 1


def test_one_of_many_workers_gets_a_run(user: Any) -> None:
    run = ask(user).run
    claims = together([partial(claim_run, run_id=run.pk, holder=f"w{n}", expiry=10) for n in range(8)])
    assert sum(claim is not None for claim in claims) == 1
    run.refresh_from_db()
    assert (run.attempt, run.lease.number) == (1, 1)


def test_one_of_many_takes_an_orphan_over(user: Any) -> None:
    run = ask(user).run
    claim_run(run_id=run.pk, holder="dead", expiry=-5)
    take = partial(claim_orphan, run_id=run.pk, expiry=10, all_others_dead=False)
    claims = together([partial(take, holder=f"w{n}") for n in range(8)])
    assert sum(claim is not None for claim in claims) == 1


def test_a_cancel_that_races_a_claim_leaves_one_clear_state(user: Any) -> None:
    for _ in range(10):
        run = ask(user).run
        claimed, cancelled = together(
            [partial(claim_run, run_id=run.pk, holder="w", expiry=10), partial(cancel_run, run=run, by="u", reason="r")]
        )
        assert (cancelled.status == "cancelled") == (claimed is None)
        assert cancelled.status in ("cancelled", "cancelling")


def test_a_run_that_two_close_ends_once(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    outcomes = together([partial(close, run, held, head=held.head, content=text) for text in ("one", "two")])
    assert sum(isinstance(outcome, LeaseLost) for outcome in outcomes) == 1
    ends = [row for row in RunEvent.objects.filter(run=run) if '"thread.run.completed"' in row.text]
    assert len(ends) == 1


def test_feed_numbers_are_without_gap_or_repeat_and_in_the_order_of_the_commits(user: Any) -> None:
    thread = thread_of(user)
    rename = [partial(update_thread, thread=thread, changes={"title": f"title {n}"}) for n in range(12)]
    assert not [fault for fault in together(rename) if isinstance(fault, Exception)]
    rows = list(FeedEvent.objects.filter(user=user).order_by("number"))
    assert [row.number for row in rows] == list(range(1, 14))
    assert FeedHead.objects.get(user=user).number == 13
    assert json.loads(rows[-1].text)["data"]["thread"]["title"] == Thread.objects.get().title


def test_the_feeds_of_two_people_do_not_share_numbers(user: Any, other_user: Any) -> None:
    together([partial(thread_of, person) for person in (user, other_user) * 4])
    for person in (user, other_user):
        assert list(FeedEvent.objects.filter(user=person).order_by("number").values_list("number", flat=True)) == [
            1,
            2,
            3,
            4,
        ]


def test_a_thread_that_two_delete_is_deleted_once(user: Any) -> None:
    thread = answer(ask(user).run).thread
    together([partial(async_to_sync(delete_thread), thread=thread) for _ in range(4)])
    assert Thread.objects.count() == 0
    assert FeedEvent.objects.filter(text__contains='"thread.deleted"').count() == 1


def test_a_question_to_a_thread_that_is_being_deleted_leaves_no_orphan_rows(user: Any) -> None:
    thread = answer(ask(user).run).thread
    _, asked = together(
        [partial(async_to_sync(delete_thread), thread=thread, patience=0.0), partial(ask, user, "x", thread=thread)]
    )
    assert isinstance(asked, NotFound) or asked.run is not None
    assert (Thread.objects.count(), Run.objects.count(), Message.objects.count(), RunEvent.objects.count()) == (0,) * 4


def test_verbs_at_once_in_one_thread_do_not_wait_for_each_other_in_a_ring(user: Any) -> None:
    """PostgreSQL ends one of two transactions that wait for each other, with an OperationalError."""
    for _ in range(6):
        thread = thread_of(user)
        run = ask(user, thread=thread).run
        held = claim(run)
        outcomes = together(
            [
                partial(close, run, held, head=held.head, content="Because."),
                partial(cancel_run, run=run, by="user", reason="requested"),
                partial(update_thread, thread=thread, changes={"title": "Meanwhile"}),
                partial(beat, holder="test", expiry=10),
                partial(async_to_sync(delete_thread), thread=thread, patience=0.0),
                partial(async_to_sync(delete_thread), thread=thread, patience=0.0),
            ]
        )
        assert [fault for fault in outcomes if isinstance(fault, DatabaseError | Run.DoesNotExist)] == []
        assert not Thread.objects.exists()


def test_a_claim_and_a_deletion_do_not_wait_for_each_other_in_a_ring(user: Any) -> None:
    for _ in range(10):
        run = ask(user).run
        remove = partial(async_to_sync(delete_thread), thread=run.thread, patience=0.0)
        outcomes = together([partial(claim_run, run_id=run.pk, holder="w", expiry=10), remove])
        assert [fault for fault in outcomes if isinstance(fault, Exception)] == []


def test_an_account_that_is_deleted_while_its_runs_end_goes_whole() -> None:
    for round in range(4):
        user = create_user(username=f"goes-{round}", password="correct horse battery staple")
        threads = [thread_of(user) for _ in range(4)]
        held = [(run, claim(run)) for run in (ask(user, thread=thread).run for thread in threads[:2])]
        outcomes = together(
            [
                *(partial(close, run, mine, head=mine.head) for run, mine in held),
                *(partial(update_thread, thread=thread, changes={"title": "Meanwhile"}) for thread in threads),
                User.objects.get(pk=user.pk).delete,
            ]
        )
        faults = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert all(isinstance(fault, LeaseLost | NotFound) for fault in faults), faults
        assert not User.objects.filter(pk=user.pk).exists()
        assert (Thread.objects.count(), FeedHead.objects.count(), FeedEvent.objects.count()) == (0, 0, 0)


def test_many_that_would_wait_at_once_get_three_places_in_one_order(user: Any) -> None:
    thread = ask(user).run.thread
    outcomes = together([partial(ask, user, f"question {n}", thread=thread, if_busy="enqueue") for n in range(8)])
    refused = [outcome for outcome in outcomes if isinstance(outcome, QueueFull)]
    waiting = selectors.waiting_runs(thread_id=thread.pk)
    assert (len(refused), len(waiting)) == (5, 3)
    rows = FeedEvent.objects.filter(user=user).order_by("number").values_list("text", flat=True)
    queues = [event["data"]["waiting"] for event in map(json.loads, rows) if event["event"] == "thread.queue.updated"]
    assert [[run["id"] for run in queue] for queue in queues] == [
        [str(run.pk) for run in waiting[: n + 1]] for n in range(3)
    ]


def test_what_waits_is_begun_once_by_however_many(user: Any) -> None:
    first = ask(user).run
    run = ask(user, "And then?", thread=first.thread, if_busy="enqueue").run
    cancel_run(run=first, by="user", reason="interrupted")
    outcomes = together([partial(start_waiting, thread_id=first.thread_id) for _ in range(8)])
    assert sorted(outcomes) == [False] * 7 + [True]
    assert [Message.objects.filter(content="And then?").count(), RunEvent.objects.filter(run=run).count()] == [1, 3]


def test_an_end_at_the_same_moment_as_a_send_or_a_withdrawal_leaves_nobody_behind(user: Any) -> None:
    for _ in range(8):
        first = ask(user).run
        held = claim(first)
        waiting = ask(user, "And then?", thread=first.thread, if_busy="enqueue").run
        outcomes = together(
            [
                partial(close, first, held, head=held.head),
                partial(ask, user, "Or else?", thread=first.thread, if_busy="enqueue"),
                partial(cancel_run, run=waiting, by="user", reason="requested"),
                partial(change_waiting, run=waiting, content="And now?"),
            ]
        )
        faults = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert all(isinstance(fault, NotWaiting) for fault in faults), faults
        runs = Run.objects.filter(thread=first.thread, status__in=ACTIVE)
        active, left = runs.filter(waiting=False).count(), runs.filter(waiting=True).count()
        assert (active, left) in ((1, 0), (1, 1))
