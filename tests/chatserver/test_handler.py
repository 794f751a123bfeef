"""What is done around a request: told in its thread, ended with its client, and answered as Django would."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished, request_started
from django.db import connections
from django.http import HttpRequest, HttpResponse

from chatserver.accounts.models import User
from chatserver.handler import Handler
from chatserver.threads import OwnThreads

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db(transaction=True)]
# Django's and the libraries' own, each by itself and through a thread.
GENERAL = {
    "chatserver.middleware.ContentSecurityPolicy": "csp.middleware.CSPMiddleware",
    "chatserver.middleware.Locale": "django.middleware.locale.LocaleMiddleware",
    "chatserver.middleware.Common": "django.middleware.common.CommonMiddleware",
    "chatserver.middleware.Messages": "django.contrib.messages.middleware.MessageMiddleware",
    "chatserver.middleware.Authentication": "django.contrib.auth.middleware.AuthenticationMiddleware",
}


@pytest.fixture
def bearer(user: User, token_for: Callable[..., str]) -> dict[str, str]:
    return {"authorization": f"Bearer {token_for(user)}"}


@pytest.fixture
def quick() -> Iterator[OwnThreads]:
    served = OwnThreads(Handler())
    yield served
    close(served)


@pytest.fixture
def general(settings: Any) -> Iterator[OwnThreads]:
    settings.MIDDLEWARE = [GENERAL.get(name, name) for name in settings.MIDDLEWARE]
    served = OwnThreads(ASGIHandler())
    yield served
    close(served)


def close(served: OwnThreads) -> None:
    for thread in served._threads:
        thread.submit(connections.close_all).result()


def scope_of(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    named = {"host": "localhost", **headers}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin1")) for name, value in named.items()],
    }


async def ask(
    application: Any, method: str, path: str, headers: dict[str, str], *pieces: bytes, then: Any = None
) -> list[dict[str, Any]]:
    """All that is sent. ``then`` is what the client says after its body; without it, nothing more."""
    said = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces or (b"",)]
    said[-1]["more_body"] = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if said:
            return said.pop(0)
        if then is None:
            await asyncio.Event().wait()
        await then.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope_of(method, path, headers), receive, send)
    return sent


ASKED = [
    ("GET", "/api/who", {}),
    ("GET", "/api/who-sync", {}),
    ("GET", "/api/who-sync", {"accept-language": "de-AT,de;q=0.8"}),
    ("GET", "/api/who", {"accept-language": "xx,fr;q=0.5", "cookie": "django_language=es"}),
    ("GET", "/api/who", {"accept-language": "tlh" * 100 + ",de"}),
    ("GET", "/api/who", {"cookie": "session=abc; csrf=def"}),
    ("GET", "/api/who", {"host": "evil.example"}),
    ("GET", "/api/nothing", {}),
    ("GET", "/api/v1/threads/", {}),
    ("GET", "/api/v1/threads", {}),
    ("POST", "/api/v1/threads", {"content-type": "application/json"}),
    ("POST", "/api/v1/threads", {"content-type": "text/plain"}),
    ("PATCH", "/api/v1/models", {}),
    ("POST", "/api/v1/threads/nothing/runs", {"accept": "text/event-stream", "content-type": "application/json"}),
    ("GET", "/api/v1/runs/nothing", {}),
    ("POST", "/api/only-get", {}),
    ("GET", "/api/gone", {}),
    ("GET", "/api/busy", {}),
    ("GET", "/api/boom", {}),
    ("GET", "/api/stream", {}),
    ("GET", "/api/note", {}),
    ("GET", "/page/who", {}),
    ("GET", "/page/note", {}),
    ("GET", "/page/nothing", {}),
    ("GET", "/page/boom", {}),
    ("POST", "/page/who", {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}),
    ("GET", "/accounts", {}),
    ("GET", "/static/nothing.svg", {}),
    ("GET", "/metrics", {}),
]


@pytest.mark.parametrize("who", ["nobody", "token", "bad token"])
async def test_every_answer_is_djangos_own(
    quick: OwnThreads, general: OwnThreads, bearer: dict[str, str], who: str
) -> None:
    credentials = {"nobody": {}, "token": bearer, "bad token": {"authorization": "Bearer chat_a_b"}}[who]
    for method, path, headers in ASKED:
        asked = method, path, {**headers, **credentials}
        body = b'{"content": 1, "other": {}}' if method == "POST" else b""
        answers = [plain(await ask(served, *asked, body)) for served in (quick, general)]
        assert answers[0] == answers[1], asked


CHANGES = re.compile(rb"[0-9a-f]{12,}|[0-9a-f-]{36}|\d\d:\d\d:\d\d(\.\d+)?|csrf=\w+|csrfmiddlewaretoken\" value=\"\w+")


def plain(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was sent, without the numbers, keys and times that are never twice the same."""
    for message in sent:
        if "body" in message:
            message["body"] = CHANGES.sub(b"", message["body"])
        if "headers" in message:
            message["headers"] = [(name, CHANGES.sub(b"", value)) for name, value in message["headers"]]
    return sent


async def test_the_beginning_and_the_end_are_told_in_the_thread_of_the_request(
    quick: OwnThreads, bearer: dict[str, str]
) -> None:
    told = await heard(quick, "/api/who", bearer)
    assert [name for name, _ in told] == ["begun", "ended"]
    assert told[0][1] == told[1][1]
    assert told[0][1].startswith("request-")


async def test_a_request_that_needs_no_thread_is_ended_without_one(quick: OwnThreads) -> None:
    assert await heard(quick, "/api/who", {}) == [("ended", threading.current_thread().name)]


async def heard(served: OwnThreads, path: str, headers: dict[str, str]) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    over = threading.Event()

    def begun(**_: Any) -> None:
        told.append(("begun", threading.current_thread().name))

    def ended(**_: Any) -> None:
        told.append(("ended", threading.current_thread().name))
        over.set()

    request_started.connect(begun)
    request_finished.connect(ended)
    try:
        await ask(served, "GET", path, headers)
        assert await asyncio.to_thread(over.wait, 5)
    finally:
        request_started.disconnect(begun)
        request_finished.disconnect(ended)
    return told


class Slow(Handler):
    """Its view waits to be told, and notes how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work, self.go_on = asyncio.Event(), asyncio.Event()
        self.ended = ""

    async def get_response_async(self, request: HttpRequest) -> HttpResponse:
        self.at_work.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return HttpResponse(b"x" * 150_000)


async def test_a_client_that_goes_ends_its_request_and_nothing_else() -> None:
    gone, slow = asyncio.Event(), Slow()
    asking = asyncio.ensure_future(ask(OwnThreads(slow), "GET", "/", {}, then=gone))
    await slow.at_work.wait()
    gone.set()
    async with asyncio.timeout(5):
        assert await asking == []
    assert slow.ended == "cancelled"
    assert not asking.cancelled()


async def test_who_cancels_a_request_hears_of_it() -> None:
    slow = Slow()
    asking = asyncio.ensure_future(ask(OwnThreads(slow), "GET", "/", {}))
    await slow.at_work.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert slow.ended == "cancelled"


async def test_who_cancels_hears_of_it_also_when_the_client_goes() -> None:
    gone, slow = asyncio.Event(), Slow()
    asking = asyncio.ensure_future(ask(OwnThreads(slow), "GET", "/", {}, then=gone))
    await slow.at_work.wait()
    gone.set()
    await asyncio.sleep(0)  # and the request has been told, and has not yet heard
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_nobody_listens_for_the_client_any_more_when_it_has_its_answer() -> None:
    slow = Slow()
    slow.go_on.set()
    sent = await ask(OwnThreads(slow), "GET", "/", {})
    assert [len(message.get("body", b"")) for message in sent] == [0, 65_536, 65_536, 18_928]
    assert [message.get("more_body") for message in sent] == [None, True, True, False]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(slow._tasks) == 0


@pytest.mark.parametrize("pieces", [(b'{"a": 1}',), (b'{"a"', b": 1}"), (b"", b'{"a": 1}'), (b'{"a": 1}', b"")])
async def test_a_body_is_the_same_in_any_number_of_pieces(pieces: tuple[bytes, ...]) -> None:
    class Echo(Handler):
        async def get_response_async(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(request.body)

    sent = await ask(OwnThreads(Echo()), "POST", "/", {}, *pieces)
    assert sent[1]["body"] == b'{"a": 1}'


async def test_a_client_that_goes_in_the_middle_of_its_body_is_not_served() -> None:
    said = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return said.pop(0)

    await OwnThreads(Handler())(scope_of("POST", "/api/who", {}), receive, None)  # type: ignore[arg-type]


async def test_what_fails_at_the_end_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Handler):
        async def get_response_async(self, request: HttpRequest) -> HttpResponse:
            await sync_to_async(int)()
            response = HttpResponse()
            response.close = lambda: 1 // 0  # type: ignore[method-assign]
            return response

    served = OwnThreads(Broken())
    await ask(served, "GET", "/", {})
    close(served)
    assert "a request could not be closed" in caplog.text
