"""The registry follows the settings and the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import OperationalError

from chatserver.model_servers import Configured, ModelServerSpec
from conversations.models import ModelAlias, ModelServer
from conversations.selectors import model_servers as stored
from streaming.engine.model_servers import ModelServers
from streaming.offload import Offload
from streaming.protocol.errors import ModelUnknown, StorageBusy, UpstreamUnreachable
from streaming.providers.demo import DemoProvider
from streaming.providers.registry import Registry
from streaming.providers.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = Configured(
    servers=(ModelServerSpec(name="named", kind="ollama", url="http://settings", max_parallel=2),),
    aliases={"fast": "named/m"},
)


class Made:
    """Makes providers; one of a server in ``down`` cannot be reached."""

    def __init__(self) -> None:
        self.specs: list[ModelServerSpec] = []
        self.made: list[ScriptedProvider] = []
        self.down: set[str] = set()

    def __call__(self, spec: ModelServerSpec) -> ScriptedProvider:
        self.specs.append(spec)
        self.made.append(ScriptedProvider([], name=spec.name, kind=spec.kind, models=["m"]))
        if spec.name in self.down:
            self.made[-1].models_error = UpstreamUnreachable(f"Nobody at {spec.url}; set OPENAI_BASE_URL.")
        return self.made[-1]


@pytest.fixture
def make() -> Made:
    return Made()


@pytest_asyncio.fixture
async def servers(make: Made) -> AsyncIterator[ModelServers]:
    offload = Offload()
    yield ModelServers(registry=Registry([DemoProvider()]), offload=offload, settings=SETTINGS, make=make)
    offload.stop()


def row(name: str, **fields: Any) -> ModelServer:
    values: dict[str, Any] = {"name": name, "kind": "openai", "url": f"http://{name}", "managed": True, **fields}
    return ModelServer.objects.create(**values)


async def names(servers: ModelServers) -> list[str]:
    return list(servers._registry.kinds)


async def test_the_settings_come_first_and_have_their_way(servers: ModelServers, make: Made) -> None:
    await sync_to_async(row)("named")
    await sync_to_async(row)("office")
    for name, target in (("fast", "office/m"), ("slow", "office/m")):
        await ModelAlias.objects.acreate(name=name, target=target)
    await servers.look()
    assert await names(servers) == ["named", "office", "demo"]
    assert [spec.url for spec in make.specs] == ["http://settings", "http://office"]
    registry = servers._registry
    assert (await registry.resolve("fast"))[1].full_name == "named/m"
    assert (await registry.resolve("slow"))[1].full_name == "office/m"


async def test_what_has_not_changed_is_not_made_anew(servers: ModelServers, make: Made) -> None:
    await sync_to_async(row)("office")
    await servers.look()
    await servers.look()
    assert len(make.made) == 2


async def test_a_ring_or_a_moment_is_enough(servers: ModelServers, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = asyncio.create_task(servers.watch_for_ever())
    await sync_to_async(row)("rung-for")
    servers.rung()
    await until(lambda: "rung-for" in servers._registry.kinds, within=1.5)
    await sync_to_async(row)("found")
    await until(lambda: "found" in servers._registry.kinds, within=5)
    watching.cancel()


async def test_a_database_that_is_away_changes_nothing(servers: ModelServers, monkeypatch: pytest.MonkeyPatch) -> None:
    await sync_to_async(row)("office")
    await servers.look()

    def away() -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patched:
        patched.setattr(stored, "written", away)
        watching = asyncio.create_task(servers.watch_for_ever())
        servers.rung()
        await asyncio.sleep(0.1)
        assert await names(servers) == ["named", "office", "demo"]
        with pytest.raises(StorageBusy):  # whether there is one nobody can say
            await servers._registry.resolve("new/m")
    await sync_to_async(row)("new")
    servers.rung()
    await until(lambda: "new" in servers._registry.kinds, within=5)
    watching.cancel()


async def test_a_name_is_looked_for_before_it_counts_as_unknown(servers: ModelServers) -> None:
    await servers.look()
    with pytest.raises(ModelUnknown):
        await servers._registry.resolve("office/m")
    await sync_to_async(row)("office")
    found = await asyncio.gather(*(servers._registry.resolve("office/m") for _ in range(8)))
    assert {model.full_name for _, model in found} == {"office/m"}


async def test_how_they_do_stands_in_their_rows(servers: ModelServers, make: Made) -> None:
    make.down = {"office"}
    await sync_to_async(row)("office")
    await servers.look()
    await servers.refresh()  # before there is a row for those of the settings
    await servers.keep_rows()
    await servers.refresh()
    rows = {server.name: server async for server in ModelServer.objects.all()}
    assert (rows["named"].health["ok"], rows["named"].max_parallel, rows["demo"].kind) == (True, 2, "demo")
    health = rows["office"].health
    assert (health["ok"], health["detail"]) == (False, "Nobody at http://office; set its address.")
    assert "http" not in health["message"]
    make.made[-1].models_error = None
    await servers.refresh()
    assert (await ModelServer.objects.aget(name="office")).health["ok"] is True


async def test_one_is_tried_as_it_is_kept_now_switched_on_or_not(servers: ModelServers, make: Made) -> None:
    await sync_to_async(row)("off", enabled=False)
    await sync_to_async(row)("down")
    make.down = {"down"}
    for name, ok, message in (
        ("named", True, "The model server named answers, and lists 1 model."),
        ("off", True, "The model server off answers, and lists 1 model."),
        ("down", False, "Nobody at http://down; set its address."),
        ("nowhere", False, "The settings name no model server nowhere any more."),
    ):
        tried = await servers.try_one(name)
        assert (tried.ok, tried.message) == (ok, message)
    assert all(provider.closed for provider in make.made[1:])


async def until(condition: Callable[[], bool], *, within: float) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)
