"""However Redis fails a question, its log is away, and nothing else has gone wrong."""

from collections.abc import Iterator
from unittest import mock

import pytest
from redis.client import Pipeline
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from chatserver.ids import new_id
from streaming.eventlog.base import LogAway
from streaming.eventlog.redis_keys import Keys
from streaming.eventlog.redis_reader import RedisReader


@pytest.fixture
def reader() -> Iterator[RedisReader]:
    reader = RedisReader(url="redis://127.0.0.1:9/0", keys=Keys("test"))
    yield reader
    reader.close()


@pytest.mark.parametrize(
    "fault", [ConnectionError("gone"), TimeoutError("still"), OSError("gone"), ResponseError("LOADING")]
)
def test_a_question_that_fails_is_a_log_that_is_away(reader: RedisReader, fault: Exception) -> None:
    with mock.patch.object(Pipeline, "execute", side_effect=fault), pytest.raises(LogAway):
        reader._ask(("PING",))


def test_nobody_at_the_address_is_a_log_that_is_away(reader: RedisReader) -> None:
    with pytest.raises(LogAway):
        reader.read(run_id=new_id(), after=0, most=10, most_bytes=1000)


def test_where_redis_is_away_the_poll_asks_the_rows_all_the_same(reader: RedisReader, db: None) -> None:
    run_id = new_id()
    assert reader.news({run_id: 5}) == ({}, {run_id})
