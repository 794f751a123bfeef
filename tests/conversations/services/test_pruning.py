import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import FeedEvent, IdempotencyKey, Run, RunEvent
from conversations.services import feed, idempotency
from conversations.services.run_log import prune_logs
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask

pytestmark = pytest.mark.django_db


def ended(user: Any, *, seconds_ago: float) -> Run:
    run = answer(ask(user).run, "Because of a long story.")
    Run.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(seconds=seconds_ago))
    return run


def test_of_an_old_log_only_the_terminal_event_stays(user: Any) -> None:
    run = ended(user, seconds_ago=100)
    assert prune_logs(kept=60, most=10) == 1
    kept = RunEvent.objects.get(run=run)
    assert (kept.seq, json.loads(kept.text)["event"]) == (run.head, "thread.run.completed")
    run.refresh_from_db()
    assert run.log_pruned


def test_of_a_failed_run_s_log_the_error_stays_too(user: Any) -> None:
    run = answer(ask(user).run, "Because of", status=RunStatus.FAILED)
    Run.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(seconds=100))
    prune_logs(kept=60, most=10)
    kept = RunEvent.objects.filter(run=run).order_by("seq")
    assert [json.loads(row.text)["event"] for row in kept] == ["error", "thread.run.failed"]
    assert [row.seq for row in kept] == [run.head - 1, run.head]


def test_younger_and_active_logs_stay_whole(user: Any) -> None:
    ended(user, seconds_ago=10)
    ask(user)
    before = RunEvent.objects.count()
    assert prune_logs(kept=60, most=10) == 0
    assert RunEvent.objects.count() == before


def test_at_most_so_many_the_oldest_first_and_none_twice(user: Any) -> None:
    younger, older = ended(user, seconds_ago=100), ended(user, seconds_ago=200)
    assert prune_logs(kept=60, most=1) == 1
    assert RunEvent.objects.filter(run=older).count() == 1
    assert RunEvent.objects.filter(run=younger).count() > 1
    assert [prune_logs(kept=60, most=1), prune_logs(kept=60, most=1)] == [1, 0]


def test_a_day_old_feed_goes_a_bounded_piece_at_a_time(user: Any) -> None:
    for _ in range(5):
        feed.record(user.pk, "thread.deleted", {"thread_id": "x"})
    FeedEvent.objects.filter(number__lte=4).update(created_at=timezone.now() - timedelta(hours=25))
    assert [feed.prune(most=3), feed.prune(most=3), feed.prune(most=3)] == [3, 1, 0]
    assert FeedEvent.objects.get().number == 5


def test_thousands_go_in_one_piece(user: Any) -> None:
    old = timezone.now() - timedelta(hours=25)
    FeedEvent.objects.bulk_create(
        FeedEvent(user=user, number=number, text="{}", created_at=old) for number in range(1, 2501)
    )
    assert feed.prune(most=2000) == 2000


def test_numbers_go_on_after_pruning(user: Any) -> None:
    feed.record(user.pk, "thread.deleted", {"thread_id": "x"})
    FeedEvent.objects.update(created_at=timezone.now() - timedelta(hours=25))
    feed.prune(most=10)
    assert feed.record(user.pk, "thread.deleted", {"thread_id": "y"}) == 2


def test_keys_are_kept_for_a_day(user: Any) -> None:
    ask(user, key="k")
    assert idempotency.prune(most=10) == 0
    IdempotencyKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert idempotency.prune(most=10) == 1


def test_an_expired_key_may_be_used_anew(user: Any) -> None:
    first = ask(user, "one", key="k").run
    IdempotencyKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ask(user, "two", key="k").run != first
