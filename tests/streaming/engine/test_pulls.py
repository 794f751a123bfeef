"""Pulls at work, over a real database and at a stand-in model server: two pullers are two processes here."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from chatserver.accounts.models import User
from conversations.models import ModelPull
from conversations.services import model_pulls
from conversations.services.model_pulls import cancel_pull, open_pull
from streaming.engine.pulls import Puller
from streaming.offload import Offload
from streaming.providers.demo import DemoProvider
from streaming.providers.ollama import OllamaProvider
from streaming.providers.registry import Registry
from streaming.tasks import TaskRegistry
from tests.support.environment import free_port
from tests.support.standin import StandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def _standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(_standin: StandIn) -> StandIn:
    _standin.reset()
    return _standin


class Process:
    """What a process has of all this."""

    def __init__(self, standin: StandIn | None, name: str, **numbers: Any) -> None:
        provider = OllamaProvider(base_url=standin.base_url if standin else f"http://127.0.0.1:{free_port()}")
        self.registry = Registry([provider, DemoProvider()])
        self.tasks, self.offload = TaskRegistry(), Offload()
        self.puller = Puller(
            registry=self.registry,
            offload=self.offload,
            tasks=self.tasks,
            holder=name,
            **{"alone": False, "expiry": 1.0, "tell_every": 0.1, "look_every": 0.05, "retry_delay": 0.01, **numbers},
        )
        self.looking = self.tasks.spawn(self.puller.look_for_ever(), name="pulls")

    async def stop(self) -> None:
        await self.puller.stop()
        await self.die()

    async def die(self) -> None:
        """Without a word to anybody: nothing is written any more."""
        with mock.patch.object(model_pulls, "let_go_pull"):
            await self.tasks.cancel_all()
        await self.registry.close()
        self.offload.stop()


@asynccontextmanager
async def process(standin: StandIn | None, name: str = "one", **numbers: Any) -> AsyncIterator[Process]:
    made = Process(standin, name, **numbers)
    try:
        yield made
    finally:
        await made.stop()


async def asked(user: User, model: str, server: str = "ollama") -> ModelPull:
    pull, _ = await sync_to_async(open_pull)(user_id=user.pk, username="root", server=server, model=model)
    return pull


async def until(pull: ModelPull, right: Callable[[ModelPull], bool], *, within: float = 10.0) -> ModelPull:
    deadline = time.monotonic() + within
    while True:
        found = await sync_to_async(ModelPull.objects.get)(pk=pull.pk)
        if right(found):
            return found
        assert time.monotonic() < deadline, (found.status, found.completed, found.error)
        await asyncio.sleep(0.02)


def ended(pull: ModelPull) -> bool:
    return not pull.is_open


def half(pull: ModelPull) -> bool:
    return pull.completed == 4_000_000


async def test_a_pull_is_done_and_its_model_listed(admin_user, standin):
    async with process(standin) as one:
        pull = await until(await asked(admin_user, "some/model:7b"), ended)
        assert (pull.status, pull.completed, pull.total, pull.message) == ("done", 8_000_000, 8_000_000, "success")
        assert (pull.attempt, pull.error) == (1, None)
        assert "some/model:7b" in [model.name for model in await one.registry.models()]


async def test_how_far_it_is_is_seen_meanwhile(admin_user, standin):
    async with process(standin):
        pull = await until(await asked(admin_user, "gated-a"), half)
        assert (pull.status, pull.total) == ("pulling", 8_000_000)
        assert pull.message.startswith("pulling ")
        standin.release()
        await until(pull, ended)


async def test_the_second_waits_for_the_first(admin_user, standin):
    async with process(standin):
        first = await until(await asked(admin_user, "gated-b"), half)
        second = await asked(admin_user, "quick")
        await asyncio.sleep(0.3)
        assert (await until(second, lambda _: True)).status == "queued"
        standin.release()
        assert [(await until(each, ended)).status for each in (first, second)] == ["done", "done"]


async def test_progress_costs_one_statement_a_beat_and_none_a_line(admin_user, standin):
    with mock.patch.object(model_pulls, "beat_pull", side_effect=model_pulls.beat_pull) as beat:
        async with process(standin, tell_every=10.0):
            await until(await asked(admin_user, "paced-200-0"), ended)
    assert beat.call_count == 0


async def test_a_cancel_closes_the_connection_at_once_where_it_was_asked_for(admin_user, standin):
    async with process(standin, tell_every=30.0) as one:
        pull = await asked(admin_user, "gated-c")
        await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 1)
        await sync_to_async(cancel_pull)(pull=pull, username="root")
        one.puller.wished(pull.pk)
        await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 0 and stats["aborted"] != [])
        found = await until(pull, ended)
    assert (found.status, found.error, found.cancelled_by) == ("cancelled", None, "root")


async def test_a_cancel_of_another_process_is_found_by_the_beat(admin_user, standin):
    async with process(standin):
        pull = await until(await asked(admin_user, "gated-d"), half)
        await sync_to_async(cancel_pull)(pull=pull, username="root")
        await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 0)
        assert (await until(pull, ended)).status == "cancelled"


@pytest.mark.parametrize(("model", "code"), [("missing", "pull_unknown"), ("full-disk", "upstream_disk_full")])
async def test_a_pull_that_fails_keeps_why(admin_user, standin, model, code):
    async with process(standin):
        pull = await until(await asked(admin_user, model), ended)
    assert pull.error is not None
    assert (pull.status, pull.error["code"]) == ("failed", code)


@pytest.mark.parametrize("model", ["lost-registry-3", "cut-3"])
async def test_what_passes_is_tried_again_and_goes_on_where_it_was(admin_user, standin, model):
    async with process(standin):
        pull = await until(await asked(admin_user, model), ended)
    assert (pull.status, pull.completed, pull.attempt) == ("done", 8_000_000, 1)
    assert standin.stats()["requests"]["/api/pull"] == 4


async def test_a_server_that_is_not_there_is_asked_so_often_and_no_more(admin_user):
    async with process(None):
        pull = await until(await asked(admin_user, "x"), ended)
    assert pull.error is not None
    assert (pull.status, pull.error["code"]) == ("failed", "upstream_unreachable")


@pytest.mark.parametrize("server", ["demo", "gone"])
async def test_a_server_that_pulls_nothing_any_more_fails_the_pull(admin_user, standin, server):
    async with process(standin):
        pull = await until(await asked(admin_user, "x", server), ended)
    assert pull.error is not None
    assert (pull.status, pull.error["code"]) == ("failed", "upstream_error")


async def test_what_a_dead_process_has_left_another_one_finishes(admin_user, standin):
    dead = Process(standin, "dead")
    pull = await until(await asked(admin_user, "gated-e"), half)
    await dead.die()
    async with process(standin, "heir"):
        found = await until(pull, ended)
    assert (found.status, found.completed, found.attempt) == ("done", 8_000_000, 2)


async def test_what_a_process_that_stops_has_left_is_taken_up_at_once(admin_user, standin):
    async with process(standin, expiry=60.0):
        pull = await until(await asked(admin_user, "gated-f"), half)
    assert (await until(pull, lambda _: True)).status == "pulling"
    async with process(standin, "heir", expiry=60.0):
        assert (await until(pull, ended)).status == "done"


async def test_two_processes_never_pull_the_same(admin_user, standin):
    async with process(standin, "one"), process(standin, "two"):
        pulls = [await asked(admin_user, f"paced-5-50-{number}") for number in range(4)]
        assert {(await until(pull, ended)).status for pull in pulls} == {"done"}
    stats = standin.stats()
    assert (stats["peak"], stats["requests"]["/api/pull"]) == (1, 4)


async def test_whoever_has_lost_a_pull_lets_go_of_it(admin_user, standin):
    async with process(standin):
        pull = await until(await asked(admin_user, "gated-g"), half)
        await sync_to_async(ModelPull.objects.filter(pk=pull.pk).update)(attempt=7)
        await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 0)
        assert (await until(pull, lambda _: True)).status == "pulling"


async def test_a_database_that_is_away_for_a_moment_costs_nothing(admin_user, standin):
    away = mock.Mock(side_effect=[OperationalError("away"), OperationalError("away")])

    def beat(**said: Any) -> Any:
        return (away if away.call_count < 2 else real)(**said)

    real = model_pulls.beat_pull
    with mock.patch.object(model_pulls, "beat_pull", beat):
        async with process(standin):
            pull = await until(await asked(admin_user, "gated-h"), half)
            standin.release()
            assert (await until(pull, ended)).status == "done"


async def test_a_process_that_rests_begins_nothing(admin_user, standin):
    async with process(standin, rests=lambda: True):
        pull = await asked(admin_user, "quick-b")
        await asyncio.sleep(0.3)
        assert (await until(pull, lambda _: True)).status == "queued"
