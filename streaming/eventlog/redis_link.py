"""One connection to Redis that is never made anew behind its owner's back, for whoever must know when it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import ConnectionPool, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from streaming.eventlog.base import LogAway
from streaming.eventlog.redis_scripts import Script

# Seconds. Longer than a Redis that writes each command to its disk takes; shorter than what a reader takes for broken.
PATIENCE = 2.0
CONNECT_PATIENCE = 1.0


@dataclass(frozen=True)
class Call:
    """A script with its keys and arguments."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str, ...]


class Link:
    """``turn`` counts the connections; ``life`` names the server's life, between two starts of it. For one thread."""

    def __init__(self, url: str) -> None:
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=CONNECT_PATIENCE,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._connection: Any = pool.make_connection()
        self.turn = 0
        self.life = ""

    def connect(self) -> None:
        """Make the connection where there is none. Raises LogAway."""
        if self._connection.is_connected:
            return
        try:
            self._connection.connect()
            self._connection.send_command("INFO", "server")
            told = self._connection.read_response()
        except RedisError as fault:
            self.close()
            raise LogAway(f"Redis does not answer: {_plain(fault)}") from fault
        self.life = _run_id(told)
        self.turn += 1

    def close(self) -> None:
        self._connection.disconnect()

    def call(self, calls: Sequence[Call]) -> list[Any]:
        """Carry them out in order, in one go, on the connection there is. Raises LogAway: then each of them may have
        been carried out, or not.
        """
        if not self._connection.is_connected:
            raise LogAway("the connection to Redis is gone")
        replies = self._send([("EVALSHA", *_arguments(call, call.script.digest)) for call in calls])
        # A Redis that has never heard of a script, or has forgotten it, has not carried it out.
        unknown = [position for position, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = self._send([("EVAL", *_arguments(calls[at], calls[at].script.text)) for at in unknown])
            for position, reply in zip(unknown, again, strict=True):
                replies[position] = reply
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise self._away(reply)
        return replies

    def ask(self, *command: str) -> Any:
        """Raises LogAway."""
        if not self._connection.is_connected:
            raise LogAway("the connection to Redis is gone")
        (reply,) = self._send([command])
        if isinstance(reply, ResponseError):
            raise self._away(reply)
        return reply

    def _send(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        """A reply for each, an error of the server's among them as it is."""
        replies: list[Any] = []
        try:
            self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
            for _ in commands:
                try:
                    replies.append(self._connection.read_response())
                except ResponseError as refused:
                    replies.append(refused)
        except (NotConnected, NoAnswer) as fault:
            self.close()
            raise LogAway(f"Redis does not answer: {_plain(fault)}") from fault
        except BaseException:
            self.close()  # there may be replies that nobody has read
            raise
        return replies

    def _away(self, refused: ResponseError) -> Exception:
        if isinstance(refused, OutOfMemoryError):
            return LogAway("Redis has its memory full")
        if isinstance(refused, ReadOnlyError):  # it is the leader no more: whoever is now stands at the same address
            self.close()
        if isinstance(refused, ReadOnlyError) or str(refused).startswith(("MISCONF", "CLUSTERDOWN", "TRYAGAIN")):
            return LogAway(f"Redis takes nothing now: {_plain(refused)}")
        return refused


def _arguments(call: Call, script: str) -> tuple[str, ...]:
    return (script, str(len(call.keys)), *call.keys, *call.args)


def _run_id(told: bytes) -> str:
    for line in told.decode("ascii", "replace").split("\r\n"):
        if line.startswith("run_id:"):
            return line.removeprefix("run_id:")[:40]
    raise LogAway("Redis does not say which life it is in")


def _plain(fault: Exception) -> str:
    """Its text may name the address, but never the password."""
    return f"{type(fault).__name__}: {fault}"[:200]
