"""Every door of the plain resources, for everybody: the owner, a stranger, a weaker token, a forged form, nobody."""

from typing import Any

import pytest
from django.test import Client, RequestFactory

from chatserver.ids import new_id
from conversations.api.threads import Threads
from conversations.models import AccessRecord, FeedEvent, Message, Thread
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db
JSON = "application/json"
# method, address, the scope that it takes, the answer to the owner
DOORS = [
    ("get", "/api/v1/threads", "read", 200),
    ("post", "/api/v1/threads", "chat", 201),
    ("get", "/api/v1/threads/{thread}", "read", 200),
    ("patch", "/api/v1/threads/{thread}", "chat", 200),
    ("delete", "/api/v1/threads/{thread}", "chat", 204),
    ("get", "/api/v1/threads/{thread}/messages", "read", 200),
    ("delete", "/api/v1/threads/{thread}/messages/{message}", "chat", 204),
    ("get", "/api/v1/access-records", "read", 200),
]
EVERY_DOOR = pytest.mark.parametrize(("method", "address", "scope", "status"), DOORS)
CHANGING = pytest.mark.parametrize(("method", "address", "scope", "status"), [d for d in DOORS if d[0] != "get"])
OF_ONE_THREAD = pytest.mark.parametrize(("method", "address", "scope", "status"), [d for d in DOORS if "{" in d[1]])


@pytest.fixture
def thread(user: Any) -> Thread:
    return answer(ask(user, "secret question").run).thread


def knock(client: Client, method: str, address: str, thread: Any, **extra: Any) -> Any:
    body = {"data": "{}", "content_type": JSON} if method in ("post", "patch") else {}
    message = Message.objects.values_list("pk", flat=True).first()
    return getattr(client, method)(address.format(thread=thread, message=message), **body, **extra)


@EVERY_DOOR
def test_the_owner_gets_through_by_token(
    api: Any, user: Any, thread: Thread, method: str, address: str, scope: str, status: int
) -> None:
    assert knock(api(user, scope), method, address, thread.pk).status_code == status


@EVERY_DOOR
def test_the_owner_gets_through_by_session(
    browser: Any, user: Any, thread: Thread, method: str, address: str, scope: str, status: int
) -> None:
    client = browser(user)
    client.cookies["csrf"] = "a" * 32
    assert knock(client, method, address, thread.pk, headers={"X-CSRFToken": "a" * 32}).status_code == status


@EVERY_DOOR
def test_nobody_is_asked_to_sign_in(thread: Thread, method: str, address: str, scope: str, status: int) -> None:
    response = knock(Client(), method, address, thread.pk)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert response.json()["error"]["code"] == "not_authenticated"


@EVERY_DOOR
def test_a_token_without_the_scope_is_told_so(
    api: Any, user: Any, thread: Thread, method: str, address: str, scope: str, status: int
) -> None:
    weaker = "chat" if scope == "read" else "read"
    response = knock(api(user, weaker), method, address, thread.pk)
    assert (response.status_code, response.json()["error"]["details"]) == (403, {"scope": scope})


@OF_ONE_THREAD
def test_not_yours_and_not_there_are_one_answer(
    api: Any, other_user: Any, thread: Thread, method: str, address: str, scope: str, status: int
) -> None:
    client = api(other_user)
    answers = [knock(client, method, address, pk) for pk in (thread.pk, new_id(), "nonsense", "1")]
    assert {response.status_code for response in answers} == {404}
    assert len({response.content for response in answers}) == 1
    assert Thread.objects.filter(pk=thread.pk).exists()


@CHANGING
def test_a_session_without_a_csrf_token_changes_nothing(
    browser: Any, user: Any, thread: Thread, method: str, address: str, scope: str, status: int
) -> None:
    before = FeedEvent.objects.count()
    response = knock(browser(user), method, address, thread.pk)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert FeedEvent.objects.count() == before


def test_a_session_is_refused_where_no_middleware_has_checked_its_csrf_token(user: Any, client: Any) -> None:
    client.force_login(user)
    request = RequestFactory().post("/api/v1/threads", "{}", content_type=JSON)
    request.session = client.session
    assert Threads.as_view()(request).status_code == 403
    assert not Thread.objects.exists()


def test_nobodys_list_has_anything_of_others(api: Any, other_user: Any, thread: Thread, admin_user: Any) -> None:
    for person in (other_user, admin_user):
        assert api(person).get("/api/v1/threads").json()["results"] == []


def test_the_owner_sees_who_opened_his_transcripts_and_nobody_else_does(
    api: Any, user: Any, other_user: Any, staff: Any
) -> None:
    thread = thread_of(user, title="Mine")
    record = AccessRecord.objects.create(
        staff=staff,
        staff_name="sam",
        owner=user,
        owner_name="ada",
        thread_id=thread.pk,
        thread_title="Mine",
        reason="Why",
    )
    body = api(user).get("/api/v1/access-records").json()
    (seen,) = body["results"]
    assert set(seen) == {"id", "thread_id", "thread_title", "staff", "reason", "at"}
    assert (seen["id"], seen["staff"], seen["reason"], body["next"]) == (str(record.pk), "sam", "Why", None)
    assert api(other_user).get("/api/v1/access-records").json()["results"] == []


def test_the_records_pages_follow_each_other(api: Any, user: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(51):
        AccessRecord.objects.create(owner=user, thread_id=new_id(), reason=f"reason {number}")
    client = api(user)
    with django_assert_max_num_queries(2):
        first = client.get("/api/v1/access-records").json()
    second = client.get("/api/v1/access-records", {"cursor": first["next"]}).json()
    assert (len(first["results"]), [record["reason"] for record in second["results"]]) == (50, ["reason 0"])
