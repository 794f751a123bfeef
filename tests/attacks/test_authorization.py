"""Reaching for what is others', in the whole application. That everybody is refused everywhere else is the matrix's."""

import json
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatserver.accounts.models import User
from chatserver.accounts.services import create_user
from chatserver.ids import new_id
from conversations.models import Message, Run, Thread
from tests.permissions.roles import Role
from tests.permissions.world import SECRET, World, until_ended
from tests.support.inside import Answer
from tests.support.stored import answer, ask, thread_of

R = Role
GOOD = "correct horse battery staple"


def post(world: World, address: str, body: Any, role: Role = R.OWNER_TOKEN, **headers: str) -> Answer:
    carried = {**world.headers(role, changes=True), "Content-Type": "application/json", **headers}
    return world.inside.request("POST", address, headers=carried, body=json.dumps(body).encode())


def get(world: World, address: str, role: Role = R.OWNER_TOKEN, **headers: str) -> Answer:
    return world.inside.request("GET", address, headers={**world.headers(role, changes=False), **headers})


# --- A04: one door to stop a run, behind one gate -------------------------------------------------------------------


def test_nobody_elses_run_is_stopped_through_any_door(world: World) -> None:
    """A04: by stopping it, deleting its thread or message, asking again over it, or leaving its stream."""
    parked, thread = world.filled("<parked_run_id>", R.OWNER), world.filled("<thread_id>", R.OWNER)
    run = Run.objects.get(pk=parked)
    stranger = world.headers(R.OTHER_TOKEN, changes=False)
    doors = [
        ("POST", f"/api/v1/runs/{parked}/cancel", {}),
        ("DELETE", f"/api/v1/threads/{run.thread_id}", None),
        ("DELETE", f"/api/v1/threads/{run.thread_id}/messages/{run.answer_id}", None),
        ("POST", f"/api/v1/threads/{run.thread_id}/runs", {"content": "x", "if_busy": "interrupt"}),
        ("POST", f"/api/v1/threads/{run.thread_id}/runs", {"regenerate": str(run.answer_id)}),
        ("POST", f"/api/v1/runs/{parked}/approvals/{world.filled('<approval_id>', R.OWNER)}", {"decision": "deny"}),
        ("GET", f"/api/v1/runs/{parked}/events", None),
    ]
    for method, address, body in doors:
        carried = {**stranger, **({} if body is None else {"Content-Type": "application/json"})}
        raw = None if body is None else json.dumps(body).encode()
        assert world.inside.request(method, address, headers=carried, body=raw).status == 404, address
    talk = world.inside.talk(
        {"event": "auth", "req": 0, "data": {"token": world.token(R.OTHER_TOKEN)}},
        {"event": "run.cancel", "req": 1, "data": {"run_id": parked}},
        {"event": "subscribe", "req": 2, "data": {"run_id": parked}},
    )
    assert [reply["data"]["code"] for reply in talk.replies[1:]] == ["not_found", "not_found"]
    run.refresh_from_db()
    assert (run.status, Thread.objects.filter(pk=thread).exists()) == ("requires_action", True)
    assert post(world, f"/api/v1/runs/{parked}/cancel", {}).status == 200  # its owner can


def test_a_deleted_thread_is_nowhere_and_comes_back_for_its_owner_alone(world: World) -> None:
    """A04: while it can still be restored, no door leads to it: not for its owner, not for staff, not by its runs."""
    run = ask(User.objects.get(username="ada"), "Wallaby").run
    until_ended(run)
    thread = f"/api/v1/threads/{run.thread_id}"
    owner = world.headers(R.OWNER_TOKEN, changes=False)
    assert get(world, f"/api/v1/runs/{run.pk}").status == 200
    assert world.inside.request("DELETE", thread, headers=owner).status == 204
    doors = [
        *(("GET", f"{thread}{page}", None) for page in ("", "/messages")),
        *(("GET", f"/api/v1/runs/{run.pk}{page}", None) for page in ("", "/events", "?wait=1&after=0")),
        ("POST", f"/api/v1/runs/{run.pk}/cancel", {}),
        ("PATCH", thread, {"pinned": True}),
        ("DELETE", thread, None),
        ("POST", f"{thread}/runs", {"content": "x"}),
        ("DELETE", f"{thread}/messages/{run.answer_id}", None),
        ("POST", "/api/chat", {"message": "x", "thread_id": str(run.thread_id)}),
    ]
    for method, address, body in doors:
        carried = {**owner, "Content-Type": "application/json"}
        raw = None if body is None else json.dumps(body).encode()
        assert world.inside.request(method, address, headers=carried, body=raw).status == 404, address
    mark = str(run.thread_id).encode()
    assert mark not in get(world, "/api/v1/threads").body
    assert mark not in get(world, "/api/v1/search?q=Wallaby").body
    for page in ("thread/", "run/", f"thread/{run.thread_id}/transcript/"):
        seen = get(world, f"/admin/conversations/{page}", R.ADMINISTRATOR)
        assert seen.status == 404 or mark not in seen.body, page
    assert post(world, f"{thread}/restore", {}, R.OTHER_TOKEN).status == 404
    assert post(world, f"{thread}/restore", {}, R.READ).status == 403
    assert post(world, f"{thread}/restore", {}).json["id"] == str(run.thread_id)
    assert post(world, f"{thread}/restore", {}).status == 404
    assert get(world, f"{thread}/messages").status == 200


# --- A07: what is refused costs the same, whether it is there or not ------------------------------------------------


@pytest.mark.parametrize(
    "address", ["threads/{thread}", "threads/{thread}/messages", "runs/{run}", "runs/{run}/events"]
)
@pytest.mark.django_db
def test_not_yours_and_not_there_ask_the_database_the_same(
    user: User, other_user: User, token_for: Any, address: str
) -> None:
    """A07: equal work, and so equal time: the same questions in the same order."""
    run = answer(ask(user, "secret").run)
    client = Client(headers={"Authorization": f"Bearer {token_for(other_user)}"})
    client.get("/api/v1/me")  # the token's first use is noted

    def questions(thread: Any, run: Any) -> list[str]:
        with CaptureQueriesContext(connections["default"]) as asked:
            assert client.get("/api/v1/" + address.format(thread=thread, run=run)).status_code == 404
        shape = [str(question["sql"]) for question in asked.captured_queries]
        return [sql.replace(thread.hex, "ID").replace(run.hex, "ID").replace(str(thread), "ID") for sql in shape]

    theirs, nobodys = questions(run.thread_id, run.pk), questions(new_id(), new_id())
    assert len(theirs) == len(nobodys) > 0
    assert [sql[:60] for sql in theirs] == [sql[:60] for sql in nobodys]


def test_a_cursor_of_another_person_opens_nothing_of_theirs(world: World) -> None:
    """A07: cursors say where to go on, not whose list it is."""
    user = User.objects.get(username="ada")
    for number in range(51):
        thread_of(user, title=f"{SECRET} {number}")
    cursor = get(world, "/api/v1/threads").json["next"]
    assert cursor
    assert SECRET.encode() in get(world, f"/api/v1/threads?cursor={cursor}").body
    assert SECRET.encode() not in get(world, f"/api/v1/threads?cursor={cursor}", R.OTHER_TOKEN).body
    for nonsense in ("x", "%00", "../..", "9" * 500):
        assert get(world, f"/api/v1/threads?cursor={nonsense}").status == 400
        assert get(world, f"/api/v1/search?q=canary&cursor={nonsense}").status == 400


# --- A09: one authenticator, however the token comes ---------------------------------------------------------------


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER  {}", "Bearer\t{}"])
def test_no_way_of_writing_the_header_widens_a_scope(world: World, header: str) -> None:
    """A09: a token that may read cannot write, however it is sent and over whatever transport."""
    carried = {"Authorization": header.format(world.token(R.READ)), "Content-Type": "application/json"}
    for extra in ({}, {"X-HTTP-Method-Override": "GET"}, {"X-Original-Method": "GET"}):
        refused = world.inside.request("POST", "/api/v1/threads", headers=carried | extra, body=b"{}")
        assert refused.status in (401, 403)
    talk = world.inside.talk(
        {
            "event": "message.send",
            "req": 1,
            "data": {"thread_id": world.filled("<thread_id>", R.OWNER), "content": "x"},
        },
        headers={"Authorization": f"Bearer {world.token(R.READ)}"},
    )
    assert talk.replies[0]["data"]["code"] == "forbidden"
    assert post(world, "/api/v1/threads", {}, R.CHAT).status == 201


def test_a_weaker_token_is_not_strengthened_by_a_session_beside_it(world: World) -> None:
    """A09: a token decides alone, on both transports."""
    session = world.headers(R.OWNER, changes=True)
    both = {**session, "Authorization": f"Bearer {world.token(R.READ)}", "Content-Type": "application/json"}
    assert world.inside.request("POST", "/api/v1/threads", headers=both, body=b"{}").status == 403
    frame = {"event": "run.cancel", "req": 1, "data": {"run_id": world.filled("<run_id>", R.OWNER)}}
    assert world.inside.talk(frame, headers=both).replies[0]["data"]["code"] == "forbidden"
    assert (
        world.inside.request(
            "POST", "/api/v1/threads", headers={**session, "Content-Type": "application/json"}, body=b"{}"
        ).status
        == 201
    )


# --- A13: names of connections are made by the server --------------------------------------------------------------


def test_a_client_names_no_connection_and_no_user(world: World) -> None:
    """A13: whatever ids a client makes up for itself, it is who its token says."""
    made_up = {"X-Session-Id": "1", "X-User-Id": world.filled("<id>", R.OWNER), "X-Forwarded-User": "ada"}
    me = get(world, "/api/v1/me", R.OTHER_TOKEN, **made_up).json
    assert me["username"] == "bob"
    first, second = (
        world.inside.talk({"event": "auth", "req": 0, "data": {"token": world.token(R.OTHER_TOKEN)}}) for _ in "ab"
    )
    ids = [
        frame["data"]["session_id"]
        for talk in (first, second)
        for frame in talk.others
        if frame["event"] == "session.ready"
    ]
    assert len({*ids}) == 2
    for name in ("user_id", "session_id", "owner"):
        frame = {
            "event": "auth",
            "req": 0,
            "data": {"token": world.token(R.OTHER_TOKEN), name: world.filled("<id>", R.OWNER)},
        }
        assert world.inside.talk(frame).replies[0]["data"]["code"] == "unknown_field"


# --- A15: mass assignment ------------------------------------------------------------------------------------------

_THREAD = ("owner", "owner_id", "id", "title_by", "created_at", "share_digest", "feed_cursor")
_RUN = (
    *("owner", "status", "seq", "head", "role", "messages", "provider", "attempt", "lane", "waiting"),
    *("finish_reason", "reason"),
)


@pytest.mark.parametrize("field", _THREAD)
def test_a_thread_takes_no_field_that_is_the_servers(world: World, field: str) -> None:
    """A15"""
    for method, address in (
        ("POST", "/api/v1/threads"),
        ("PATCH", world.filled("/api/v1/threads/<thread_id>", R.OWNER)),
    ):
        carried = {**world.headers(R.OWNER_TOKEN, changes=True), "Content-Type": "application/json"}
        refused = world.inside.request(method, address, headers=carried, body=json.dumps({field: "x"}).encode())
        assert (refused.status, refused.json["error"]["code"]) == (400, "unknown_field")
        assert refused.json["error"]["details"]["fields"] == [field]


def test_a_thread_shows_no_message_of_another(world: World) -> None:
    """A15: which message a thread shows may be chosen, among its own, and not when it is made."""
    own, foreign = (world.filled("<message_id>", role, fresh=True) for role in (R.OWNER, R.DEACTIVATED))
    made = post(world, "/api/v1/threads", {"head": own})
    assert (made.status, made.json["error"]["code"]) == (400, "unknown_field")
    carried = {**world.headers(R.OWNER_TOKEN, changes=True), "Content-Type": "application/json"}
    mine = world.filled("/api/v1/threads/<thread_id>", R.OWNER)
    for head, status in ((own, 200), (foreign, 404), ("x", 404)):
        answered = world.inside.request("PATCH", mine, headers=carried, body=json.dumps({"head": head}).encode())
        assert answered.status == status
    assert world.inside.request("GET", mine, headers=carried).json["head"] == own


@pytest.mark.parametrize("field", _RUN)
def test_a_run_takes_no_field_that_is_the_servers(world: World, field: str) -> None:
    """A15: no status, no number, and no role: what a person sends is always a question."""
    refused = post(world, world.filled("/api/v1/threads/<thread_id>/runs", R.OWNER), {"content": "x", field: "system"})
    assert (refused.status, refused.json["error"]["code"]) == (400, "unknown_field")
    assert not Message.objects.exclude(role__in=("user", "assistant")).exists()


def test_a_token_takes_no_field_that_is_the_servers(world: World) -> None:
    """A15"""
    for field in ("user", "user_id", "prefix", "digest", "token", "revoked_at", "is_staff"):
        assert post(world, "/api/v1/tokens", {field: "x"}).json["error"]["code"] == "unknown_field"
    assert post(world, "/api/v1/tokens", {"scopes": ["admin"]}).status == 400


@pytest.fixture
def clerk(staff: User) -> Client:
    """One of the staff who may do everything with people, groups and addresses, and is no administrator."""
    wanted = Permission.objects.filter(content_type__model__in=("user", "group", "emailaddress"))
    staff.user_permissions.add(*wanted)
    client = Client()
    client.force_login(staff)
    return client


@pytest.mark.django_db
def test_who_may_change_people_does_not_become_an_administrator(clerk: Client, staff: User, user: User) -> None:
    """A15: neither of oneself nor of others."""
    for person in (staff, user):
        form = {"username": person.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
        form |= {"user_permissions": Permission.objects.get(codename="read_transcripts").pk}
        clerk.post(f"/admin/accounts/user/{person.pk}/change/", form)
        person = User.objects.get(pk=person.pk)
        assert (person.is_superuser, person.has_perm("conversations.read_transcripts")) == (False, False)
        assert person.is_staff == (person == staff)
    assert clerk.get(f"/admin/accounts/user/{user.pk}/change/").status_code == 200


@pytest.mark.django_db
def test_who_may_change_people_gets_no_hold_of_the_staff(clerk: Client, admin_user: User, user: User) -> None:
    """A15: not by their passwords, their addresses, or by removing them."""
    before = admin_user.password
    form = {"password1": GOOD, "password2": GOOD}
    assert clerk.post(f"/admin/accounts/user/{admin_user.pk}/password/", form).status_code == 403
    assert clerk.post(f"/admin/accounts/user/{admin_user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert clerk.post(f"/admin/accounts/user/{admin_user.pk}/change/", {"email": "mine@example.org"}).status_code == 403
    clerk.post(
        "/admin/accounts/user/", {"action": "delete_selected", "_selected_action": [str(admin_user.pk)], "post": "yes"}
    )
    address = {"user": str(admin_user.pk), "email": "mine@example.org", "verified": "on", "primary": "on"}
    assert clerk.post("/admin/account/emailaddress/add/", address).status_code == 403
    assert clerk.post("/admin/auth/group/add/", {"name": "x"}).status_code == 403
    admin_user.refresh_from_db()
    assert (admin_user.password, admin_user.email) == (before, "root@example.org")
    assert clerk.post(f"/admin/accounts/user/{user.pk}/password/", form).status_code == 302  # what they are there for


@pytest.mark.django_db
def test_who_may_only_look_at_addresses_verifies_none(staff: User, user: User, admin_user: User) -> None:
    """A15: whoever verifies an address gives an account away."""
    address = EmailAddress.objects.create(user=user, email="root@example.org")
    form = {"action": "make_verified", "_selected_action": [address.pk]}
    staff.user_permissions.add(Permission.objects.get(codename="view_emailaddress"))
    for person, done in ((staff, False), (admin_user, True)):
        client = Client()
        client.force_login(person)
        client.post("/admin/account/emailaddress/", form)
        address.refresh_from_db()
        assert address.verified == done


@pytest.mark.django_db
@pytest.mark.parametrize("verified", [True, False])
def test_nobody_adds_another_accounts_address(user: User, other_user: User, verified: bool) -> None:
    """A15: not one that its owner has not confirmed yet, either."""
    EmailAddress.objects.create(user=user, email="ada@example.org", verified=verified, primary=True)
    thief = Client()
    thief.post("/accounts/login/", {"login": "bob", "password": GOOD})
    for address in ("ada@example.org", "ADA@example.org"):
        thief.post("/accounts/email/", {"action_add": "", "email": address})
    assert not EmailAddress.objects.filter(user=other_user, email__iexact="ada@example.org").exists()
    thief.post("/accounts/email/", {"action_add": "", "email": "new@example.org"})
    assert EmailAddress.objects.filter(user=other_user, email="new@example.org").exists()


# --- A17: lists, searches and feeds have nothing of others ---------------------------------------------------------


def test_no_search_list_or_feed_has_anything_of_others(world: World) -> None:
    """A17: whatever is asked for, and also for an administrator by token."""
    for role in (R.OTHER_TOKEN, R.ADMINISTRATOR_TOKEN, R.READER):
        for address in (
            f"threads?q={SECRET}",
            f"search?q={SECRET}",
            "threads?archived=1",
            "access-records",
            "tokens",
            "models",
            "me",
        ):
            told = get(world, f"/api/v1/{address}", role)
            assert (told.status, SECRET.encode() in told.body) == (200, False), address
        talk = world.inside.talk(
            {"event": "subscribe", "req": 1, "data": {"feed": True, "after": 0}},
            {"event": "ping", "req": 2},
            headers={**world.headers(role, changes=False), "Origin": "http://localhost"},
        )
        assert SECRET not in str(talk)
    for address in ("threads", "search"):
        assert SECRET.encode() in get(world, f"/api/v1/{address}?q={SECRET}").body


@pytest.mark.django_db
def test_a_name_taken_in_another_shape_is_taken() -> None:
    """A18 beside the set-up link: nobody signs up as somebody by look-alikes of the same letters."""
    create_user(username="ada", password=GOOD)
    for name in ("Ada", "ａｄａ", "a\u200bda".replace("\u200b", "")):
        assert (
            Client().post("/accounts/signup/", {"username": name, "password1": GOOD, "password2": GOOD}).status_code
            == 200
        )
    assert User.objects.count() == 1
