import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import Formatter
from typing import Any

import pytest

from tests.bench.long import ASKED, QUESTIONS, SEEN, WARM_UP, Asker, Question, filled, of_long
from tests.bench.systems import SQLITE

FACTS = {"many": "token", "few": "other", "session": "session=x", "thread": "t 1"}


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization") or self.headers["Cookie"]))
        body = b"x" * 1000
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Server.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def question(*addresses: str, who: str = "many") -> Question:
    return Question(name="x", addresses=addresses, limit=SEEN, who=who)


def test_each_address_is_asked_as_whom_it_says_and_the_first_times_do_not_count(port: int) -> None:
    took = Asker(port, FACTS).took(question("/{thread}", "/{thread}/messages"))
    assert (len(took), min(took) > 0) == (ASKED, True)
    assert Server.seen[:2] == [("/t%201", "Bearer token"), ("/t%201/messages", "Bearer token")]
    assert len(Server.seen) == 2 * (WARM_UP + ASKED)
    Asker(port, FACTS).took(question("/x", who="session"))
    assert Server.seen[-1][1].startswith("session=x;")


def test_a_refusal_is_no_figure(port: int) -> None:
    with pytest.raises(AssertionError, match="404"):
        Asker(port, FACTS).took(question("/missing"))


@pytest.mark.process
def test_every_question_is_answered_by_a_real_server() -> None:
    with filled(SQLITE, 600) as (server, facts):
        figures = list(of_long("SQLite", server.port, facts))
    assert len(figures) == 2 * len(QUESTIONS)
    assert all(figure.value > 0 for figure in figures)
    deep = {"messages_deep", "threads_deep"}
    named = {
        name
        for question in QUESTIONS
        for text in question.addresses
        for _, name, _, _ in Formatter().parse(text)
        if name
    }
    assert named <= facts.keys() | deep
