from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.principal import principal_of_token
from chatserver.accounts.services import create_token

pytestmark = [pytest.mark.urls("tests.support.accounts_api_urls"), pytest.mark.django_db]
ME, TOKENS = "/api/v1/me", "/api/v1/tokens"


class Caller:
    """A program with a token."""

    def __init__(self, token: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {token}"}, enforce_csrf_checks=True)

    def post(self, body: Any) -> Any:
        return self.client.post(TOKENS, body, content_type="application/json")


@pytest.fixture
def caller(user: User, token_for: Callable[..., str]) -> Caller:
    return Caller(token_for(user))


def test_me_says_who_one_is(caller: Caller, user: User) -> None:
    me = caller.client.get(ME).json()
    assert set(me) == {"id", "username", "email", "staff", "limits"}
    assert (me["id"], me["username"], me["email"], me["staff"]) == (str(user.pk), "ada", "ada@example.org", False)
    assert me["limits"]["streams"] > 0


def test_me_asks_strangers_to_sign_in(client: Client) -> None:
    answer = client.get(ME)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_a_new_token_is_shown_once_and_works(caller: Caller) -> None:
    answer = caller.post({"name": "laptop", "scopes": ["chat", "read"]})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["scopes"]) == ("laptop", ["read", "chat"])
    principal = principal_of_token(made["token"])
    assert principal is not None
    assert not principal.allows("manage")
    listed = caller.client.get(TOKENS).json()
    assert listed["next"] is None
    assert made["id"] in [each["id"] for each in listed["results"]]
    secret = made["token"].split("_", 2)[2]
    assert secret not in str(listed)
    assert "digest" not in str(listed)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "x", "user": "other"}, "unknown_field"),
        ({"digest": "0" * 64}, "unknown_field"),
        ({"scopes": []}, "invalid_request"),
        ({"scopes": ["root"]}, "invalid_request"),
        ({"scopes": "read"}, "invalid_request"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "invalid_request"),
        ({"expires_at": "soon"}, "invalid_request"),
        ({"name": "x" * 101}, "invalid_request"),
        ({"name": {"a": 1}}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused(caller: Caller, body: Any, code: str) -> None:
    answer = caller.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert ApiToken.objects.count() == 1


def test_the_unknown_fields_are_named(caller: Caller) -> None:
    assert caller.post({"user": 1, "digest": 2}).json()["error"]["details"] == {"fields": ["digest", "user"]}


def test_what_is_not_json_is_refused(caller: Caller) -> None:
    assert caller.post("{").json()["error"]["code"] == "invalid_json"
    plain = caller.client.post(TOKENS, "{}", content_type="text/plain")
    assert plain.status_code == 415


def test_a_deleted_token_works_no_more(caller: Caller) -> None:
    made = caller.post({"name": "laptop"}).json()
    assert caller.client.delete(f"{TOKENS}/{made['id']}").status_code == 204
    assert principal_of_token(made["token"]) is None
    assert made["id"] not in str(caller.client.get(TOKENS).json())
    assert caller.client.delete(f"{TOKENS}/{made['id']}").status_code == 204


def test_tokens_of_others_do_not_exist(caller: Caller, other_user: User, token_for: Callable[..., str]) -> None:
    token = token_for(other_user)
    theirs = ApiToken.objects.get(user=other_user)
    refused = caller.client.delete(f"{TOKENS}/{theirs.pk}")
    unknown = caller.client.delete(f"{TOKENS}/{other_user.pk}")
    assert refused.status_code == unknown.status_code == 404
    assert refused.json() == unknown.json()
    assert principal_of_token(token) is not None
    assert str(theirs.pk) not in str(caller.client.get(TOKENS).json())


@pytest.mark.parametrize("scopes", [["read"], ["chat"], ["read", "chat"]])
def test_a_weak_token_sees_and_makes_no_tokens(user: User, token_for: Callable[..., str], scopes: Any) -> None:
    weak = Caller(token_for(user, scopes))
    own = ApiToken.objects.get()
    assert weak.client.get(TOKENS).status_code == 403
    assert weak.post({"name": "stronger"}).json()["error"]["code"] == "forbidden"
    assert weak.client.delete(f"{TOKENS}/{own.pk}").status_code == 403
    own.refresh_from_db()
    assert own.revoked_at is None


def test_a_token_makes_none_with_more_scopes(user: User, token_for: Callable[..., str]) -> None:
    manager = Caller(token_for(user, ["manage"]))
    refused = manager.post({"scopes": ["manage", "chat"]})
    assert (refused.status_code, refused.json()["error"]["details"]) == (400, {"field": "scopes"})
    assert manager.post({}).json()["scopes"] == ["manage"]
    assert ApiToken.objects.count() == 2


def test_a_token_makes_none_that_outlives_it(user: User) -> None:
    end = timezone.now() + timedelta(days=1)
    manager = Caller(create_token(user=user, expires_at=end)[1])
    refused = manager.post({"expires_at": (end + timedelta(seconds=1)).isoformat()})
    assert (refused.status_code, refused.json()["error"]["details"]) == (400, {"field": "expires_at"})
    made = [manager.post({}), manager.post({"expires_at": None}), manager.post({"expires_at": end.isoformat()})]
    assert [answer.status_code for answer in made] == [201] * 3
    assert set(ApiToken.objects.values_list("expires_at", flat=True)) == {end}


@pytest.mark.parametrize("path", [ME, TOKENS, f"{TOKENS}/{UUID(int=1)}"])
def test_nobody_is_told_how_the_views_are_written(caller: Caller, path: str) -> None:
    answer = caller.client.options(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", [ME, TOKENS])
def test_head_answers_as_get_without_the_body(caller: Caller, path: str) -> None:
    answer = caller.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_body_that_is_no_object_is_told_so_in_plain_words(caller: Caller) -> None:
    assert caller.post([]).json()["error"]["message"] == "Send one JSON object."


def test_a_session_makes_tokens_too(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.post(TOKENS, {"name": "page"}, content_type="application/json").status_code == 201


def test_a_session_without_its_csrf_token_does_not(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    answer = client.post(TOKENS, {"name": "page"}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"
    assert client.get(TOKENS).status_code == 200


def test_times_are_given_in_utc(caller: Caller) -> None:
    made = caller.post({"expires_at": timezone.now().replace(year=2100).isoformat()}).json()
    assert made["expires_at"].endswith("Z")
