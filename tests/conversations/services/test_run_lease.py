from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from conversations.models import Run, RunLease
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import Claim, beat, claim_orphan, claim_run, let_go, orphans
from tests.support.stored import answer, ask, claim

pytestmark = pytest.mark.django_db


def orphan_ids(*, holder: str, all_others_dead: bool) -> list[UUID]:
    return [orphan.run_id for orphan in orphans(holder=holder, all_others_dead=all_others_dead, most=9)]


def take_over(run: Run, *, holder: str = "b", dead: bool = False) -> Claim | None:
    return claim_orphan(run_id=run.pk, holder=holder, expiry=10, all_others_dead=dead)


def ran_out(run: Run, *, after: float = 0.0) -> None:
    """Its worker was alive for so many seconds, and then no more."""
    now = timezone.now()
    long_ago = now - timedelta(hours=1)
    alive_until = long_ago + timedelta(seconds=after)
    RunLease.objects.filter(run=run).update(held_since=long_ago, expires_at=alive_until + timedelta(seconds=10))


def test_one_of_two_claims_gets_the_run(user: Any) -> None:
    run = ask(user).run
    first = claim_run(run_id=run.pk, holder="a", expiry=10)
    assert first is not None
    assert (first.number, first.head) == (1, 3)
    assert claim_run(run_id=run.pk, holder="b", expiry=10) is None
    assert RunLease.objects.get().holder == "a"


def test_a_claim_starts_the_first_attempt(user: Any) -> None:
    run = ask(user).run
    claim(run)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("in_progress", 1)
    assert run.started_at is not None


def test_a_lease_that_holds_is_no_orphan(user: Any) -> None:
    claim(ask(user).run)
    assert orphan_ids(holder="other", all_others_dead=False) == []


def test_a_lease_that_ran_out_is_taken_over_once_with_a_higher_number(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    RunLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert orphan_ids(holder="b", all_others_dead=False) == [run.pk]
    taken = claim_orphan(run_id=run.pk, holder="b", expiry=10, all_others_dead=False)
    assert taken is not None
    assert taken.number == held.number + 1
    assert claim_orphan(run_id=run.pk, holder="c", expiry=10, all_others_dead=False) is None


def test_whoever_holds_the_data_directory_knows_that_all_others_are_dead(user: Any) -> None:
    run = ask(user).run
    claim(run)
    assert orphan_ids(holder="b", all_others_dead=True) == [run.pk]
    assert claim_orphan(run_id=run.pk, holder="b", expiry=10, all_others_dead=True) is not None


def test_nobody_is_an_orphan_of_his_own(user: Any) -> None:
    claim(ask(user).run)
    assert orphan_ids(holder="test", all_others_dead=True) == []


def test_ended_and_queued_runs_are_no_orphans(user: Any) -> None:
    ask(user)
    answer(ask(user).run)
    cancel_run(run=ask(user).run, by="user", reason="requested")
    assert orphan_ids(holder="b", all_others_dead=True) == []


def test_a_beat_extends_our_leases_and_no_others(user: Any) -> None:
    ours, theirs = ask(user).run, ask(user).run
    claim(ours)
    claim_run(run_id=theirs.pk, holder="them", expiry=-5)
    RunLease.objects.filter(run=ours).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert beat(holder="test", expiry=10) == {ours.pk: 1}
    assert orphan_ids(holder="b", all_others_dead=False) == [theirs.pk]


def test_a_lease_that_was_let_go_is_found_at_once(user: Any) -> None:
    run = ask(user).run
    let_go(claim=claim(run))
    assert orphan_ids(holder="b", all_others_dead=False) == [run.pk]


def test_a_takeover_is_another_attempt(user: Any) -> None:
    run = ask(user).run
    assert not claim(run).left
    for attempt in (2, 3):
        ran_out(run)
        taken = take_over(run, holder=f"process {attempt}")
        assert taken is not None
        run.refresh_from_db()
        assert (run.attempt, taken.number, taken.lost, taken.left) == (attempt, attempt, attempt - 1, True)


def test_only_holders_that_died_are_counted_as_lost(user: Any) -> None:
    run = ask(user).run
    let_go(claim=claim(run))
    taken = take_over(run)
    assert taken is not None
    assert taken.lost == 0
    run.refresh_from_db()
    assert run.attempt == 2


def test_the_time_for_which_it_was_held_is_counted_up_to_the_last_beat(user: Any) -> None:
    run = ask(user).run
    claim(run)
    ran_out(run, after=90.0)
    second = take_over(run)
    assert second is not None
    assert second.held == pytest.approx(90.0, abs=0.01)
    let_go(claim=second, held=second.held + 5.0)
    third = take_over(run, holder="c")
    assert third is not None
    assert third.held == pytest.approx(95.0, abs=0.01)


def test_what_is_only_to_be_stopped_comes_first_and_is_no_new_attempt(user: Any) -> None:
    runs = [ask(user).run for _ in range(3)]
    for run in runs:
        claim(run)
        ran_out(run)
    cancel_run(run=runs[1], by="user", reason="requested")
    found = orphans(holder="b", all_others_dead=False, most=2)
    assert [(orphan.run_id, orphan.unwanted) for orphan in found] == [(runs[1].pk, True), (runs[0].pk, False)]
    assert take_over(runs[1]) is not None
    runs[1].refresh_from_db()
    assert (runs[1].status, runs[1].attempt) == ("cancelling", 1)


def test_a_deleted_run_is_nobody_s(user: Any) -> None:
    run = ask(user).run
    claim(run)
    ran_out(run)
    pk = run.pk
    run.delete()
    assert claim_orphan(run_id=pk, holder="b", expiry=10, all_others_dead=True) is None
