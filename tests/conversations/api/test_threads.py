from typing import Any

import pytest

from conversations.models import FeedEvent, Thread
from streaming.protocol.commands import MAX_PARAMETERS
from tests.support.stored import answer, ask, claim, lanes, thread_of

pytestmark = pytest.mark.django_db
JSON = "application/json"
FIELDS = {
    "id", "title", "title_by", "model", "system_prompt", "parameters", "folder", "tags", "pinned", "archived", "head",
    "active_runs", "waiting_runs", "created_at", "updated_at",
}  # fmt: skip


def error_of(response: Any) -> Any:
    error = response.json()["error"]
    assert set(error) == {"code", "message", "retryable", "retry_after_ms", "details", "log_id"}
    return error


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_list_has_results_next_and_the_feeds_cursor(api: Any, user: Any) -> None:
    run = ask(user).run
    body = api(user).get("/api/v1/threads").json()
    assert set(body) == {"results", "next", "feed_cursor"}
    (thread,) = body["results"]
    assert set(thread) == FIELDS
    assert (thread["id"], thread["active_runs"]) == (str(run.thread_id), [str(run.pk)])
    assert (body["next"], body["feed_cursor"]) == (None, 2)


def test_the_lists_pages_follow_each_other(api: Any, user: Any) -> None:
    for number in range(51):
        thread_of(user, title=str(number))
    client = api(user)
    first = client.get("/api/v1/threads").json()
    second = client.get("/api/v1/threads", {"cursor": first["next"]}).json()
    assert [len(first["results"]), len(second["results"]), second["next"]] == [50, 1, None]
    assert second["results"][0]["title"] == "0"


def test_what_is_pinned_stands_above_the_first_page_and_on_no_other(api: Any, user: Any) -> None:
    pinned = [thread_of(user, title=f"pinned {number}") for number in range(2)]
    Thread.objects.filter(pk__in=[thread.pk for thread in pinned]).update(pinned=True)
    for number in range(51):
        thread_of(user, title=str(number))
    client = api(user)
    first = client.get("/api/v1/threads").json()
    second = client.get("/api/v1/threads", {"cursor": first["next"]}).json()
    titles = [thread["title"] for thread in first["results"]]
    assert titles[:3] == ["pinned 1", "pinned 0", "50"]
    assert len(titles) == 52
    assert [thread["title"] for thread in second["results"]] == ["0"]


def test_one_too_many_is_not_pinned(api: Any, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thread, "MOST_PINNED", 1)
    client = api(user)
    first, second = (thread_of(user) for _ in range(2))
    for thread, status in ((first, 200), (first, 200), (second, 400)):
        response = client.patch(f"/api/v1/threads/{thread.pk}", {"pinned": True}, content_type=JSON)
        assert response.status_code == status
    assert error_of(response)["details"] == {"field": "pinned"}
    assert client.patch(f"/api/v1/threads/{first.pk}", {"pinned": False}, content_type=JSON).status_code == 200
    assert client.patch(f"/api/v1/threads/{second.pk}", {"pinned": True}, content_type=JSON).status_code == 200


def test_the_archive_and_the_search(api: Any, user: Any) -> None:
    thread_of(user, title="blue sky")
    Thread.objects.filter(pk=thread_of(user, title="old sky").pk).update(archived=True)
    client = api(user)

    def titles(**query: str) -> list[str]:
        return [thread["title"] for thread in client.get("/api/v1/threads", query).json()["results"]]

    assert titles() == ["blue sky"]
    assert titles(archived="1") == ["old sky"]
    assert titles(q="SKY") == ["blue sky"]
    assert titles(q="red") == []


@pytest.mark.parametrize("query", [{"archived": "yes"}, {"cursor": "x"}, {"q": "x" * 201}, {"q": "\x00"}])
def test_a_query_that_cannot_be_read_is_refused(api: Any, user: Any, query: Any) -> None:
    response = api(user).get("/api/v1/threads", query)
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_request")


def test_a_search_for_nul_is_told_what_is_wrong_with_it(api: Any, user: Any) -> None:
    error = error_of(api(user).get("/api/v1/threads", {"q": "\x00"}))
    assert (error["message"], error["details"]) == ("q may not contain the character NUL.", {"field": "q"})


def test_the_list_is_at_most_five_queries(api: Any, user: Any, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        ask(user)
    client = api(user)
    with django_assert_max_num_queries(5):
        client.get("/api/v1/threads")


# --- making one ----------------------------------------------------------------------------------------------------


def test_a_thread_is_made_with_what_is_named(api: Any, user: Any) -> None:
    wanted = {"title": "Mine", "model": "demo/demo", "system_prompt": "Be kind.", "parameters": {"temperature": 0.5}}
    response = api(user).post("/api/v1/threads", wanted, content_type=JSON)
    assert response.status_code == 201
    assert set(response.json()) == FIELDS
    assert {name: response.json()[name] for name in wanted} == wanted
    assert Thread.objects.get().owner == user


def test_everything_is_optional_even_the_body(api: Any, user: Any) -> None:
    client = api(user)
    assert client.post("/api/v1/threads", b"", content_type=JSON).status_code == 201
    assert client.generic("POST", "/api/v1/threads").status_code == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"owner": "x", "title": "t"}, "unknown_field"),
        ({"id": "x"}, "unknown_field"),
        ({"title": "x" * 201}, "invalid_request"),
        ({"title": 1}, "invalid_request"),
        ({"system_prompt": "x" * 32_001}, "invalid_request"),
        ({"parameters": []}, "invalid_request"),
        ({"parameters": {"stop": "x" * MAX_PARAMETERS}}, "invalid_request"),
        ([], "invalid_request"),
        ('"text"', "invalid_request"),
    ],
)
def test_what_does_not_fit_is_refused_and_stores_nothing(api: Any, user: Any, body: Any, code: str) -> None:
    response = api(user).post("/api/v1/threads", body, content_type=JSON)
    assert (response.status_code, error_of(response)["code"]) == (400, code)
    assert not Thread.objects.exists()


def test_unknown_fields_are_named(api: Any, user: Any) -> None:
    response = api(user).post("/api/v1/threads", {"zebra": 1, "ape": 2}, content_type=JSON)
    assert error_of(response)["details"] == {"fields": ["ape", "zebra"]}


@pytest.mark.parametrize(
    "raw",
    ["{", " ", "nul", '{"parameters": {"a": NaN}}', '{"parameters": {"a": 1e999}}', "[" * 100 + "]" * 100, b"\xff"],
)
def test_what_is_no_json_is_refused(api: Any, user: Any, raw: Any) -> None:
    response = api(user).post("/api/v1/threads", raw, content_type=JSON)
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_json")


def test_unstorable_text_is_replaced_at_the_entry(api: Any, user: Any) -> None:
    raw = '{"title": "a\\u0000b\\ud800c", "parameters": {"stop": "\\ud800"}}'
    response = api(user).post("/api/v1/threads", raw, content_type=JSON)
    assert response.status_code == 201
    assert response.json()["title"] == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_other_formats_are_refused(api: Any, user: Any) -> None:
    response = api(user).post("/api/v1/threads", {"title": "x"})
    assert (response.status_code, error_of(response)["code"]) == (415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused(api: Any, user: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = api(user).post("/api/v1/threads", {"system_prompt": "x" * 1000}, content_type=JSON)
    assert (response.status_code, error_of(response)["code"]) == (413, "body_too_large")


# --- idempotency ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_header", [True, False])
def test_the_same_key_gives_the_same_thread_and_says_so(api: Any, user: Any, by_header: bool) -> None:
    client = api(user)

    def post() -> Any:
        if by_header:
            return client.post("/api/v1/threads", {"title": "x"}, content_type=JSON, headers={"Idempotency-Key": "k"})
        return client.post("/api/v1/threads", {"title": "x", "idempotency_key": "k"}, content_type=JSON)

    first, again = post(), post()
    assert first.json() == again.json()
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert Thread.objects.count() == 1


def test_the_key_means_the_same_in_header_and_body(api: Any, user: Any) -> None:
    client = api(user)
    client.post("/api/v1/threads", {"title": "x"}, content_type=JSON, headers={"Idempotency-Key": "k"})
    again = client.post("/api/v1/threads", {"title": "x", "idempotency_key": "k"}, content_type=JSON)
    assert again["Idempotency-Replayed"] == "true"


def test_the_same_key_for_another_body_is_a_conflict(api: Any, user: Any) -> None:
    client = api(user)
    client.post("/api/v1/threads", {"title": "x", "idempotency_key": "k"}, content_type=JSON)
    response = client.post("/api/v1/threads", {"title": "y", "idempotency_key": "k"}, content_type=JSON)
    assert (response.status_code, error_of(response)["code"]) == (422, "idempotency_conflict")


@pytest.mark.parametrize("key", [1, "", "x" * 201, "a\nb", []])
def test_what_is_no_key_is_refused(api: Any, user: Any, key: Any) -> None:
    response = api(user).post("/api/v1/threads", {"idempotency_key": key}, content_type=JSON)
    assert response.status_code == 400
    assert not Thread.objects.exists()


# --- one thread ----------------------------------------------------------------------------------------------------


def test_one_thread_is_read_in_three_queries(api: Any, user: Any, django_assert_max_num_queries: Any) -> None:
    run, client = ask(user).run, api(user)
    with django_assert_max_num_queries(3):
        body = client.get(f"/api/v1/threads/{run.thread_id}").json()
    assert (set(body), body["active_runs"]) == (FIELDS, [str(run.pk)])


def test_a_thread_is_changed_where_something_is_named(api: Any, user: Any) -> None:
    thread = thread_of(user, title="Mine")
    changes = {"pinned": True, "archived": True, "tags": ["a", "b"], "parameters": {"seed": 1}}
    response = api(user).patch(f"/api/v1/threads/{thread.pk}", changes, content_type=JSON)
    assert response.status_code == 200
    assert {name: response.json()[name] for name in changes} == changes
    assert response.json()["title"] == "Mine"


@pytest.mark.parametrize(
    "body",
    [
        {"owner": "x"},
        {"title_by": "model"},
        {"title": None},
        {"pinned": "yes"},
        {"tags": ["t"] * 21},
        {"tags": ["x" * 51]},
        {"tags": [""]},
        {"parameters": {"a": "x" * MAX_PARAMETERS}},
    ],
)
def test_what_may_not_be_changed_or_does_not_fit_is_refused(api: Any, user: Any, body: Any) -> None:
    thread = thread_of(user, title="Mine")
    response = api(user).patch(f"/api/v1/threads/{thread.pk}", body, content_type=JSON)
    assert response.status_code == 400
    assert FeedEvent.objects.count() == 1


def test_changing_is_at_most_eleven_queries(api: Any, user: Any, django_assert_max_num_queries: Any) -> None:
    thread, client = thread_of(user), api(user)
    # token, gate; begin, row, change, runs, number up and read, event, commit; runs for the answer
    with django_assert_max_num_queries(11):
        client.patch(f"/api/v1/threads/{thread.pk}", {"pinned": True}, content_type=JSON)


def test_deleting_answers_nothing_and_then_it_is_not_there(api: Any, user: Any) -> None:
    run, client = answer(ask(user).run), api(user)
    response = client.delete(f"/api/v1/threads/{run.thread_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"/api/v1/threads/{run.thread_id}").status_code == 404


def test_a_thread_that_still_answers_can_be_deleted(api: Any, user: Any) -> None:
    run = ask(user).run
    assert api(user).delete(f"/api/v1/threads/{run.thread_id}").status_code == 204
    assert not Thread.objects.exists()


def test_a_page_deletes_with_its_csrf_token_only(browser: Any, user: Any) -> None:
    thread, client = thread_of(user), browser(user)
    assert client.delete(f"/api/v1/threads/{thread.pk}").status_code == 403
    client.get("/settings")
    token = client.cookies["csrf"].value
    assert client.delete(f"/api/v1/threads/{thread.pk}", headers={"X-CSRFToken": token}).status_code == 204


def test_what_one_thread_does_not_take_names_what_it_takes(api: Any, user: Any) -> None:
    response = api(user).post(f"/api/v1/threads/{thread_of(user).pk}", {}, content_type=JSON)
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) >= {"GET", "PATCH", "DELETE"}


# --- messages ------------------------------------------------------------------------------------------------------


def test_messages_come_with_the_steps_and_runs_of_the_answers(api: Any, user: Any) -> None:
    tool = {"name": "clock", "arguments": {"timezone": "UTC"}, "output": "12:00"}
    run = answer(ask(user).run, "Because.", thinking="Hm.", tool=tool)
    body = api(user).get(f"/api/v1/threads/{run.thread_id}/messages").json()
    assert set(body) == {"results", "beside", "steps", "runs", "waiting", "next"}
    assert [(message["role"], message["content"]) for message in body["results"]] == [
        ("user", "Why?"),
        ("assistant", "Because."),
    ]
    assert [(step["step"], step["name"], step["output"]) for step in body["steps"]] == [
        ("reasoning", None, None),
        ("tool_calls", "clock", "12:00"),
    ]
    assert (body["runs"][0]["status"], body["runs"][0]["timing"]["first_token_ms"]) == ("completed", 120)


def test_older_messages_follow_by_cursor(api: Any, user: Any) -> None:
    thread, client = thread_of(user), api(user)
    for number in range(26):
        answer(ask(user, str(number), thread=thread).run)
    newest = client.get(f"/api/v1/threads/{thread.pk}/messages").json()
    older = client.get(f"/api/v1/threads/{thread.pk}/messages", {"cursor": newest["next"]}).json()
    assert [len(newest["results"]), len(older["results"]), older["next"]] == [50, 2, None]
    assert newest["results"][-2]["content"] == "25"
    assert older["results"][0]["content"] == "0"


def test_a_page_of_messages_is_at_most_eight_queries(api: Any, user: Any, django_assert_max_num_queries: Any) -> None:
    thread, client = thread_of(user), api(user)
    for _ in range(6):
        answer(ask(user, thread=thread).run, thinking="Hm.")
    with django_assert_max_num_queries(8):
        client.get(f"/api/v1/threads/{thread.pk}/messages")


def test_an_answer_under_way_is_listed_as_such(api: Any, user: Any) -> None:
    run = ask(user).run
    claim(run)
    body = api(user).get(f"/api/v1/threads/{run.thread_id}/messages").json()
    assert (body["results"][-1]["status"], body["runs"][0]["status"]) == ("in_progress", "in_progress")


# --- versions ------------------------------------------------------------------------------------------------------


def listed(client: Any, thread: Any) -> Any:
    return client.get(f"/api/v1/threads/{thread.pk}/messages").json()


def test_a_message_is_listed_with_its_versions_the_oldest_first(api: Any, user: Any) -> None:
    first = answer(ask(user, "Why?").run)
    thread = first.thread
    again = answer(ask(user, None, thread=thread, regenerate=str(first.answer_id)).run)
    question, shown = listed(api(user), thread)["results"]
    assert question["versions"] == [str(first.question_id)]
    assert (shown["id"], shown["versions"]) == (str(again.answer_id), [str(first.answer_id), str(again.answer_id)])


def test_another_version_is_shown_with_what_was_said_last_upon_it(api: Any, user: Any) -> None:
    first = answer(ask(user, "Why?").run)
    thread = first.thread
    upon = answer(ask(user, "And then?", thread=thread).run)
    edited = answer(ask(user, "How?", thread=thread, edit=str(first.question_id)).run)
    client, address = api(user), f"/api/v1/threads/{thread.pk}"
    assert [one["id"] for one in listed(client, thread)["results"]] == [
        str(edited.question_id),
        str(edited.answer_id),
    ]
    told = FeedEvent.objects.count()
    response = client.patch(address, {"head": str(first.question_id)}, content_type=JSON)
    assert (response.status_code, response.json()["head"]) == (200, str(upon.answer_id))
    assert listed(client, thread)["results"][0]["id"] == str(first.question_id)
    assert FeedEvent.objects.count() == told + 1


def test_the_head_is_a_message_of_the_thread(api: Any, user: Any, other_user: Any) -> None:
    thread = answer(ask(user).run).thread
    elsewhere, foreign = answer(ask(user).run), answer(ask(other_user).run)
    for head in (str(elsewhere.answer_id), str(foreign.answer_id), "x", str(thread.pk)):
        response = api(user).patch(f"/api/v1/threads/{thread.pk}", {"head": head}, content_type=JSON)
        assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


def test_the_answers_of_one_send_are_listed_beside_the_shown_one(api: Any, user: Any) -> None:
    runs = ask(user, choose=lanes("one", "two", "three")).runs
    for run in runs:
        answer(run, f"I am {run.model}.", tool={"name": "clock", "arguments": {}, "output": "12:00"})
    thread = runs[0].thread
    page = listed(api(user), thread)
    assert [one["id"] for one in page["results"]] == [str(runs[0].question_id), str(runs[0].answer_id)]
    assert [one["id"] for one in page["beside"]] == [str(runs[1].answer_id), str(runs[2].answer_id)]
    assert {one["id"] for one in page["runs"]} == {str(run.pk) for run in runs}
    assert len(page["steps"]) == 3
    assert {tuple(one["versions"]) for one in [page["results"][1], *page["beside"]]} == {
        tuple(str(run.answer_id) for run in runs)
    }


def test_what_was_asked_again_later_is_a_version_and_does_not_stand_beside(api: Any, user: Any) -> None:
    runs = ask(user, choose=lanes("one", "two")).runs
    for run in runs:
        answer(run)
    thread = runs[0].thread
    again = answer(ask(user, None, thread=thread, regenerate=str(runs[1].answer_id)).run)
    page = listed(api(user), thread)
    assert (page["results"][1]["id"], page["beside"]) == (str(again.answer_id), [])
    api(user).patch(f"/api/v1/threads/{thread.pk}", {"head": str(runs[1].answer_id)}, content_type=JSON)
    page = listed(api(user), thread)
    assert page["results"][1]["id"] == str(runs[1].answer_id)
    assert [one["id"] for one in page["beside"]] == [str(runs[0].answer_id)]
    assert len(page["beside"][0]["versions"]) == 3


def test_what_is_written_on_a_branch_that_is_not_shown_goes_on_there(api: Any, user: Any) -> None:
    first = answer(ask(user, "Why?").run)
    thread = first.thread
    running = ask(user, None, thread=thread, regenerate=str(first.answer_id)).run
    client = api(user)
    response = client.patch(f"/api/v1/threads/{thread.pk}", {"head": str(first.answer_id)}, content_type=JSON)
    assert (response.json()["head"], response.json()["active_runs"]) == (str(first.answer_id), [str(running.pk)])
    answer(running)
    assert client.get(f"/api/v1/threads/{thread.pk}").json()["head"] == str(first.answer_id)
    assert listed(client, thread)["results"][-1]["id"] == str(first.answer_id)
