from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from chatserver.accounts.groups import groups_of
from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.principal import principal_of_session_key, principal_of_token
from chatserver.accounts.rechecking import recheck
from chatserver.accounts.services import revoke_token

pytestmark = pytest.mark.django_db
TokenFor = Callable[..., str]


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["session"].value


def test_a_token_gives_its_scopes_and_no_others(user: User, token_for: TokenFor) -> None:
    principal = principal_of_token(token_for(user, ["read", "chat"]))
    assert principal is not None
    assert (principal.user_id, principal.via, principal.session_key) == (user.pk, "token", None)
    assert principal.allows("read")
    assert principal.allows("chat")
    assert not principal.allows("manage")


def test_a_session_has_all_scopes(user: User) -> None:
    key = session_of(user)
    principal = principal_of_session_key(key)
    assert principal is not None
    assert (principal.via, principal.session_key, principal.token_id) == ("session", key, None)
    assert principal.allows("manage")


@pytest.mark.parametrize("key", ["", "x" * 32, "no such session"])
def test_a_made_up_session_key_is_nobody(user: User, key: str) -> None:
    assert principal_of_session_key(key) is None


def test_an_anonymous_session_is_nobody(client: Client) -> None:
    session = client.session
    session["theme"] = "dark"
    session.save()
    assert principal_of_session_key(session.session_key or "") is None


def test_an_expired_session_is_nobody(user: User) -> None:
    key = session_of(user)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert principal_of_session_key(key) is None


def test_a_new_password_ends_older_sessions(user: User) -> None:
    key = session_of(user)
    user.set_password("another good password")
    user.save()
    assert principal_of_session_key(key) is None


def test_the_same_prefix_with_another_secret_is_nobody(user: User, token_for: TokenFor) -> None:
    token = token_for(user)
    assert principal_of_token(token) is not None
    assert principal_of_token(token[:-1] + ("A" if token[-1] != "A" else "B")) is None


def test_a_token_costs_one_query_and_one_more_a_minute(
    user: User, token_for: TokenFor, django_assert_num_queries: Any
) -> None:
    token = token_for(user)
    principal_of_token(token)
    with django_assert_num_queries(1):
        principal_of_token(token)


def test_the_last_use_is_written_at_most_once_a_minute(user: User, token_for: TokenFor) -> None:
    token = token_for(user)
    principal_of_token(token)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    principal_of_token(token)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    principal_of_token(token)
    assert ApiToken.objects.get().last_used_at > first - timedelta(seconds=1)  # type: ignore[operator]


def test_a_bad_token_is_not_noted_as_used(user: User, token_for: TokenFor) -> None:
    principal_of_token(token_for(user) + "x")
    assert ApiToken.objects.get().last_used_at is None


def test_rechecking_keeps_those_who_still_may(user: User, other_user: User, token_for: TokenFor) -> None:
    mine, theirs = principal_of_token(token_for(user)), principal_of_session_key(session_of(other_user))
    assert mine is not None
    assert theirs is not None
    assert recheck([mine, theirs]) == {mine: mine, theirs: theirs}


def test_rechecking_many_costs_three_queries(
    user: User, other_user: User, token_for: TokenFor, django_assert_num_queries: Any
) -> None:
    found = [principal_of_token(token_for(user)) for _ in range(3)]
    found += [principal_of_session_key(session_of(each)) for each in (user, other_user)]
    with django_assert_num_queries(3):
        recheck([each for each in found if each is not None])


def test_rechecking_sees_every_way_to_lose_a_token(user: User, token_for: TokenFor) -> None:
    principal = principal_of_token(token_for(user))
    assert principal is not None
    for lost, back in [
        ({"expires_at": timezone.now()}, {"expires_at": None}),
        ({"revoked_at": timezone.now()}, {"revoked_at": None}),
    ]:
        ApiToken.objects.update(**lost)
        assert recheck([principal]) == {principal: None}
        ApiToken.objects.update(**back)
        assert recheck([principal]) == {principal: principal}
    User.objects.update(is_active=False)
    assert recheck([principal]) == {principal: None}


def test_rechecking_sees_every_way_to_lose_a_session(user: User) -> None:
    principal = principal_of_session_key(session_of(user))
    assert principal is not None
    User.objects.update(is_active=False)
    assert recheck([principal]) == {principal: None}
    User.objects.update(is_active=True)
    assert recheck([principal]) == {principal: principal}
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert recheck([principal]) == {principal: None}
    Session.objects.update(expire_date=timezone.now() + timedelta(days=1))
    assert recheck([principal]) == {principal: principal}
    User.objects.update(password="!")
    assert recheck([principal]) == {principal: None}
    Session.objects.all().delete()
    assert recheck([principal]) == {principal: None}


def test_rechecking_sees_a_lost_role(staff: User) -> None:
    principal = principal_of_session_key(session_of(staff))
    assert principal is not None
    assert principal.is_staff
    User.objects.update(is_staff=False)
    now = recheck([principal])[principal]
    assert now is not None
    assert not now.is_staff


def test_revoking_twice_changes_once(user: User, token_for: TokenFor) -> None:
    token_for(user)
    token = ApiToken.objects.get()
    assert revoke_token(token) is True
    when = token.revoked_at
    assert revoke_token(token) is False
    assert token.revoked_at == when


def test_groups_and_rank_are_told_on_every_way_in_by_the_statements_that_are_asked_anyway(
    user: User, other_user: User, token_for: TokenFor, django_assert_num_queries: Any
) -> None:
    names = frozenset({"research", 'a "group", with {marks}'})
    text, key, others = token_for(user), session_of(user), token_for(other_user)
    principal_of_token(text)  # the use of a token is noted once a minute
    for held, is_superuser in ((frozenset(), False), (names, True)):
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in held])
        User.objects.filter(pk=user.pk).update(is_superuser=is_superuser)
        with django_assert_num_queries(1):
            by_token = principal_of_token(text)
        with django_assert_num_queries(2):  # the session, and whose it is
            by_session = principal_of_session_key(key)
        assert by_token is not None
        assert by_session is not None
        for principal in (by_token, by_session):
            assert (principal.groups, principal.is_superuser) == (held, is_superuser)
    before = {by_token, by_session}
    user.groups.clear()
    with django_assert_num_queries(3):
        now = recheck(before)
    assert [each.groups for each in now.values() if each is not None] == [frozenset(), frozenset()]
    theirs = principal_of_token(others)
    assert theirs is not None
    assert theirs.groups == frozenset()


def test_who_was_found_in_another_way_is_asked_for_their_groups(user: User) -> None:
    user.groups.add(Group.objects.create(name="research"))
    assert groups_of(user) == {"research"}
