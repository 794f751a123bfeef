from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import ServerProcess
from conversations.services.processes import announce, prune, room_elsewhere, withdraw
from tests.support.stored import ask, claim

pytestmark = pytest.mark.django_db


def lives(holder: str, *, expiry: float = 10, capacity: int = 5, draining: bool = False) -> None:
    announce(holder=holder, expiry=expiry, capacity=capacity, draining=draining)


def test_one_that_is_alone_has_nobody_to_hand_its_runs_to() -> None:
    lives("a")
    assert room_elsewhere(holder="a") == 0


def test_others_have_room_for_what_they_do_not_hold_already(user: Any) -> None:
    lives("a")
    lives("test")
    assert room_elsewhere(holder="a") == 5
    claim(ask(user).run)  # held by "test"
    assert room_elsewhere(holder="a") == 4


@pytest.mark.parametrize("state", [{"expiry": -1}, {"draining": True}, {"capacity": 0}], ids=str)
def test_the_dead_those_that_drain_and_those_that_only_serve_pages_take_nothing(state: Any) -> None:
    lives("b", **state)
    assert room_elsewhere(holder="a") == 0
    lives("b")
    assert room_elsewhere(holder="a") == 5


def test_one_that_has_left_is_not_there() -> None:
    lives("b")
    withdraw(holder="b")
    assert room_elsewhere(holder="a") == 0


def test_the_long_dead_are_forgotten_a_few_at_a_time() -> None:
    lives("alive")
    for name in "xyz":
        ServerProcess.objects.create(pk=name, expires_at=timezone.now() - timedelta(hours=2))
    assert [prune(most=2), prune(most=2), prune(most=2)] == [2, 1, 0]
    assert ServerProcess.objects.get().pk == "alive"
