"""Pulls as rows: one at a time at a server, one open for a model, and everything that two processes can do at once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from conversations import selectors, wire
from conversations.models import ModelPull, ModelServer
from conversations.services import model_pulls
from conversations.services.model_acts import record_model_act
from conversations.services.model_pulls import (
    MOST_ATTEMPTS,
    MOST_KEPT,
    MOST_OPEN,
    PullClaim,
    beat_pull,
    cancel_pull,
    claim_pulls,
    end_pull,
    let_go_pull,
    open_pull,
)
from streaming.protocol.errors import PullUnknown, TooManyPulls
from streaming.protocol.pulls import PullStatus

pytestmark = pytest.mark.django_db
HALF = {"message": "pulling x", "completed": 5, "total": 10}


@pytest.fixture
def asked(admin_user: Any) -> Any:
    def ask(model: str = "a:latest", server: str = "ollama") -> tuple[ModelPull, bool]:
        return open_pull(user_id=admin_user.pk, username="root", server=server, model=model)

    return ask


def claims(holder: str = "one", *, at_work: tuple[UUID, ...] = (), alone: bool = False) -> list[PullClaim]:
    return claim_pulls(holder=holder, expiry=10, at_work=at_work, all_others_dead=alone)


def expired(claim: PullClaim) -> None:
    ModelPull.objects.filter(pk=claim.id).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_the_same_that_is_under_way_is_found_again(asked):
    pull, new = asked()
    assert new
    assert asked() == (pull, False)
    (claim,) = claims()
    assert asked() == (pull, False)
    assert end_pull(claim=claim, status=PullStatus.DONE, progress={}, error=None)
    again, new = asked()
    assert new
    assert again.pk != pull.pk


def test_so_many_may_wait_and_no_more(asked):
    for number in range(MOST_OPEN):
        asked(f"m{number}:latest")
    with pytest.raises(TooManyPulls):
        asked("one-more:latest")
    assert asked("m0:latest")[1] is False


def test_one_is_at_work_at_each_server_and_the_next_follows_in_turn(asked):
    first, second, other = asked("a:1")[0], asked("b:1")[0], asked("a:1", "second")[0]
    taken = claims()
    assert {claim.id for claim in taken} == {first.pk, other.pk}
    assert claims("two") == []
    assert end_pull(claim=taken[0], status=PullStatus.DONE, progress=HALF, error=None)
    assert [claim.id for claim in claims("two")] == [second.pk]


def test_the_database_itself_keeps_a_second_one_out(asked):
    asked("a:1")
    (claim,) = claims()
    late = asked("b:1")[0]
    assert model_pulls._take(late, "two", 10) is None  # as if it had looked before the first was taken
    assert ModelPull.objects.get(pk=claim.id).status == PullStatus.PULLING
    assert ModelPull.objects.get(pk=late.pk).status == PullStatus.QUEUED


def test_whoever_looked_too_long_takes_nothing(asked):
    asked()
    (as_two_saw_it,) = ModelPull.objects.all()
    assert model_pulls._take(as_two_saw_it, "one", 10) is not None
    assert model_pulls._take(as_two_saw_it, "two", 10) is None
    taken = ModelPull.objects.get()
    assert (taken.holder, taken.attempt) == ("one", 1)
    as_two_saw_it.cancelled_by = "root"
    assert model_pulls._take(as_two_saw_it, "two", 10) is None
    assert ModelPull.objects.get().status == PullStatus.PULLING


def test_how_far_it_is_is_told_by_the_holder_only(asked):
    asked()
    (claim,) = claims()
    assert beat_pull(claim=claim, expiry=10, progress=HALF) == "ours"
    expired(claim)
    (taken,) = claims("two")
    assert taken.attempt == claim.attempt + 1
    assert beat_pull(claim=claim, expiry=10, progress={**HALF, "completed": 1}) == "lost"
    assert not end_pull(claim=claim, status=PullStatus.FAILED, progress={}, error=PullUnknown())
    let_go_pull(claim=claim, progress={})
    pull = ModelPull.objects.get()
    assert (pull.completed, pull.holder, pull.status) == (5, "two", "pulling")


def test_what_lives_is_left_alone_and_what_was_let_go_is_taken_at_once(asked):
    asked()
    (claim,) = claims()
    assert claims("two") == []
    let_go_pull(claim=claim, progress=HALF)
    assert [taken.id for taken in claims("two")] == [claim.id]


def test_whoever_is_alone_knows_that_the_others_are_dead(asked):
    asked()
    (claim,) = claims()
    assert claims("two", alone=True)[0].attempt == 2
    assert claims("two", at_work=(claim.id,), alone=True) == []


def test_a_lease_of_ours_that_nobody_works_under_is_taken_when_it_has_run_out(asked):
    asked()
    (claim,) = claims()
    expired(claim)
    assert claims(at_work=(claim.id,)) == []
    assert [taken.attempt for taken in claims()] == [2]


def test_one_that_waits_is_cancelled_at_once_and_for_good(asked):
    pull = cancel_pull(pull=asked()[0], username="root")
    assert (pull.status, pull.cancelled_by, pull.is_open) == ("cancelled", "root", False)
    assert pull.finished_at is not None
    assert claims() == []
    assert cancel_pull(pull=pull, username="other").cancelled_by == "root"


def test_one_at_work_is_told_that_it_is_unwanted(asked):
    pull = asked()[0]
    (claim,) = claims()
    pull = cancel_pull(pull=pull, username="root")
    assert (pull.status, pull.is_cancelling) == ("pulling", True)
    assert beat_pull(claim=claim, expiry=10, progress=HALF) == "unwanted"
    assert end_pull(claim=claim, status=PullStatus.CANCELLED, progress=HALF, error=None)
    assert not ModelPull.objects.get().is_cancelling


def test_one_that_was_left_and_is_unwanted_ends_without_being_taken_up(asked):
    pull = asked()[0]
    (claim,) = claims()
    cancel_pull(pull=pull, username="root")
    expired(claim)
    assert claims("two") == []
    assert ModelPull.objects.get().status == PullStatus.CANCELLED


def test_one_by_which_everybody_dies_is_given_up(asked):
    asked()
    for _ in range(MOST_ATTEMPTS):
        (claim,) = claims()
        expired(claim)
    assert claims() == []
    pull = ModelPull.objects.get()
    assert (pull.status, pull.error["code"]) == ("failed", "upstream_error")


def test_an_error_is_kept_with_its_code(asked):
    asked()
    (claim,) = claims()
    end_pull(claim=claim, status=PullStatus.FAILED, progress=HALF, error=PullUnknown())
    told = wire.plain(wire.pull_object(ModelPull.objects.get()))
    assert (told["status"], told["error"]["code"], told["completed"], told["by"]) == (
        "failed",
        "pull_unknown",
        5,
        "root",
    )


def test_the_list_has_what_is_under_way_first_and_has_an_end(asked):
    for number in range(3):
        asked(f"old{number}:1")
        end_pull(claim=claims()[0], status=PullStatus.DONE, progress={}, error=None)
    asked("waits:1")
    asked("waits:2")
    assert [pull.model for pull in selectors.pulls()] == ["waits:1", "waits:2", "old2:1", "old1:1", "old0:1"]


def test_only_so_many_that_have_ended_are_kept(asked):
    asked("open:1")
    ModelPull.objects.bulk_create(
        ModelPull(server="ollama", model=f"m{number}:1", status="done") for number in range(MOST_KEPT + 5)
    )
    assert model_pulls.prune(most=3) == 3
    assert model_pulls.prune(most=100) == 2
    assert model_pulls.prune(most=100) == 0
    assert ModelPull.objects.filter(status="queued").exists()


def test_what_was_done_stands_in_the_history_of_the_server(admin_user):
    server = ModelServer.objects.create(name="ollama", kind="ollama")
    record_model_act(user_id=admin_user.pk, username="root", server="ollama", model="a:1", act="deleted")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user_id, entry.change_message) == (
        str(server.pk),
        admin_user.pk,
        "The model a:1 was deleted.",
    )
