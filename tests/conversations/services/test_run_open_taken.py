"""A run that is opened by a process with room for it is its own in the same transaction."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.models import ModelServer, Run, RunLease
from conversations.ports import ports
from conversations.services.run_lease import Claim, Hands, claim_run
from conversations.services.run_open import Opened
from conversations.services.run_rows import Choice
from streaming.protocol.errors import ThreadBusy
from tests.support.stored import ask, choose, lanes, thread_of

pytestmark = pytest.mark.django_db


class Heard:
    """What was told after the commit, by the bell or to the hands."""

    def __init__(self) -> None:
        self.taken: list[tuple[Run, Claim]] = []
        self.rung: list[UUID] = []

    def hands(self, *, max_parallel: int = 0) -> Hands:
        return Hands(
            holder="us", expiry=10, max_parallel=max_parallel, taken=lambda run, claim: self.taken.append((run, claim))
        )


@pytest.fixture
def heard() -> Any:
    heard = Heard()
    ports.bell = lambda run_id, entries: heard.rung.append(run_id)
    yield heard
    ports.disconnect()


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[[Callable[[], Opened]], Opened]:
    def done(work: Callable[[], Opened]) -> Opened:
        with django_capture_on_commit_callbacks(execute=True):
            return work()

    return done


def test_it_is_in_progress_and_nobody_else_can_claim_it(user: Any, heard: Heard, committed: Any) -> None:
    run = committed(lambda: ask(user, hands=heard.hands())).run
    stored, lease = Run.objects.get(), RunLease.objects.get()
    assert (stored.status, stored.attempt, stored.started_at is not None) == ("in_progress", 1, True)
    assert (lease.holder, lease.number, lease.head) == ("us", 1, 3)
    assert lease.expires_at is not None
    assert lease.held_since is not None
    assert claim_run(run_id=run.pk, holder="them", expiry=10) is None


def test_its_claim_comes_with_the_events_that_opened_it_and_no_bell_rings(
    user: Any, heard: Heard, committed: Any
) -> None:
    run = committed(lambda: ask(user, hands=heard.hands())).run
    ((taken, claim),) = heard.taken
    assert taken is run
    assert (claim.run_id, claim.number, claim.head) == (run.pk, 1, 3)
    assert [entry.id for entry in claim.opened] == [1, 2, 3]
    assert [entry.text for entry in claim.opened] == list(run.events.order_by("seq").values_list("text", flat=True))
    assert heard.rung == []


def test_it_is_told_as_it_was_opened(user: Any, heard: Heard, committed: Any) -> None:
    assert committed(lambda: ask(user, hands=heard.hands())).run.status == "queued"
    assert '"status":"queued"' in heard.taken[0][1].opened[0].text


@pytest.mark.parametrize(
    ("own_bound", "bound_of_all", "taken"),
    [(None, 0, True), (0, 2, True), (None, 2, False), (1, 0, False)],
    ids=["no bound", "none of its own", "that of all", "one of its own"],
)
def test_only_where_the_model_server_has_no_bound(
    user: Any, heard: Heard, committed: Any, own_bound: int | None, bound_of_all: int, taken: bool
) -> None:
    ModelServer.objects.create(name="demo", max_parallel=own_bound)
    run = committed(lambda: ask(user, hands=heard.hands(max_parallel=bound_of_all))).run
    assert (len(heard.taken), heard.rung) == ((1, []) if taken else (0, [run.pk]))
    assert Run.objects.get().status == ("in_progress" if taken else "queued")


def test_a_server_that_has_no_row_yet_has_the_bound_of_all(user: Any, heard: Heard, committed: Any) -> None:
    committed(lambda: ask(user, hands=heard.hands(max_parallel=3)))
    assert heard.taken == []


def test_of_several_models_each_is_taken_by_itself(user: Any, heard: Heard, committed: Any) -> None:
    ModelServer.objects.create(name="slow", max_parallel=1)
    choices = [Choice(provider="demo", model="demo"), Choice(provider="slow", model="big")]
    runs = committed(
        lambda: ask(user, models=["demo/demo", "slow/big"], choose=lambda: choices, hands=heard.hands())
    ).runs
    assert [run.pk for run, _ in heard.taken] == [runs[0].pk]
    assert heard.rung == [runs[1].pk]


def test_all_lanes_are_taken_where_nothing_bounds_them(user: Any, heard: Heard, committed: Any) -> None:
    names = ["demo/a", "demo/b", "demo/c"]
    runs = committed(lambda: ask(user, models=names, choose=lanes("a", "b", "c"), hands=heard.hands())).runs
    assert [(run.pk, claim.run_id) for run, claim in heard.taken] == [(run.pk, run.pk) for run in runs]


def test_a_refused_send_and_one_that_waits_take_nothing(user: Any, heard: Heard, committed: Any) -> None:
    thread = thread_of(user)
    committed(lambda: ask(user, thread=thread, hands=heard.hands()))
    with pytest.raises(ThreadBusy):
        ask(user, thread=thread, hands=heard.hands())
    waiting = committed(lambda: ask(user, thread=thread, if_busy="enqueue", hands=heard.hands())).run
    assert len(heard.taken) == 1
    assert RunLease.objects.get(pk=waiting.pk).holder == ""


def test_a_send_that_was_carried_out_before_is_not_taken_again(user: Any, heard: Heard, committed: Any) -> None:
    for _ in range(2):
        committed(lambda: ask(user, key="k", hands=heard.hands()))
    assert len(heard.taken) == 1


def test_it_costs_two_statements(user: Any, heard: Heard) -> None:
    def statements(**fields: Any) -> int:
        thread = thread_of(user)
        with CaptureQueriesContext(connection) as captured:
            ask(user, thread=thread, choose=choose, **fields)
        return len(captured)

    assert statements(hands=heard.hands()) == statements() + 2
