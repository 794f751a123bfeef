"""Every address, by everybody: who may gets through, and who may not is refused by the gate that should."""

import json
from typing import Any

import pytest

from chatserver.ids import new_id
from tests.permissions.roles import STRANGERS, Role, Verdict
from tests.permissions.table import ACCOUNT_PAGES, ASKS_TO_SIGN_IN, CALLS, PAGES, Row
from tests.permissions.world import SECRET, World, nonsense, unknown
from tests.support.files import form
from tests.support.inside import Answer

STATUS: dict[str, int] = {
    "sign_in": 401,
    "token": 401,
    "scope": 403,
    "csrf": 403,
    "origin": 403,
    "media_type": 415,
    "thread": 404,
    "run": 404,
    "own_token": 404,
    "own_session": 404,
    "staff": 403,
    "right": 403,
    "attachment": 404,
}
NOT_THERE = ("thread", "run", "own_token", "own_session", "attachment")
FORMS = "application/x-www-form-urlencoded"
CELLS = [(row, role, verdict) for row in (*CALLS, *PAGES) for role, verdict in row.policy.items()]
PAGE_CELLS = [(row, role, verdict) for row in ACCOUNT_PAGES for role, verdict in row.policy.items()]


def named(cell: Any) -> str | None:
    return cell.name if isinstance(cell, Row) else str(cell)


def ask(world: World, row: Row, role: Role, *, address: str | None = None) -> Answer:
    """The row's request as ``role``; to another address, if one is given."""
    changes = row.method not in ("GET", "HEAD")
    headers = {**row.headers, **world.headers(role, changes=changes)}
    body = None
    if row.body is not None:
        text = json.dumps(row.body)
        body = (world.filled(text, role, fresh=row.fresh) if address is None else unknown(text)).encode()
        headers["Content-Type"] = "application/json"
    if row.file is not None:
        body, headers["Content-Type"] = form(row.file)
    filled = world.filled(row.address, role, fresh=row.fresh) if address is None else address
    world.gates.taken()
    return world.inside.request(row.method, f"/{filled}{row.query}", headers=headers, body=body, parts=2 * row.endless)


@pytest.mark.parametrize(("row", "role", "verdict"), CELLS, ids=named)
def test_who_may_and_who_may_not(world: World, row: Row, role: Role, verdict: Verdict) -> None:
    answer = ask(world, row, role)
    gates = world.gates.taken()
    if verdict == "yes":
        assert (answer.status in row.ok, gates) == (True, []), answer.body
        assert role not in STRANGERS or SECRET.encode() not in answer.body
        return
    assert gates == [verdict]
    assert SECRET.encode() not in answer.body
    if answer.status == 302:  # a page asks to sign in
        assert (verdict, answer.header("Location").partition("?")[0]) == ("sign_in", "/accounts/login/")
        return
    assert answer.status == STATUS[verdict]
    if verdict in NOT_THERE:
        there = [unknown(row.address)] if "uuid" in row.address else [unknown(row.address), nonsense(row.address)]
        for address in there:
            assert ask(world, row, role, address=address) == answer, "not yours and not there differ"


@pytest.mark.parametrize(("row", "role", "verdict"), PAGE_CELLS, ids=named)
def test_who_may_use_the_pages_of_accounts(world: World, row: Row, role: Role, verdict: Verdict) -> None:
    changes = row.method == "POST"
    headers = world.headers(role, changes=changes, fresh=row.fresh)
    body = None
    if changes:
        headers["Content-Type"] = FORMS
        body = b"login=ada&password=wrong"
    address = row.address.replace("accounts/^confirm-email/(?P<key>[-:\\w]+)/$", "accounts/confirm-email/key/")
    if "uidb36" in address:
        address = "accounts/password/reset/key/1-key/"
    world.gates.taken()
    answer = world.inside.request(row.method, f"/{address}", headers=headers, body=body)
    gates = world.gates.taken()
    if verdict == "yes":
        assert (answer.status in row.ok, gates) == (True, []), answer.body
    else:
        assert (answer.status, gates) == (STATUS[verdict], [verdict])


@pytest.mark.parametrize("address", ASKS_TO_SIGN_IN)
@pytest.mark.parametrize("role", [Role.NOBODY, Role.DEACTIVATED, Role.OWNER_TOKEN])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_is_not_signed_in_has_no_account_to_look_after(world: World, address: str, role: Role, method: str) -> None:
    headers = world.headers(role, changes=method == "POST")
    answer = world.inside.request(method, f"/{address}", headers=headers)
    assert (answer.status, answer.header("Location").partition("?")[0]) == (302, "/accounts/login/")


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS")
_OFFERED: dict[str, set[str]] = {}
for each in (*CALLS, *PAGES):
    _OFFERED.setdefault(each.address, set()).add(each.method)


@pytest.mark.parametrize("address", _OFFERED)
def test_a_method_that_has_no_row_is_not_there(world: World, address: str) -> None:
    for method in (each for each in _METHODS if each not in _OFFERED[address]):
        headers = world.headers(Role.OWNER, changes=True)
        answer = world.inside.request(method, "/" + world.filled(address, Role.OWNER), headers=headers)
        assert answer.status == 405, method
        assert set(filter(None, answer.header("Allow").split(", "))) - {"HEAD", "OPTIONS"} == _OFFERED[address], method


@pytest.mark.parametrize("field", ["parent_id", "edit", "regenerate"])
def test_a_message_of_somebody_elses_thread_is_not_in_this_one(world: World, field: str) -> None:
    theirs = world.inside.request(
        "GET", "/" + world.filled("api/v1/threads/<thread_id>/messages", Role.OWNER), headers=bearer(world, Role.READ)
    ).json["results"]
    mine = world.inside.request("POST", "/api/v1/threads", headers=bearer(world, Role.OTHER_TOKEN), body=b"{}").json[
        "id"
    ]
    for message in theirs:
        body = {field: message["id"], **({} if field == "regenerate" else {"content": "Why?"})}
        world.gates.taken()
        refused = world.inside.request(
            "POST",
            f"/api/v1/threads/{mine}/runs",
            headers=bearer(world, Role.OTHER_TOKEN),
            body=json.dumps(body).encode(),
        )
        assert (refused.status, world.gates.taken()) == (404, ["message"])


def test_a_file_of_somebody_elses_goes_with_no_message_of_mine(world: World) -> None:
    headers = bearer(world, Role.OTHER_TOKEN)
    mine = world.inside.request("POST", "/api/v1/threads", headers=headers, body=b"{}").json["id"]
    answers = []
    for named in (world.filled("<attachment_id>", Role.OWNER), str(new_id())):
        body = {"content": "Why?", "attachments": [named]}
        world.gates.taken()
        refused = world.inside.request(
            "POST", f"/api/v1/threads/{mine}/runs", headers=headers, body=json.dumps(body).encode()
        )
        assert (refused.status, world.gates.taken()) == (400, ["attachment"])
        answers.append(refused.body.replace(named.encode(), b"the id"))
        frame = {"event": "message.send", "req": "asked", "data": {**body, "thread_id": mine}}
        auth = {"event": "auth", "req": "auth", "data": {"token": world.token(Role.OTHER_TOKEN)}}
        (_, refusal) = world.inside.talk(auth, frame).replies
        assert (refusal["event"], refusal["data"]["code"]) == ("error", "attachment_unknown")
    assert answers[0] == answers[1], "not yours and not there differ"


def test_a_run_of_ones_own_does_not_open_what_another_asks(world: World) -> None:
    address = world.filled("/api/v1/runs/<run_id>/approvals/<approval_id>", Role.OWNER)
    world.gates.taken()
    refused = world.inside.request(
        "POST", address, headers=bearer(world, Role.OWNER_TOKEN), body=b'{"decision": "deny"}'
    )
    assert (refused.status, world.gates.taken()) == (404, ["approval"])


def test_a_sessions_body_is_no_form_of_another_page(world: World) -> None:
    headers = world.headers(Role.OWNER, changes=True)
    for kind in ("text/plain", FORMS, "multipart/form-data; boundary=x"):
        world.gates.taken()
        refused = world.inside.request("POST", "/api/v1/threads", headers=headers | {"Content-Type": kind}, body=b"{}")
        assert (refused.status, world.gates.taken()) == (415, ["media_type"])


def bearer(world: World, role: Role) -> dict[str, str]:
    return {**world.headers(role, changes=False), "Content-Type": "application/json"}
