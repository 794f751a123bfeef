"""The law of the feed: the list before and the events make the list as it is read afresh, whatever the verbs were."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as check

from chatserver.accounts.services import create_token, create_user
from chatserver.ids import new_id
from conversations import selectors, wire
from conversations.database import writing
from conversations.models import Message, Run, Thread
from conversations.services.messages import delete_message
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import Claim
from conversations.services.run_unheld import end_unheld
from conversations.services.run_waiting import change_waiting
from conversations.services.threads import delete_thread, restore_thread, update_thread
from streaming.protocol.errors import InvalidRequest, NotFound, NotWaiting, QueueFull, ThreadBusy
from streaming.protocol.lifecycle import ACTIVE, RunStatus
from tests.support.stored import answer, ask, claim, close, lanes, thread_of
from tests.support.thread_list import ThreadList, place

pytestmark = pytest.mark.django_db(transaction=True)
TRANSCRIPT = Path(__file__).resolve().parents[2] / "transcripts" / "feed" / "threads.json"
ENDS = [RunStatus.COMPLETED, RunStatus.INCOMPLETE, RunStatus.FAILED, RunStatus.CANCELLED]
CHANGES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"title": "b"}, {"pinned": True}, {"archived": True}, {"archived": False}, {"tags": ["x"]}, {"model": "m"}]
)
Held = tuple[Run, Claim]


class Witness:
    """One person's client: reads the list by the API, and the feed's events as they are kept."""

    def __init__(self) -> None:
        name = f"u{new_id().hex}"
        self.user = create_user(username=name, password="correct horse battery staple")
        token = create_token(user=self.user)[1]
        self.http = Client(headers={"Authorization": f"Bearer {token}"})

    def read(self) -> dict[str, Any]:
        page: dict[str, Any] = self.http.get("/api/v1/threads").json()
        return page

    def read_top(self, size: int) -> dict[str, Any]:
        """A first page that does not reach the end of the list."""
        cursor = selectors.feed_cursor(self.user.pk)
        page = selectors.thread_page(owner_id=self.user.pk, cursor=None, size=size)
        told = [wire.plain(wire.thread_object(thread, page.under_way[thread.pk])) for thread in page.threads]
        return {"results": told, "next": page.next, "feed_cursor": cursor}

    def events(self, after: int) -> list[dict[str, Any]]:
        piece = selectors.feed_after(user_id=self.user.pk, after=after, most=1000, most_bytes=10**9)
        return [json.loads(entry.text) for entry in piece.entries]


class Law(RuleBasedStateMachine):
    threads: Bundle[Thread] = Bundle("threads")
    away: Bundle[Thread] = Bundle("away")
    queued: Bundle[Run] = Bundle("queued")
    waiting: Bundle[Run] = Bundle("waiting")
    held: Bundle[Held] = Bundle("held")

    @initialize()
    def begin(self) -> None:
        self.witness = Witness()
        self.user = self.witness.user
        # Who was there from the beginning, who reads only the top, and who reads the cursor long before the list.
        self.whole = ThreadList.of(self.witness.read())
        self.top: ThreadList | None = None
        self.early: int | None = None
        self.late: ThreadList | None = None

    @rule(target=threads, title=st.sampled_from(["", "a"]))
    def make(self, title: str) -> Thread:
        return thread_of(self.user, title=title)

    @rule(thread=threads, changes=CHANGES)
    def change(self, thread: Thread, changes: dict[str, Any]) -> None:
        if self._is_there(thread.pk):
            update_thread(thread=thread, changes=changes)

    @rule(target=queued, thread=threads, models=st.integers(1, 2))
    def ask(self, thread: Thread, models: int) -> Any:
        if not self._is_there(thread.pk) or self._is_busy(thread):
            return multiple()
        ask(self.user, thread=thread, choose=lanes(*"ab"[:models]), **({"models": ["a", "b"]} if models > 1 else {}))
        return multiple(*Run.objects.filter(thread=thread, status=RunStatus.QUEUED))

    @rule(target=queued)
    def ask_anew(self) -> Run:
        return ask(self.user, "Why is it so?").run

    @rule(target=queued, thread=threads, how=st.sampled_from(["regenerate", "continue"]))
    def ask_again(self, thread: Thread, how: str) -> Any:
        head = Thread.objects.filter(pk=thread.pk).values_list("head", flat=True).first()
        if head is None or self._is_busy(thread):
            return multiple()
        try:
            return ask(self.user, None, thread=thread, **{how: str(head)}).run
        except InvalidRequest:  # a whole answer cannot be gone on with
            return multiple()

    @rule(target=waiting, thread=threads)
    def enqueue(self, thread: Thread) -> Any:
        if not self._is_there(thread.pk) or not self._is_busy(thread):
            return multiple()
        with suppress(QueueFull):
            return ask(self.user, "And then?", thread=thread, if_busy="enqueue").run
        return multiple()

    @rule(run=waiting, content=st.sampled_from(["And then?", "And now?"]))
    def change_what_waits(self, run: Run, content: str) -> None:
        with suppress(NotWaiting, NotFound):
            change_waiting(run=run, content=content)

    @rule(run=consumes(waiting))
    def withdraw_what_waits(self, run: Run) -> None:
        with suppress(NotFound):
            cancel_run(run=run, by="user", reason="requested")

    @rule(target=queued, run=consumes(waiting))
    def see_it_begun(self, run: Run) -> Any:
        return run if Run.objects.filter(pk=run.pk, waiting=False, status=RunStatus.QUEUED).exists() else multiple()

    @rule(target=held, run=consumes(queued))
    def claim(self, run: Run) -> Any:
        return (run, claim(run)) if self._is_there(run.thread_id) else multiple()

    @rule(run=consumes(queued))
    def withdraw(self, run: Run) -> None:
        if self._is_there(run.thread_id):
            cancel_run(run=run, by="user", reason="requested")

    @rule(held=consumes(held), status=st.sampled_from(ENDS))
    def end(self, held: Held, status: RunStatus) -> None:
        run, claimed = held
        if not self._is_there(run.thread_id):
            return
        if status is RunStatus.CANCELLED:
            cancel_run(run=run, by="user", reason="requested")
        close(run, claimed, head=claimed.head, status=status)

    @rule(held=consumes(held), expires=st.booleans())
    def wait_for_a_person_in_vain(self, held: Held, expires: bool) -> None:
        run, _ = held
        if not self._is_there(run.thread_id):
            return
        Run.objects.filter(pk=run.pk).update(status=RunStatus.REQUIRES_ACTION)
        if not expires:
            cancel_run(run=run, by="user", reason="requested")
            return
        with writing():
            parked = [RunStatus.REQUIRES_ACTION]
            assert end_unheld(run_id=run.pk, becomes=RunStatus.EXPIRED, among=parked, changes={})

    @rule(thread=threads, last=st.booleans())
    def delete_a_message(self, thread: Thread, last: bool) -> None:
        messages = list(Message.objects.filter(thread=thread).order_by("created_at", "pk"))
        if messages:
            with suppress(ThreadBusy):
                delete_message(thread=thread, message_id=messages[-1 if last else 0].pk)

    @rule(thread=consumes(threads))
    def delete(self, thread: Thread) -> None:
        async_to_sync(delete_thread)(thread=thread, patience=0.0)

    @rule(target=away, thread=consumes(threads))
    def put_away(self, thread: Thread) -> Thread:
        async_to_sync(delete_thread)(thread=thread, patience=0.0, undoable=True)
        return thread

    @rule(target=threads, thread=consumes(away))
    def restore(self, thread: Thread) -> Any:
        gone = not Thread.everything.filter(pk=thread.pk).exists()
        return multiple() if gone or self._is_busy(thread) else restore_thread(thread=thread, kept=60)

    @rule()
    def read_the_top(self) -> None:
        self.top = ThreadList.of(self.witness.read_top(2))

    @rule()
    def read_the_cursor(self) -> None:
        self.early = selectors.feed_cursor(self.user.pk)

    @rule()
    def read_the_list(self) -> None:
        if self.early is not None:
            self.late = ThreadList.of(self.witness.read(), cursor=self.early)

    @invariant()
    def the_law_holds(self) -> None:
        fresh = self.witness.read()
        assert fresh["next"] is None
        for known in filter(None, (self.whole, self.late, self.top)):
            for event in self.witness.events(known.last):
                known.apply(deepcopy(event))
            assert known.last == fresh["feed_cursor"]
            there = [one for one in fresh["results"] if known.floor is None or place(one) >= known.floor]
            assert known.items == [one for one in there if one["id"] not in known.lacks]

    @invariant()
    def the_queues_are_as_they_were_told_last(self) -> None:
        told = {
            event["data"]["thread_id"]: event["data"]["waiting"]
            for event in self.witness.events(0)
            if event["event"] == "thread.queue.updated"
        }
        for thread_id in Thread.objects.filter(owner=self.user).values_list("pk", flat=True):
            waiting = [wire.plain(wire.run_object(run)) for run in selectors.waiting_runs(thread_id=thread_id)]
            assert waiting == told.get(str(thread_id), [])

    def _is_busy(self, thread: Thread) -> bool:
        return Run.objects.filter(thread=thread, status__in=ACTIVE).exists()

    def _is_there(self, thread_id: UUID) -> bool:
        return Thread.objects.filter(pk=thread_id).exists()


def test_the_list_before_and_the_events_make_the_list_afresh() -> None:
    check(
        Law,
        settings=settings(
            max_examples=12, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_recorded_transcript_folds_to_the_server_s_own_lists() -> None:
    """RECORD=1 records it anew; the page's fold is held to the same file."""
    if os.environ.get("RECORD") == "1":
        TRANSCRIPT.parent.mkdir(exist_ok=True)
        TRANSCRIPT.write_text(json.dumps(recorded(), indent=1) + "\n")
    transcript = json.loads(TRANSCRIPT.read_text())
    known = ThreadList.of(transcript["before"])
    for step in transcript["steps"]:
        for event in step["events"]:
            known.apply(event)
        assert known.items == step["list"], step["after"]
    assert {step["after"] for step in transcript["steps"]} >= {
        *(
            "create",
            "rename",
            "archive",
            "ask",
            "stop",
            "continue",
            "expire",
            "delete a message",
            "delete",
            "restore",
            "unpin and pin",
            "enqueue",
            "end lane 1",
        ),
    }


def test_whoever_records_now_records_what_folds() -> None:
    transcript = recorded()
    known = ThreadList.of(transcript["before"])
    for step in transcript["steps"]:
        for event in step["events"]:
            known.apply(event)
        assert known.items == step["list"], step["after"]


def _expire(run: Run) -> None:
    with writing():
        assert end_unheld(run_id=run.pk, becomes=RunStatus.EXPIRED, among=[RunStatus.QUEUED], changes={})


def recorded() -> dict[str, Any]:
    """One of every verb that a list of threads can be told of, with the events of each and the list after it."""
    witness = Witness()
    user = witness.user
    first, second = thread_of(user, title="First"), thread_of(user, title="Second")
    before = witness.read()
    last, steps = before["feed_cursor"], []

    def after(name: str, act: Callable[[], Any]) -> Any:
        nonlocal last
        done = act()
        events, page = witness.events(last), witness.read()
        last = page["feed_cursor"]
        steps.append({"after": name, "events": events, "list": page["results"]})
        return done

    third = after("create", lambda: thread_of(user))
    after("rename", lambda: update_thread(thread=first, changes={"title": "Renamed", "pinned": True}))
    run = after("ask", lambda: ask(user, "Who are you?", thread=third).run)
    after("answer", lambda: answer(run))
    anew = after("ask anew", lambda: ask(user, "Without a thread").run)
    after("stop", lambda: cancel_run(run=anew, by="user", reason="requested"))
    went_on = after("continue", lambda: ask(user, None, thread=anew.thread, **{"continue": str(anew.answer_id)}).run)
    after("expire", lambda: _expire(went_on))
    after("delete a message", lambda: delete_message(thread=third, message_id=run.answer_id))
    after("archive", lambda: update_thread(thread=second, changes={"archived": True}))
    hidden = after("ask in the archive", lambda: ask(user, "Hidden", thread=second).run)
    after("fail in the archive", lambda: answer(hidden, status=RunStatus.FAILED))
    after("take out of the archive", lambda: update_thread(thread=second, changes={"archived": False}))
    after("two models", lambda: ask(user, thread=first, choose=lanes("a", "b"), models=["a", "b"]))
    waits = after("enqueue", lambda: ask(user, "And then?", thread=first, if_busy="enqueue").run)
    withdrawn = after("enqueue another", lambda: ask(user, "Or else?", thread=first, if_busy="enqueue").run)
    after("change what waits", lambda: change_waiting(run=waits, content="And now?"))
    after("withdraw what waits", lambda: cancel_run(run=withdrawn, by="user", reason="requested"))
    for run in Run.objects.filter(thread=first, waiting=False, status=RunStatus.QUEUED).order_by("lane"):
        after(f"end lane {run.lane}", lambda run=run: answer(run))
    after("enqueue at last", lambda: ask(user, "At last?", thread=first, if_busy="enqueue"))
    after("delete while it answers", lambda: async_to_sync(delete_thread)(thread=first, patience=0.0))
    after("delete", lambda: async_to_sync(delete_thread)(thread=third, undoable=True))
    after("restore", lambda: restore_thread(thread=third, kept=60))
    after("unpin and pin", lambda: [update_thread(thread=second, changes={"pinned": on}) for on in (True, False, True)])
    return {"before": before, "steps": steps}
