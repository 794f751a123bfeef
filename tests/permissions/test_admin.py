"""The administration: every list, row, form and action of every model, by all kinds of staff and by everybody else."""

from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group

from chatserver.accounts.models import ApiToken, Invitation, User
from chatserver.accounts.services import create_invitation
from conversations.models import AccessRecord, ModelAlias, ModelPull, ModelServer, Run, Thread
from tests.permissions.roles import Role, Verdict, staff
from tests.permissions.table import MODELS, SITE, Model, Row
from tests.permissions.world import SECRET, World
from tests.support.inside import Answer

R = Role
STAFF = (R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)
REFUSED = {"right": 403, "transcript": 403, "token": 401}
OUTSIDE = (R.OWNER, R.ADMINISTRATOR_TOKEN, R.NOBODY)
SITE_CELLS = [(row, role, verdict) for row in SITE for role, verdict in row.policy.items()]
PAGES = [(name, page) for name in MODELS for page in ("", "add/", "history/", "delete/", "change/")]
ACTIONS = [(name, action) for name, model in MODELS.items() for action in model.actions]


def may_see_page(model: Model, page: str) -> tuple[Role, ...]:
    one = model.see if model.row is None else model.row
    return {"": model.see, "history/": model.see, "add/": model.add, "delete/": model.delete, "change/": one}[page]


def check(answer: Answer, gates: list[str], verdict: Verdict) -> None:
    assert gates[:1] == [verdict]
    if verdict in ("staff", "sign_in"):
        where = answer.header("Location").partition("?")[0]
        assert (answer.status, where) in ((302, "/admin/login/"), (302, "/accounts/login/")), answer
    else:
        assert answer.status == REFUSED[verdict]


def named(cell: Any) -> str | None:
    return cell.name if isinstance(cell, Row) else None


@pytest.fixture(scope="module")
def rows(world: World) -> dict[str, str]:
    """The id of one row of each model; where none must be shown, of the owner's."""
    ada = User.objects.get(username="ada")
    sam = User.objects.get(username="sam")
    thread = Thread.objects.get(pk=world.filled("<thread_id>", R.OWNER))
    record = AccessRecord.objects.create(
        staff=sam,
        staff_name="sam",
        owner=ada,
        owner_name="ada",
        thread_id=thread.pk,
        reason="to see",
        thread_title=SECRET,
    )
    found = {
        "auth/group": Group.objects.create(name="group"),
        "account/emailaddress": EmailAddress.objects.create(user=ada, email="ada@example.org"),
        "accounts/user": ada,
        "accounts/apitoken": ApiToken.objects.filter(user=ada).first(),
        "accounts/invitation": create_invitation(created_by=None)[0],
        "conversations/accessrecord": record,
        "conversations/modelalias": ModelAlias.objects.create(name="fast", target="office/m"),
        "conversations/modelserver": ModelServer.objects.create(
            name="office", kind="ollama", url="http://127.0.0.1:9", managed=True, enabled=False
        ),
        "conversations/modelpull": ModelPull.objects.create(server="ollama", model="x:1", status="done"),
        "conversations/run": Run.objects.get(pk=world.filled("<run_id>", R.OWNER)),
        "conversations/thread": thread,
    }
    return {name: str(row.pk) for name, row in found.items() if row is not None}


@pytest.mark.parametrize(("row", "role", "verdict"), SITE_CELLS, ids=named)
def test_the_pages_of_the_site(world: World, row: Row, role: Role, verdict: Verdict) -> None:
    world.gates.taken()
    answer = world.inside.request("GET", f"/{row.address}", headers=world.headers(role, changes=False))
    gates = world.gates.taken()
    if verdict == "yes":
        assert (answer.status, gates) == (200, [])
    else:
        check(answer, gates, verdict)


@pytest.mark.parametrize(("name", "page"), PAGES)
def test_who_may_see_the_pages_of_a_model(world: World, rows: dict[str, str], name: str, page: str) -> None:
    model = MODELS[name]
    may = may_see_page(model, page)
    below = page if page in ("", "add/") else f"{rows[name]}/{page}"
    for role, verdict in staff(*may, gate=model.row_gate if page == "change/" else "right").items():
        world.gates.taken()
        answer = world.inside.request("GET", f"/admin/{name}/{below}", headers=world.headers(role, changes=False))
        gates = world.gates.taken()
        if verdict == "yes":
            assert (answer.status in (200, 302), gates) == (True, []), role
            told = SECRET.encode() in answer.body and name.startswith("conversations/")
            assert not told or role in (R.READER, R.ADMINISTRATOR), role
        else:
            check(answer, gates, verdict)


@pytest.mark.parametrize("name", MODELS)
def test_a_row_is_changed_and_removed_by_those_only_who_may(world: World, rows: dict[str, str], name: str) -> None:
    model = MODELS[name]
    for page, may in (
        ("add/", model.add),
        (f"{rows[name]}/change/", model.change),
        (f"{rows[name]}/delete/", model.delete),
    ):
        for role in (*STAFF, *OUTSIDE):
            if role in (*may, *(model.row or ())):
                continue  # the positive control is that this page is shown, and the tests beside the admin's code
            before = state()
            headers = world.headers(role, changes=True) | {"Content-Type": "application/x-www-form-urlencoded"}
            answer = world.inside.request("POST", f"/admin/{name}/{page}", headers=headers, body=b"post=yes")
            assert answer.status in (302, 401, 403), (page, role)
            # A token meets Django's own CSRF check in front of every form of the administration; it has no gate's name.
            assert world.gates.taken() or role is R.ADMINISTRATOR_TOKEN, (page, role)
            assert state() == before, (page, role)


@pytest.mark.parametrize(("name", "action"), ACTIONS)
def test_an_action_is_offered_and_done_for_those_only_who_may(
    world: World, rows: dict[str, str], name: str, action: str
) -> None:
    may = MODELS[name].actions[action]
    form = urlencode({"action": action, "_selected_action": rows[name], "index": 0}).encode()
    for role in (*STAFF, *OUTSIDE):
        headers = world.headers(role, changes=True) | {"Content-Type": "application/x-www-form-urlencoded"}
        if role in may:
            shown = world.inside.request("GET", f"/admin/{name}/", headers=headers).body.decode()
            assert f'value="{action}"' in shown
            continue
        before = state()
        world.gates.taken()
        answer = world.inside.request("POST", f"/admin/{name}/", headers=headers, body=form)
        assert answer.status in ((200,) if role in MODELS[name].see else (302, 403)), role
        assert f'value="{action}"' not in answer.body.decode(), role
        assert state() == before, role


BESIDE = [
    (name, page, role, verdict)
    for name, model in MODELS.items()
    for page, policy in model.pages.items()
    for role, verdict in policy.items()
]


@pytest.mark.parametrize(("name", "page", "role", "verdict"), BESIDE)
def test_the_pages_beside_the_usual_ones(world: World, name: str, page: str, role: Role, verdict: Verdict) -> None:
    address = f"/admin/{name}/{world.filled(page, R.OWNER)}"
    world.gates.taken()
    answer = world.inside.request("GET", address, headers=world.headers(role, changes=False))
    gates = world.gates.taken()
    assert SECRET.encode() not in answer.body or role in (R.READER, R.ADMINISTRATOR)
    if verdict == "yes":
        assert (answer.status, gates) == (200, [])
    else:
        check(answer, gates, verdict)


def state() -> dict[str, int]:
    """How many rows there are of each model, and how the tokens and the owner stand."""
    counts = {model.__name__: model._default_manager.count() for model in admin.site._registry}
    return counts | {
        "revoked": ApiToken.objects.exclude(revoked_at=None).count(),
        "verified": EmailAddress.objects.filter(verified=True).count(),
        "active": User.objects.filter(is_active=True).count(),
        "invitations": Invitation.objects.filter(used_at=None).count(),
    }
