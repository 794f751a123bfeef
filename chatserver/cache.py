"""The cache in Redis, which counts failed sign-ins; and in the database for as long as Redis is away.

A limit that opened with Redis away would be switched off by whoever can bring Redis down; one that closed would lock
everybody out. In the other place it counts from nothing: an outage gives an attacker each limit once more, no further.
"""

import json
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import structlog
from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

from chatserver.redis_url import PATIENCE

log = structlog.get_logger(__name__)
CONNECTIONS = 64  # of a process; more than it has threads for requests
AGAIN_AFTER = 5.0  # seconds for which nobody asks a Redis that did not answer


class JSONSerializer:
    """JSON: what somebody else has put into Redis may be wrong, but it is never code."""

    def dumps(self, value: Any) -> Any:
        return value if type(value) is int else json.dumps(value)  # a number as it is, for Redis to count on

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Away:
    """Whether Redis is away, for all threads of the process; it says so once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: float | None = None

    def __bool__(self) -> bool:
        return self._until is not None and time.monotonic() < self._until

    def begins(self, fault: Exception) -> None:
        with self._lock:
            if self._until is None:
                log.warning("the cache is in the database while Redis is away", fault=type(fault).__name__)
            self._until = time.monotonic() + AGAIN_AFTER

    def ends(self) -> None:
        if self._until is None:
            return
        with self._lock:
            if self._until is not None:
                log.info("the cache is in Redis again")
            self._until = None


away = Away()


@cache
def _client(servers: tuple[str, ...]) -> RedisCacheClient:
    """One for all threads: Django makes a cache for every request, and each would come with connections of its own."""
    return RedisCacheClient(
        list(servers),
        serializer="chatserver.cache.JSONSerializer",
        max_connections=CONNECTIONS,
        socket_connect_timeout=PATIENCE,
        socket_timeout=PATIENCE,
    )


def _in_either(name: str) -> Callable[..., Any]:
    in_redis = getattr(RedisCache, name)

    def call(self: "Cache", *args: Any, **kwargs: Any) -> Any:
        if not away:
            try:
                found = in_redis(self, *args, **kwargs)
            except RedisError as fault:
                away.begins(fault)
            else:
                away.ends()
                return found
        return getattr(self.instead, name)(*args, **kwargs)

    call.__name__ = name
    return call


class Cache(RedisCache):
    @property
    def _cache(self) -> RedisCacheClient:
        return _client(tuple(self._servers))  # type: ignore[attr-defined]  # the stubs do not know it

    @property
    def instead(self) -> BaseCache:
        return caches["database"]

    add = _in_either("add")
    get = _in_either("get")
    set = _in_either("set")
    touch = _in_either("touch")
    delete = _in_either("delete")
    get_many = _in_either("get_many")
    has_key = _in_either("has_key")
    incr = _in_either("incr")
    set_many = _in_either("set_many")
    delete_many = _in_either("delete_many")
    clear = _in_either("clear")
