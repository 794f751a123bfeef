"""Databases of the suite's own come, go and come back with what they had."""

import socket
import time

import psycopg
import pytest

from tests.support.services import OwnPostgres, OwnRedis, missing_services

pytestmark = [pytest.mark.process, pytest.mark.skipif(bool(missing_services()), reason=", ".join(missing_services()))]


def test_postgres_keeps_what_was_committed_over_restarts_and_kills() -> None:
    with OwnPostgres() as postgres:
        with psycopg.connect(postgres.url(), autocommit=True) as database:
            database.execute("CREATE TABLE kept (number int)")
        for number, end in enumerate((postgres.stop, postgres.kill)):
            with psycopg.connect(postgres.url(), autocommit=True) as database:
                database.execute("INSERT INTO kept VALUES (%s)", [number])
                end()
            postgres.start()
        with psycopg.connect(postgres.url()) as database:
            assert database.execute("SELECT number FROM kept ORDER BY 1").fetchall() == [(0,), (1,)]
    assert not postgres.runs
    assert not postgres.directory.exists()


def test_frozen_it_does_not_answer_and_thawed_it_does() -> None:
    with OwnRedis() as redis, socket.create_connection(("127.0.0.1", redis.port), timeout=0.3) as client:
        redis.freeze()
        client.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            client.recv(7)
        redis.thaw()
        client.settimeout(5)
        assert client.recv(7) == b"+PONG\r\n"


@pytest.mark.parametrize("keeps", [True, False])
def test_redis_comes_back_with_everything_or_empty(keeps: bool) -> None:
    with OwnRedis(keeps=keeps) as redis:
        assert asked(redis, b"SET a 1\r\n") == b"+OK\r\n"
        redis.kill()
        time.sleep(0.05)
        redis.start()
        assert asked(redis, b"GET a\r\n") == (b"$1\r\n1\r\n" if keeps else b"$-1\r\n")


def asked(redis: OwnRedis, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", redis.port), timeout=5) as client:
        client.sendall(command)
        return client.recv(100)
