"""The whole table, pair by pair: what may follow what is the protocol's word, not the code's."""

import itertools

import pytest

from streaming.protocol.lifecycle import ACTIVE, TERMINAL, RunStatus, may_become, sources_of

ALLOWED = {
    ("queued", "in_progress"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("queued", "expired"),
    ("in_progress", "requires_action"),
    ("in_progress", "cancelling"),
    ("in_progress", "completed"),
    ("in_progress", "incomplete"),
    ("in_progress", "failed"),
    ("in_progress", "expired"),
    ("requires_action", "in_progress"),
    ("requires_action", "cancelled"),
    ("requires_action", "failed"),
    ("requires_action", "expired"),
    ("cancelling", "cancelled"),
    ("cancelling", "completed"),
    ("cancelling", "incomplete"),
    ("cancelling", "failed"),
}


@pytest.mark.parametrize(("current", "following"), list(itertools.product(RunStatus, RunStatus)))
def test_a_run_may_become_what_the_protocol_says_and_nothing_else(current: RunStatus, following: RunStatus) -> None:
    assert may_become(current, following) == ((current.value, following.value) in ALLOWED)
    assert (current in sources_of(following)) == ((current.value, following.value) in ALLOWED)


def test_five_statuses_are_ends() -> None:
    assert {"completed", "incomplete", "failed", "cancelled", "expired"} == TERMINAL
    assert {"queued", "in_progress", "requires_action", "cancelling"} == ACTIVE
