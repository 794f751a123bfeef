"""The cache in Redis, and what happens to what it counts when Redis goes away."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.core.cache import BaseCache, caches
from django.test import Client

from chatserver import cache as module
from chatserver.cache import JSONSerializer
from chatserver.redis_url import caches as cache_settings
from tests.support.redis_server import NEEDS_REDIS, redis_server
from tests.support.services import OwnRedis

__all__ = ["redis_server"]
pytestmark = [pytest.mark.django_db, NEEDS_REDIS]


@pytest.fixture
def cache(redis_server: OwnRedis, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseCache]:
    monkeypatch.setattr(module, "AGAIN_AFTER", 0.2)
    monkeypatch.setattr(module, "away", module.Away())
    settings.CACHES = cache_settings(redis_server.url, "test")
    yield caches["default"]
    module._client.cache_clear()


def test_what_is_kept_comes_back_and_ends_in_time(cache: BaseCache) -> None:
    for value in ([1.5, 2.5], {"a": [None, True]}, "text", 7, True, None):
        cache.set("key", value, 60)
        assert cache.get("key", "nothing") == value
    assert cache.add("once", 1, 60)
    assert not cache.add("once", 2, 60)
    assert cache.incr("once") == 2
    cache.set("short", 1, 1)
    time.sleep(1.2)
    assert cache.get("short") is None
    cache.delete("key")
    assert "key" not in cache


def test_it_is_redis_that_keeps_it(cache: BaseCache) -> None:
    cache.set("key", [1], 60)
    assert caches["database"].get("key") is None


def test_nothing_that_is_read_is_executed() -> None:
    with pytest.raises(ValueError, match="codec"):
        JSONSerializer().loads(b"\x80\x04cos\nsystem\n")


def test_while_redis_is_away_the_database_keeps_it_and_nobody_waits_twice(
    cache: BaseCache, redis_server: OwnRedis
) -> None:
    cache.set("key", 1, 60)
    redis_server.kill()
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            assert cache.get("key") is None
        assert cache.add("key", 2, 60)
        assert cache.get("key") == 2
        assert cache.get_many(["key"]) == {"key": 2}
        redis_server.start()
        time.sleep(0.3)
        assert cache.get("key") is None  # a new Redis, which counts from nothing
        cache.set("key", 3, 60)
        assert cache.get("key") == 3
    assert [line["event"] for line in lines] == [
        "the cache is in the database while Redis is away",
        "the cache is in Redis again",
    ]


def test_failed_sign_ins_are_limited_with_redis_and_without(
    cache: BaseCache, redis_server: OwnRedis, client: Client
) -> None:
    assert _tries_until_refused(client, "ada") <= 12
    redis_server.kill()
    assert _tries_until_refused(client, "ada") <= 12
    assert _tries_until_refused(client, "bob") <= 12


def _tries_until_refused(client: Client, name: str) -> int:
    for number in range(1, 40):
        answer = client.post("/accounts/login/", {"login": name, "password": "wrong"})
        assert answer.status_code in (200, 429)
        if answer.status_code == 429 or b"Too many" in answer.content:
            return number
    raise AssertionError("nobody was ever refused")
