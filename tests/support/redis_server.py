"""A Redis of a test's own, to be killed, frozen and started again, empty each time; and what a server keeps in it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.services import OwnRedis

NEEDS_REDIS = pytest.mark.skipif(
    shutil.which("redis-server") is None and os.environ.get("REQUIRE_SERVICES", "0") != "1",
    reason="needs redis-server",
)


@pytest.fixture
def redis_server() -> Iterator[OwnRedis]:
    with OwnRedis() as server:
        yield server


def logged_in_redis(url: str, run_id: str) -> list[str]:
    """The texts of a run's log, in order; they are numbered 1 to n, or this fails."""
    with Redis.from_url(url, protocol=2) as redis:
        entries = redis.xrange(f"chatserver:log:{{{run_id}}}:events")
    assert [id for id, _ in entries] == [f"{number}-0".encode() for number in range(1, len(entries) + 1)]
    return [fields[b"t"].decode() for _, fields in entries]
