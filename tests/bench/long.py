"""Threads of ten thousand messages, lists of ten thousand threads, a search over a million messages.

``python -m tests.bench --only long``: each question is asked of a real server over HTTP, one after the other, and what
counts is how long its answer takes to be read whole. The data are what ``manage.py make_demo_data`` makes, in minutes.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measure import percentile
from tests.bench.notes import note
from tests.bench.systems import Shape
from tests.bench.table import Figure, Limit
from tests.support.databases import PostgresServer
from tests.support.environment import ROOT, product_environment
from tests.support.server import ChatServer
from tests.support.services import OwnPostgres

MESSAGES = 1_000_000
THREADS = 10_000
LONG_THREAD = 10_000
LONG_ANSWER = 20_000  # tokens
DEEP = 100  # pages down the list of threads
WARM_UP, ASKED = 10, 30

OPEN = LIST = Limit(unit="ms", at_most=50)
SEARCH = Limit(unit="ms", at_most=200)
SEEN = Limit(unit="ms")  # the design names no limit for it
ADMIN = Limit(unit="ms", at_most=500)


@dataclass(frozen=True, kw_only=True)
class Question:
    """``addresses`` are asked one after the other, and counted together; ``{…}`` in them is a fact of the data."""

    name: str
    addresses: Sequence[str]
    limit: Limit
    who: str = "many"


def _search(words: str) -> str:
    return "/api/v1/search?" + urllib.parse.urlencode({"q": words}, safe="{}")


_THREAD = "/api/v1/threads/{long_thread}"
_ADMIN = "/admin/conversations"
SEARCHED = {
    "a rare word": "{rare} ",
    "a word of most messages": "the ",
    "what many words begin with": "co",
    "two frequent words": "hinge telescope ",
    "a word that nobody has said": "zyzzyva ",
}
QUESTIONS = (
    Question(name="open a thread of 10,000 messages", addresses=(_THREAD, f"{_THREAD}/messages"), limit=OPEN),
    Question(name="its page 100 up", addresses=(f"{_THREAD}/messages?cursor={{messages_deep}}",), limit=OPEN),
    Question(name="list of 10,000 threads", addresses=("/api/v1/threads",), limit=LIST),
    Question(name="its page 100 down", addresses=("/api/v1/threads?cursor={threads_deep}",), limit=LIST),
    Question(name="titles with a word", addresses=("/api/v1/threads?q=kayak",), limit=LIST),
    *(
        Question(name=f"search, {who} have: {what}", addresses=(_search(words),), limit=SEARCH, who=who)
        for who in ("many", "few")
        for what, words in SEARCHED.items()
    ),
    Question(name="open an answer of 20,000 tokens", addresses=("/api/v1/threads/{long_answer}/messages",), limit=OPEN),
    Question(name="replay its events", addresses=("/api/v1/runs/{long_run}/events?after=0",), limit=SEEN),
    Question(name="state of its run", addresses=("/api/v1/runs/{long_run}",), limit=OPEN),
    Question(name="the page", addresses=("/threads/{long_thread}",), limit=OPEN, who="session"),
    Question(
        name="admin, transcript of 10,000 messages",
        addresses=(f"{_ADMIN}/thread/{{long_thread}}/transcript/",),
        limit=ADMIN,
        who="session",
    ),
    Question(name="admin, list of threads", addresses=(f"{_ADMIN}/thread/",), limit=ADMIN, who="session"),
    Question(name="admin, list of runs", addresses=(f"{_ADMIN}/run/",), limit=ADMIN, who="session"),
    Question(
        name="admin, runs that failed", addresses=(f"{_ADMIN}/run/?status__exact=failed",), limit=ADMIN, who="session"
    ),
    Question(name="admin, runs of a person", addresses=(f"{_ADMIN}/run/?q=few",), limit=ADMIN, who="session"),
    Question(
        name="admin, threads with a rare word", addresses=(f"{_ADMIN}/thread/?q={{rare}}",), limit=ADMIN, who="session"
    ),
    Question(
        name="admin, threads with a frequent word", addresses=(f"{_ADMIN}/thread/?q=the",), limit=ADMIN, who="session"
    ),
)


def long_figures(shapes: Sequence[Shape], *, messages: int = MESSAGES) -> list[Figure]:
    found: list[Figure] = []
    for shape in (shape for shape in shapes if not shape.redis):  # Redis has no part in what is asked here
        note(f"{shape.name}: making {messages:,} messages")
        with filled(shape, messages) as (server, facts):
            found += of_long(f"{shape.name}, {messages:,} messages", server.port, facts)
    return found


def of_long(system: str, port: int, facts: Mapping[str, str]) -> Iterator[Figure]:
    asker = Asker(port, facts)
    asker.prepare()
    for question in QUESTIONS:
        took = asker.took(question)
        note(f"  {question.name}: {percentile(took, 0.5):.1f} ms")
        for share in (0.5, 0.99):
            value = percentile(took, share)
            yield Figure(system=system, name=f"{question.name}, p{share * 100:.0f}", limit=question.limit, value=value)


@contextmanager
def filled(shape: Shape, messages: int) -> Iterator[tuple[ChatServer, dict[str, str]]]:
    """A server with the data in it, and whom and what to ask."""
    with ExitStack() as held:
        home = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="chat-long-")))
        data_dir = home / "data"
        data_dir.mkdir()
        where: dict[str, Any] = {}
        if shape.postgres:
            own = held.enter_context(OwnPostgres(fsync="on"))
            where["DATABASE_URL"] = PostgresServer(own.url()).create()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.long_data", str(messages)],
            cwd=ROOT,
            env=product_environment(data_dir, DATABASE_STATEMENT_TIMEOUT=0, **where),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        server = ChatServer(data_dir, **where)
        held.callback(server.kill)
        server.start()
        yield server, json.loads(done.stdout)


class Asker:
    """One client with one connection, which asks one thing after the other."""

    def __init__(self, port: int, facts: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._facts = dict(facts)

    def prepare(self) -> None:
        """Walk to the pages far down, and say why the transcript is opened."""
        self._facts["messages_deep"] = self._deep(_THREAD + "/messages")
        self._facts["threads_deep"] = self._deep("/api/v1/threads")
        address = f"{_ADMIN}/thread/{{long_thread}}/transcript/"
        form = urllib.parse.urlencode({"reason": "to see how long it takes", "csrfmiddlewaretoken": "a" * 32})
        self._ask(address, "session", method="POST", body=form, expected=302)

    def took(self, question: Question) -> list[float]:
        """Milliseconds, of each time but the first few."""
        times = []
        for _ in range(WARM_UP + ASKED):
            began = time.perf_counter()
            for address in question.addresses:
                self._ask(address, question.who)
            times.append((time.perf_counter() - began) * 1000)
        return times[WARM_UP:]

    def _deep(self, address: str) -> str:
        cursor = ""
        for _ in range(DEEP):
            query = f"?cursor={cursor}" if cursor else ""
            further = json.loads(self._ask(address + query, "many"))["next"]
            if further is None:
                break
            cursor = further
        return cursor

    def _ask(
        self, address: str, who: str, *, method: str = "GET", body: str | None = None, expected: int = 200
    ) -> bytes:
        headers = {"Authorization": f"Bearer {self._facts[who]}"}
        if who == "session":
            headers = {"Cookie": f"{self._facts[who]}; csrf={'a' * 32}"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"http://127.0.0.1:{self._connection.port}"
        filled_in = address
        for name, value in self._facts.items():
            filled_in = filled_in.replace("{" + name + "}", urllib.parse.quote(value))
        self._connection.request(method, filled_in, body=body, headers=headers)
        answer = self._connection.getresponse()
        read = answer.read()
        assert answer.status == expected, f"{method} {filled_in}: {answer.status} {read[:300]!r}"
        return read
