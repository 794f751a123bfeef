from typing import Any

import pytest

from tests.conversations.api.test_threads import error_of
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db


def test_a_result_tells_where_it_is_and_why_it_was_found(api: Any, user: Any) -> None:
    thread = thread_of(user, title="The zoo")
    run = answer(ask(user, "Why quokkas?", thread=thread).run, "They <b>smile</b>.")
    body = api(user).get("/api/v1/search", {"q": "smile"}).json()
    assert body["next"] is None
    (found,) = body["results"]
    created_at = found.pop("created_at")
    assert created_at.endswith("Z")
    assert found == {
        "thread_id": str(thread.pk),
        "title": "The zoo",
        "message_id": str(run.answer_id),
        "role": "assistant",
        "excerpt": "They <b>smile</b>.",
        "hits": [[8, 13]],
    }


def test_pages_follow_each_other(api: Any, user: Any) -> None:
    thread, client = thread_of(user), api(user)
    for number in range(21):
        answer(ask(user, f"word {number}", thread=thread).run)
    first = client.get("/api/v1/search", {"q": "word"}).json()
    second = client.get("/api/v1/search", {"q": "word", "cursor": first["next"]}).json()
    assert [len(first["results"]), len(second["results"]), second["next"]] == [20, 1, None]
    assert (first["results"][0]["excerpt"], second["results"][0]["excerpt"]) == ("word 20", "word 0")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "?!"}, "q"),
        ({"q": "\x00"}, "q"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a b c d e f g h i"}, "q"),
        ({"q": "word", "cursor": "x"}, "cursor"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(api: Any, user: Any, query: Any, field: str) -> None:
    response = api(user).get("/api/v1/search", query)
    error = error_of(response)
    assert (response.status_code, error["code"], error["details"]) == (400, "invalid_request", {"field": field})


def test_there_is_nothing_to_do_but_to_look(api: Any, user: Any) -> None:
    response = api(user).post("/api/v1/search", {"q": "x"}, content_type="application/json")
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
