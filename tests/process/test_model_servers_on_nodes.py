"""What is changed of model servers on one node counts on all others: at once where they hear of each other, within
seconds where they do not; a run that waits meets the change wherever it is taken up.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.support.administrator import SERVERS, Administrator
from tests.support.client import Client
from tests.support.nodes import Nodes, nodes
from tests.support.people import People
from tests.support.sign_in import Browser
from tests.support.standin import OpenAIStandIn

__all__ = ["nodes"]
pytestmark = [pytest.mark.process, pytest.mark.postgres]
SLACK = 1.0
KEY = "sk-canary-of-nodes-0123456789"


@pytest_asyncio.fixture
async def admin(nodes: Nodes) -> AsyncIterator[Administrator]:
    make_administrator = "UPDATE accounts_user SET is_superuser = true, is_staff = true WHERE username = 'bob'"
    nodes.a.spoil(make_administrator)
    async with Browser(nodes.a.url) as browser:
        await browser.sign_in("bob")
        yield Administrator(browser)


@pytest.mark.parametrize(("with_redis", "within"), [(True, 0.5), (False, 3.0)], ids=["redis", "no redis"])
async def test_what_one_node_changes_the_others_know(
    nodes: Nodes, admin: Administrator, people: People, with_redis: bool, within: float
) -> None:
    name = "heard" if with_redis else "found"
    if not with_redis:
        nodes.redis.kill()
    with OpenAIStandIn("--key", KEY, "--listed", "echo-4") as hosted:
        async with Client(nodes.b.url, people["ada"].token) as ada:
            await admin.fill_in(f"{SERVERS}add/", name=name, kind="openai", url=hosted.base_url, key=KEY)
            assert await took(ada, lambda names: f"{name}/echo-4" in names) < within + SLACK
            answer = await ada.post("/api/chat", {"message": "Hello", "model": f"{name}/echo-4"})
            assert answer.status_code == 200  # the key opens there too
            await admin.fill_in(await admin.of(name), kind="openai", url=hosted.base_url, audience="staff")
            assert await took(ada, lambda names: f"{name}/echo-4" not in names) < within + SLACK
            refused = await ada.post("/api/chat", {"message": "Hello", "model": f"{name}/echo-4"})
            assert refused.json()["error"]["code"] == "model_unknown"
    if not with_redis:
        nodes.redis.start()
    assert not [node for node in nodes.servers if KEY in node.log]


async def took(client: Client, condition: Callable[[set[str]], bool]) -> float:
    begun = time.monotonic()
    while True:
        answer = await client.get("/api/v1/models")
        names = {model["name"] for model in answer.json()["results"]}
        if condition(names):
            return time.monotonic() - begun
        assert time.monotonic() - begun < 15, names
        await asyncio.sleep(0.05)
