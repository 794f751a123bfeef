from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import RunLease
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import beat, claim_orphan, claim_run, let_go, orphan_run_ids, queued_run_ids
from tests.support.stored import answer, ask, claim

pytestmark = pytest.mark.django_db


def test_the_oldest_runs_are_next(user: Any) -> None:
    runs = [ask(user).run.pk for _ in range(3)]
    assert queued_run_ids(most=2) == runs[:2]


def test_one_person_s_many_questions_do_not_keep_another_s_waiting(user: Any, other_user: Any) -> None:
    for _ in range(2):
        claim(ask(user).run)
    many = [ask(user).run.pk for _ in range(30)]
    first, second = ask(other_user).run.pk, ask(other_user).run.pk
    assert queued_run_ids(most=4) == [first, second, many[0], many[1]]


def test_those_who_have_as_many_take_turns(user: Any, other_user: Any) -> None:
    many = [ask(user).run.pk for _ in range(3)]
    later = [ask(other_user).run.pk for _ in range(2)]
    assert queued_run_ids(most=9) == [many[0], later[0], many[1], later[1], many[2]]


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
    assert orphan_run_ids(holder="other", all_others_dead=False, most=9) == []


def test_a_lease_that_ran_out_is_taken_over_once_with_a_higher_number(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    RunLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert orphan_run_ids(holder="b", all_others_dead=False, most=9) == [run.pk]
    taken = claim_orphan(run_id=run.pk, holder="b", expiry=10, all_others_dead=False)
    assert taken is not None
    assert taken.number == held.number + 1
    assert claim_orphan(run_id=run.pk, holder="c", expiry=10, all_others_dead=False) is None


def test_whoever_holds_the_data_directory_knows_that_all_others_are_dead(user: Any) -> None:
    run = ask(user).run
    claim(run)
    assert orphan_run_ids(holder="b", all_others_dead=True, most=9) == [run.pk]
    assert claim_orphan(run_id=run.pk, holder="b", expiry=10, all_others_dead=True) is not None


def test_nobody_is_an_orphan_of_his_own(user: Any) -> None:
    claim(ask(user).run)
    assert orphan_run_ids(holder="test", all_others_dead=True, most=9) == []


def test_ended_and_queued_runs_are_no_orphans(user: Any) -> None:
    ask(user)
    answer(ask(user).run)
    cancel_run(run=ask(user).run, by="user", reason="requested")
    assert orphan_run_ids(holder="b", all_others_dead=True, most=9) == []


def test_a_beat_extends_our_leases_and_no_others(user: Any) -> None:
    ours, theirs = ask(user).run, ask(user).run
    claim(ours)
    claim_run(run_id=theirs.pk, holder="them", expiry=-5)
    RunLease.objects.filter(run=ours).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert beat(holder="test", expiry=10) == 1
    assert orphan_run_ids(holder="b", all_others_dead=False, most=9) == [theirs.pk]


def test_a_lease_that_was_let_go_is_found_at_once(user: Any) -> None:
    run = ask(user).run
    let_go(claim=claim(run))
    assert orphan_run_ids(holder="b", all_others_dead=False, most=9) == [run.pk]
