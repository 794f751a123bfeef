"""Who is rung for, and who is woken by a ring."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest_asyncio
from channels.layers import InMemoryChannelLayer

from chatserver.model_servers import Configured, ModelServerSpec
from streaming.eventlog.doorbell import Doorbell
from streaming.eventlog.rings import Rings
from streaming.providers.demo import DemoProvider
from streaming.wiring import Engine

RUN, USER = UUID(int=7), UUID(int=8)


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    """Made, not started; its rings stay in the doorbell."""
    engine = Engine(providers=[DemoProvider()])
    engine.doorbell = Doorbell(layer=InMemoryChannelLayer(), name="here", heard=engine._heard)
    yield engine
    engine.offload.stop()


async def test_what_this_process_can_take_up_itself_is_rung_for_to_nobody(engine: Engine) -> None:
    engine._rang(RUN, ())
    assert not engine.doorbell._rings.claims


async def test_what_this_process_has_no_room_for_is_rung_for(engine: Engine) -> None:
    engine.supervisor.draining = True
    engine._rang(RUN, ())
    assert engine.doorbell._rings.claims


async def test_a_wish_about_a_run_of_somebody_elses_is_rung_for(engine: Engine) -> None:
    engine._rang(RUN, ())
    assert list(engine.doorbell._rings.wishes) == [RUN]


async def test_a_ring_for_something_to_claim_makes_the_supervisor_look(engine: Engine) -> None:
    assert not engine.supervisor._look.is_set()
    engine._heard(Rings(runs={RUN: 3}, feeds={USER: 4}, wishes={RUN: 0}))
    assert not engine.supervisor._look.is_set()
    engine._heard(Rings(claims=True))
    assert engine.supervisor._look.is_set()


async def test_a_ring_for_rights_makes_them_be_asked_again(engine: Engine) -> None:
    asked = []
    engine.rights_changed_elsewhere = lambda: asked.append(True)
    engine._heard(Rings(claims=True))
    assert asked == []
    engine._heard(Rings(rights=True))
    assert asked == [True]


async def test_a_ring_for_model_servers_makes_them_be_looked_for(engine: Engine) -> None:
    engine._heard(Rings(claims=True))
    assert not engine.model_servers._rung.is_set()
    engine._heard(Rings(servers=True))
    assert engine.model_servers._rung.is_set()


async def test_the_model_servers_are_those_of_the_settings_and_the_demonstration(settings: Any) -> None:
    named = [ModelServerSpec(name=name, kind="openai", url="http://127.0.0.1:9/v1") for name in ("b", "a")]
    for servers, names in ((tuple(named), ["b", "a", "demo"]), ((), ["demo"])):
        settings.MODEL_SERVERS = Configured(servers=servers)
        engine = Engine()
        assert list(engine.registry.kinds) == names
        await engine.registry.close()
        engine.offload.stop()
