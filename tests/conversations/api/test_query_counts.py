"""What each call asks of the database: a number, and the same number however many rows there are."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatserver.accounts.services import create_token
from conversations.services.access import record_access
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db
JSON = "application/json"
FEW, MORE = 3, 30
TOOL = {"name": "clock", "arguments": {}, "output": "12:00"}
# Whose token it is, always one; then what the call itself asks.
READS = {
    "/api/v1/me": 2,
    "/api/v1/tokens": 2,
    "/api/v1/threads": 5,  # the feed's number, the pinned threads and the others, what goes on in them
    "/api/v1/threads?archived=1&q=why": 4,
    "/api/v1/threads/{thread}": 3,  # the gate; what goes on in it
    "/api/v1/threads/{thread}/messages": 8,  # the gate; the path, its messages, their versions, steps, runs; what waits
    "/api/v1/search?q=because": 3,  # the index; the messages with their threads
    "/api/v1/access-records": 2,
}


@pytest.fixture
def fill(user: Any, staff: Any) -> Callable[[int], str]:
    """Rows of every kind, so many of each; returns the id of a thread with as many answers."""

    def make(rows: int) -> str:
        thread = thread_of(user)
        for number in range(rows):
            answer(ask(user, f"Why {number}?", thread=thread).run, "Because.", thinking="Hm.", tool=TOOL)
            ask(user, "Why?")
            record_access(staff=staff, thread=thread, reason="a complaint")
        for _ in range(min(rows, 10)):
            create_token(user=user)
        return str(thread.pk)

    return make


def asked(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    assert response.status_code == 200, response.content
    return [query["sql"] for query in captured]


def test_every_call_asks_the_same_of_few_rows_and_of_many(api: Any, user: Any, fill: Any) -> None:
    client = api(user)
    for rows in (FEW, MORE):
        thread = fill(rows)  # for all of them: to make the rows takes longer than all the questions
        for address, expected in READS.items():
            statements = asked(client, address.replace("{thread}", thread))
            # PostgreSQL looks at the newest messages, and asks its index where these are not enough.
            most = expected + (connection.vendor == "postgresql" and "search" in address)
            assert expected <= len(statements) <= most, "\n".join([f"{address}, {rows} rows:", *statements])


def test_a_page_far_down_asks_the_same(api: Any, user: Any) -> None:
    client, thread = api(user), thread_of(user)
    for _ in range(60):
        answer(ask(user, thread=thread).run)
        thread_of(user)
    for address in ("/api/v1/threads", f"/api/v1/threads/{thread.pk}/messages", "/api/v1/search?q=because"):
        further = client.get(address).json()["next"]
        statements = asked(client, f"{address}{'&' if '?' in address else '?'}cursor={further}")
        expected = READS[address.replace(str(thread.pk), "{thread}")]
        assert len(statements) <= expected, "\n".join(statements)


@pytest.mark.parametrize("rows", [FEW, MORE])
def test_deleting_a_message_asks_the_same_of_a_short_and_a_long_branch(api: Any, user: Any, rows: int) -> None:
    client, thread = api(user), thread_of(user)
    first = answer(ask(user, thread=thread).run)
    for _ in range(rows):
        answer(ask(user, thread=thread).run)
    with CaptureQueriesContext(connection) as captured:
        response = client.delete(f"/api/v1/threads/{thread.pk}/messages/{first.answer_id}")
    assert response.status_code == 204
    # Three of them look for files that messages and runs have, which go with the last of them.
    assert len(captured) <= 38, "\n".join(query["sql"] for query in captured)
