"""The turn of everybody who waits, and what is known about how long that takes."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatserver.accounts.models import User
from chatserver.accounts.services import create_user
from conversations import selectors
from conversations.models import ModelServer, Run
from streaming.protocol.lifecycle import HELD, RunStatus
from tests.support.stored import ask, claim, decide, park
from tests.support.waiting import Line, ended, line_up

pytestmark = pytest.mark.django_db
QUEUED, AT_WORK = RunStatus.QUEUED, RunStatus.IN_PROGRESS


def next_ones(most: int = 99, server: str = "demo") -> list[Any]:
    return selectors.in_turn(server=server, most=most)


def positions(*runs: Run) -> list[int | None]:
    found = selectors.places(run_ids=[run.pk for run in runs], before=timezone.now())
    places = {place.run_id: place.position for place in found}
    return [places.get(run.pk) for run in runs]


def test_the_oldest_runs_are_next(user: Any) -> None:
    runs = [ask(user).run.pk for _ in range(3)]
    assert next_ones(2) == runs[:2]


def test_one_person_s_many_questions_do_not_keep_another_s_waiting(user: Any, other_user: Any) -> None:
    for _ in range(2):
        claim(ask(user).run)
    many = [ask(user).run.pk for _ in range(30)]
    first, second = ask(other_user).run.pk, ask(other_user).run.pk
    assert next_ones(4) == [first, second, many[0], many[1]]


def test_those_who_have_as_many_take_turns(user: Any, other_user: Any) -> None:
    many = [ask(user).run.pk for _ in range(3)]
    later = [ask(other_user).run.pk for _ in range(2)]
    assert next_ones() == [many[0], later[0], many[1], later[1], many[2]]


def test_what_a_person_has_at_another_model_server_does_not_count(user: Any, other_user: Any) -> None:
    line_up([(user, "elsewhere", AT_WORK)] * 3 + [(user, "elsewhere", QUEUED)] * 3)
    first, second = line_up([(user, "demo", QUEUED), (other_user, "demo", QUEUED)])
    assert next_ones() == [first.pk, second.pk]


def test_who_waits_for_a_person_stands_in_no_line_until_that_has_decided(user: Any) -> None:
    run = ask(user).run
    (approval,) = park(run, "a line")
    assert (next_ones(), positions(run)) == ([], [None])
    decide(approval, "approve")
    assert (next_ones(), positions(run)) == ([run.pk], [1])


def test_a_send_that_waits_in_its_thread_stands_in_no_line(user: Any) -> None:
    (run,) = line_up([(user, "demo", QUEUED)])
    Run.objects.update(waiting=True)
    assert (next_ones(), positions(run), selectors.loads()) == ([], [None], [])


def test_a_position_counts_those_that_come_before(user: Any, other_user: Any) -> None:
    mine = line_up([(user, "demo", AT_WORK), *[(user, "demo", QUEUED)] * 3, (user, "elsewhere", QUEUED)])
    (theirs,) = line_up([(other_user, "demo", QUEUED)], ago=1)
    assert positions(*mine, theirs) == [None, 2, 3, 4, 1, 1]


def test_what_was_made_this_moment_does_not_last(user: Any) -> None:
    run = ask(user).run
    before = [timezone.now() + timedelta(seconds=seconds) for seconds in (-60, 60)]
    found = [selectors.places(run_ids=[run.pk], before=moment)[0].lasting for moment in before]
    assert found == [False, True]


def test_a_place_knows_how_long_the_last_ones_of_its_server_took(user: Any) -> None:
    ended(user, "demo", *[500.0] * 5, *[2.0] * 10, *[4.0] * 10)
    ended(user, "elsewhere", 1000.0)
    _, run = line_up([(user, "demo", AT_WORK), (user, "demo", QUEUED)])
    (place,) = selectors.places(run_ids=[run.pk], before=timezone.now())
    # The last to end were the long ones: of 25 the five shortest do not count.
    assert (place.running, place.took) == (1, pytest.approx((5 * 500 + 10 * 4 + 5 * 2) / 20, abs=0.01))


def test_a_place_knows_nothing_of_what_never_was(user: Any) -> None:
    (run,) = line_up([(user, "demo", QUEUED)])
    Run.objects.update(so_far={})
    ended(user, "elsewhere", 3.0)
    (place,) = selectors.places(run_ids=[run.pk], before=timezone.now())
    assert (place.running, place.took) == (0, None)


def test_the_time_of_a_run_that_was_parked_is_not_its_server_s(user: Any) -> None:
    ended(user, "demo", 9999.0)
    Run.objects.update(so_far={"held": 1.0})
    (run,) = line_up([(user, "demo", QUEUED)])
    assert selectors.places(run_ids=[run.pk], before=timezone.now())[0].took is None


def test_the_load_of_a_server_is_counted(user: Any) -> None:
    cancelling = RunStatus.CANCELLING
    line_up([(user, "a", AT_WORK), (user, "a", cancelling), *[(user, "a", QUEUED)] * 3, (user, "b", AT_WORK)])
    line_up([(user, "c", QUEUED)])
    ModelServer.objects.create(name="a", max_parallel=7)
    assert sorted(selectors.loads(), key=lambda load: load.server) == [
        selectors.Load(server="a", waiting=3, running=2, max_parallel=7),
        selectors.Load(server="c", waiting=1, running=0, max_parallel=None),
    ]


def test_a_queue_of_a_thousand_is_one_query_for_all_and_one_for_the_claims(user: Any, other_user: Any) -> None:
    runs = line_up([(user, "demo", QUEUED)] * 900 + [(other_user, "demo", QUEUED)] * 100)
    with CaptureQueriesContext(connection) as asked:
        found = selectors.places(run_ids=[run.pk for run in runs], before=timezone.now())
    assert (len(asked), sorted(place.position for place in found)) == (1, list(range(1, 1001)))
    with CaptureQueriesContext(connection) as asked:
        selectors.loads()
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as asked:
        assert len(next_ones(64)) == 64
    assert len(asked) == 1


STATUSES = [QUEUED, QUEUED, QUEUED, AT_WORK, RunStatus.CANCELLING, RunStatus.COMPLETED]
LINES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"]), st.sampled_from(STATUSES)), min_size=1, max_size=40
)


@pytest.fixture
def persons(db: None) -> list[User]:
    return [create_user(username=f"person-{n}", password="correct horse battery staple") for n in range(4)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_nobody_with_one_question_waits_behind_another_s_many(
    persons: list[User], lines: list[tuple[int, str, RunStatus]]
) -> None:
    with transaction.atomic():
        made: list[Line] = [(persons[person], server, status) for person, server, status in lines]
        runs = line_up(made)
        for server in ("a", "b"):
            here = [run for run in runs if run.provider == server]
            order = [next(run for run in here if run.pk == pk) for pk in next_ones(server=server)]
            assert {run.pk for run in order} == {run.pk for run in here if run.status == QUEUED}
            assert positions(*order) == list(range(1, len(order) + 1))
            taken = {person.pk: 0 for person in persons}
            for run in here:
                taken[run.owner_id] += run.status in HELD
            for place, run in enumerate(order):
                # Of all who still wait, nobody has less at this server than the one who is next.
                assert taken[run.owner_id] == min(taken[later.owner_id] for later in order[place:])
                equals = [later for later in order[place:] if taken[later.owner_id] == taken[run.owner_id]]
                firsts = {later.owner_id: later for later in reversed(equals)}.values()
                assert run.created_at == min(first.created_at for first in firsts)
                taken[run.owner_id] += 1
        transaction.set_rollback(True)
