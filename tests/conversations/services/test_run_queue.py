"""Claiming for a model server, by one and by many at once."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection, transaction

from conversations import selectors
from conversations.models import ModelServer, Run, RunLease, Thread
from conversations.services import run_queue
from conversations.services.model_servers import list_model_servers
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import Claim
from conversations.services.run_open import MAX_WAITING
from conversations.services.run_queue import claim_next, claim_shares, require_place
from streaming.protocol.errors import TooManyWaiting
from streaming.protocol.lifecycle import HELD, RunStatus
from tests.support.stored import ask, close, decide, park
from tests.support.together import together
from tests.support.waiting import line_up

pytestmark = pytest.mark.django_db
QUEUED, AT_WORK = RunStatus.QUEUED, RunStatus.IN_PROGRESS


def take(most: int = 99, *, server: str = "demo", max_parallel: int = 0, holder: str = "w") -> list[Claim] | None:
    return claim_next(server=server, most=most, max_parallel=max_parallel, holder=holder, expiry=10)


def taken(most: int = 99, **options: Any) -> list[Any]:
    claims = take(most, **options)
    assert claims is not None
    return [claim.run_id for claim in claims]


def at_work(server: str = "demo") -> int:
    return Run.objects.filter(provider=server, status__in=HELD).count()


def test_runs_are_taken_in_turn_and_no_more_than_are_wanted(user: Any) -> None:
    first, second, third = (ask(user).run for _ in range(3))
    assert take(2) == [Claim(run_id=run.pk, number=1, head=3) for run in (first, second)]
    assert [run.status for run in Run.objects.order_by("created_at")] == [AT_WORK, AT_WORK, QUEUED]
    assert set(RunLease.objects.filter(holder="w").values_list("pk", flat=True)) == {first.pk, second.pk}
    assert taken() == [third.pk]


def test_a_server_has_no_more_at_once_than_it_may(user: Any) -> None:
    runs = [ask(user).run for _ in range(4)]
    assert taken(max_parallel=2) == [runs[0].pk, runs[1].pk]
    assert taken(max_parallel=2) == []
    RunLease.objects.filter(pk=runs[0].pk).update(holder="", expires_at=None)  # its process has gone: not its place
    assert taken(max_parallel=2) == []
    cancel_run(run=runs[1], by="user", reason="requested")  # nor has one ended that is still to be stopped
    assert taken(max_parallel=2) == []


def test_a_run_that_has_ended_gives_its_place_to_the_next(user: Any) -> None:
    runs = [ask(user).run for _ in range(3)]
    (held,) = take(1) or []
    close(Run.objects.get(pk=held.run_id), held, head=held.head)
    assert taken(max_parallel=1) == [runs[1].pk]


def test_a_run_that_waits_for_a_person_has_no_place_and_takes_one_when_it_goes_on(user: Any) -> None:
    parked = ask(user).run
    (approval,) = park(parked, "a line")
    other = ask(user).run
    assert taken(max_parallel=1) == [other.pk]
    decide(approval, "approve")
    assert taken(max_parallel=1) == []
    assert taken(max_parallel=2) == [parked.pk]
    assert Run.objects.get(pk=parked.pk).attempt == 1


def test_a_bound_of_its_own_stands_above_the_usual_one(user: Any) -> None:
    for _ in range(4):
        ask(user)
    server = ModelServer.objects.create(name="demo", max_parallel=3)
    assert len(taken(max_parallel=1)) == 3
    server.max_parallel = 0
    server.save()
    assert len(taken(max_parallel=1)) == 1


def test_a_bound_below_what_is_at_work_stops_nothing_and_takes_nothing(user: Any) -> None:
    for _ in range(4):
        ask(user)
    assert len(taken(3)) == 3
    assert (taken(max_parallel=1), at_work()) == ([], 3)


def test_the_runs_of_another_server_are_left_alone(user: Any) -> None:
    line_up([(user, "a", AT_WORK), (user, "a", QUEUED), (user, "b", QUEUED)])
    assert (taken(server="a", max_parallel=1), len(taken(server="b", max_parallel=1))) == ([], 1)


def test_what_was_cancelled_is_not_taken(user: Any) -> None:
    gone, next_one = ask(user).run, ask(user).run
    assert cancel_run(run=gone, by="user", reason="requested").status == "cancelled"
    assert taken(1) == [next_one.pk]


def test_servers_are_given_rows_once_and_keep_what_was_set(user: Any) -> None:
    list_model_servers({"ollama": "ollama", "demo": "demo"})
    ModelServer.objects.filter(name="demo").update(max_parallel=1)
    list_model_servers({"ollama": "ollama", "demo": "demo"})
    rows = ModelServer.objects.order_by("name").values_list("name", "kind", "max_parallel")
    assert list(rows) == [("demo", "demo", 1), ("ollama", "ollama", None)]


def test_a_server_without_a_row_is_given_one_by_the_first_claim(user: Any) -> None:
    ask(user)
    assert len(taken()) == 1
    assert ModelServer.objects.get().name == "demo"


@pytest.mark.django_db(transaction=True)
def test_many_that_list_the_servers_at_once_make_one_row_each() -> None:
    faults = [fault for fault in together([partial(list_model_servers, {"a": "ollama", "b": "demo"})] * 8) if fault]
    assert (faults, ModelServer.objects.count()) == ([], 2)


@pytest.mark.django_db(transaction=True)
def test_however_many_claim_at_once_a_server_never_has_more_than_it_may(user: Any, other_user: Any) -> None:
    """Workers claim, look how many are at work in all, end theirs and claim again, as fast as they can."""
    line_up([(person, "demo", QUEUED) for person in (user, other_user) for _ in range(20)])

    def work(name: str) -> tuple[int, int]:
        carried_out = most = 0
        while Run.objects.filter(status=QUEUED).exists():
            for claim in take(2, max_parallel=3, holder=name) or ():
                time.sleep(random.uniform(0, 0.03))
                most = max(most, at_work())
                ours = Run.objects.filter(pk=claim.run_id, status=AT_WORK, lease__number=claim.number)
                carried_out += ours.update(status=RunStatus.COMPLETED)
        return carried_out, most

    at_once = selectors.in_turn

    def after_a_while(**asked: Any) -> list[Any]:
        """Between the counting and the taking somebody else may have counted as well."""
        time.sleep(random.uniform(0, 0.03))
        return at_once(**asked)

    with mock.patch.object(selectors, "in_turn", after_a_while):
        outcomes = together([partial(work, f"w{n}") for n in range(6)])
    assert sum(carried_out for carried_out, _ in outcomes) == 40
    assert max(most for _, most in outcomes) <= 3


@contextmanager
def held_elsewhere(rows: Any) -> Iterator[None]:
    """Some rows, locked by somebody else."""
    locked, go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(rows.select_for_update())
                locked.set()
                go.wait(timeout=20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(timeout=10)
        yield
    finally:
        go.set()
        holder.join()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_another_who_claims(user: Any) -> None:
    ModelServer.objects.create(name="demo")
    run = ask(user).run
    with held_elsewhere(ModelServer.objects.filter(name="demo")):
        begun = time.monotonic()
        assert take() is None
        assert time.monotonic() - begun < 1
    assert taken() == [run.pk]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_thread_that_somebody_changes_is_left_out_and_holds_up_no_other(user: Any) -> None:
    changed, free = ask(user).run, ask(user).run
    with held_elsewhere(Thread.objects.filter(pk=changed.thread_id)):
        begun = time.monotonic()
        assert taken() == [free.pk]
        assert time.monotonic() - begun < 1
    assert taken() == [changed.pk]


def test_a_person_may_have_only_so_many_waiting(user: Any, other_user: Any) -> None:
    line_up([*[(user, "demo", QUEUED)] * 3, (user, "demo", AT_WORK), (other_user, "demo", QUEUED)])
    require_place(owner_id=user.pk, more=2, most=5)
    with pytest.raises(TooManyWaiting) as refusal:
        require_place(owner_id=user.pk, more=3, most=5)
    assert refusal.value.details == {"limit": 5}


def test_a_send_beyond_that_is_refused_and_stores_nothing(user: Any) -> None:
    line_up([(user, "demo", QUEUED)] * MAX_WAITING)
    threads = Thread.objects.count()
    with pytest.raises(TooManyWaiting):
        ask(user)
    assert (Run.objects.count(), Thread.objects.count()) == (MAX_WAITING, threads)
    taken(1)
    assert ask(user).run.status == QUEUED


def shared(wanted: dict[str, int]) -> tuple[int, list[Any]]:
    count, claims = claim_shares(share_out=lambda loads: wanted, max_parallel=0, holder="w", expiry=10)
    return count, [claim.run_id for claim in claims]


def test_of_each_server_its_share_is_taken(user: Any) -> None:
    runs = [ask(user).run for _ in range(3)]
    assert shared({}) == (0, [])
    assert shared({"demo": 2, "nobody": 3}) == (5, [run.pk for run in runs[:2]])


def test_what_is_ours_when_the_database_goes_away_is_worked_on(user: Any) -> None:
    run = ask(user).run
    real = run_queue.claim_next

    def claims(*, server: str, **options: Any) -> list[Claim] | None:
        if server == "away":
            raise OperationalError()
        return real(server=server, **options)

    with mock.patch.object(run_queue, "claim_next", claims):
        assert shared({"demo": 1, "away": 1}) == (2, [run.pk])
        with pytest.raises(OperationalError):
            shared({"away": 1})
