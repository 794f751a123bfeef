"""Several servers on one database and one Redis, as behind a balancer. A test takes what it needs of these fixtures."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.services import OwnRedis


@dataclass
class Nodes:
    """``a``, ``b`` and ``c`` share everything that is stored. Whoever kills Redis starts it again."""

    servers: list[ChatServer]
    redis: OwnRedis

    @property
    def a(self) -> ChatServer:
        return self.servers[0]

    @property
    def b(self) -> ChatServer:
        return self.servers[1]

    @property
    def c(self) -> ChatServer:
        return self.servers[2]


def beside(first: ChatServer, **options: Any) -> ChatServer:
    """Another server on everything that ``first`` works on; not yet started."""
    return ChatServer(first.data_dir, **{**first.settings, **options})


@pytest.fixture(scope="module")
def nodes(_maker: MakeServer) -> Iterator[Nodes]:
    with ExitStack() as stack:
        redis = stack.enter_context(OwnRedis())
        first = _maker(REDIS_URL=redis.url)
        servers = [first, beside(first), beside(first)]
        for server in servers:
            stack.callback(server.kill)
            server.launch()
        for server in servers:
            server.wait_until_ready()
        yield Nodes(servers, redis)
