"""Sessions, origins and headers, in the whole application: what every answer carries, and what it must not."""

import json
from http.cookies import SimpleCookie
from typing import Any

import pytest

from tests.permissions.roles import Role
from tests.permissions.table import ACCOUNT_PAGES, CALLS, MODELS, PAGES, SITE
from tests.permissions.world import SECRET, World
from tests.support.inside import Answer

R = Role
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# But the frame of diagrams, which has a policy of its own.
READS = [
    row
    for row in (*CALLS, *PAGES, *ACCOUNT_PAGES, *SITE)
    if row.method == "GET" and "(?P" not in row.address and row.address != "diagram"
]


def check(answer: Answer, *, private: bool, api: bool) -> None:
    assert {name: answer.header(name) for name in SAFE} == SAFE
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    # But for a file, which comes with its name.
    assert SECRET not in str([(name, value) for name, value in answer.headers if name != "content-disposition"])
    assert answer.header("access-control-allow-origin") == ""
    if private or api:
        assert "no-store" in answer.header("cache-control")
        assert "Cookie" in answer.header("vary")
    for _, value in filter(lambda header: header[0] == "set-cookie", answer.headers):
        for name, cookie in SimpleCookie(value).items():
            assert (cookie["samesite"], cookie["domain"], cookie["path"]) == ("Lax", "", "/")
            assert cookie["httponly"] or name == "csrf"


@pytest.mark.parametrize("row", READS, ids=lambda row: row.name)
@pytest.mark.parametrize("role", [R.OWNER, R.OWNER_TOKEN, R.ADMINISTRATOR, R.NOBODY])
def test_every_answer_carries_the_headers_of_safety(world: World, row: Any, role: Role) -> None:
    """A25, A27, A28: of every address, to everybody; none that is somebody's may be kept by a cache."""
    headers = {**row.headers, **world.headers(role, changes=False)}
    address = "/" + world.filled(row.address, role) + row.query
    answer = world.inside.request("GET", address, headers=headers, parts=2 * row.endless)
    check(answer, private=role is not R.NOBODY, api=row.address.startswith("api/"))


def test_the_frame_of_a_diagram_can_be_framed_by_our_pages_alone_and_reach_nothing(world: World) -> None:
    """A39: it may style itself, has no origin, and is the same for everybody."""
    for role in (R.OWNER, R.NOBODY):
        answer = world.inside.request("GET", "/diagram", headers=world.headers(role, changes=False))
        framed = SAFE | {"x-frame-options": "SAMEORIGIN"}
        assert {name: answer.header(name) for name in SAFE} == {name: framed[name] for name in SAFE}
        policy = answer.header("content-security-policy").split("; ")
        assert policy[0] == "default-src 'none'"
        assert {"script-src 'self'", "frame-ancestors 'self'", "sandbox allow-scripts"} <= set(policy)
        assert answer.header("set-cookie") == ""
        assert SECRET.encode() not in answer.body


@pytest.mark.parametrize("name", MODELS)
def test_the_pages_of_the_administration_carry_them_too(world: World, name: str) -> None:
    """A25, A28"""
    answer = world.inside.request("GET", f"/admin/{name}/", headers=world.headers(R.ADMINISTRATOR, changes=False))
    assert answer.status == 200
    check(answer, private=True, api=False)


@pytest.mark.parametrize(
    ("method", "address", "extra", "status"),
    [
        ("GET", "/api/nothing", {}, 404),
        ("GET", "/nothing", {}, 404),
        ("DELETE", "/api/v1/models", {}, 405),
        ("DELETE", "/settings", {}, 405),
        ("POST", "/api/v1/threads", {"Content-Type": "application/json", "Content-Length": "99999999"}, 413),
        ("GET", "/api/v1/me?" + "a" * 9000, {}, 414),
        ("GET", "/api/v1/me", {f"X-{number}": "x" for number in range(101)}, 431),
        ("POST", "/api/v1/threads", {"Content-Type": "text/plain"}, 415),
        ("GET", "/api/v1/me", {"Host": "evil.example"}, 400),
        ("GET", "/api/v1/threads?cursor=x", {}, 400),
    ],
)
def test_answers_of_errors_carry_them_too(
    world: World, method: str, address: str, extra: dict[str, str], status: int
) -> None:
    """A25, A28: (500 is asked in tests/chatserver/test_edge_headers.py, which has a view that fails.)"""
    body = b"{}" if extra.get("Content-Type") == "text/plain" else None
    answer = world.inside.request(method, address, headers={**world.headers(R.OWNER, changes=True), **extra}, body=body)
    assert answer.status == status
    assert {name: answer.header(name) for name in SAFE} == SAFE
    assert "default-src 'none'" in answer.header("content-security-policy")
    if address.startswith("/api") and status != 413:
        assert "no-store" in answer.header("cache-control")


ORIGINS = [
    "null",
    "https://localhost",
    "http://localhost:8000",
    "http://evil.localhost",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "http://LOCALHOST.",
    "file://",
    "",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_only_our_own_origin_uses_a_session(world: World, origin: str) -> None:
    """A19, A20, A21: on the socket and over HTTP, from a sibling, another port, another scheme, or nowhere."""
    cookie = world.headers(R.OWNER, changes=False)
    talk = world.inside.talk(headers={**cookie, **({"Origin": origin} if origin else {})}, patience=True)
    assert (talk.close_code, talk.others) == (4403, [])
    if origin:
        forged = {**world.headers(R.OWNER, changes=True), "Origin": origin, "Content-Type": "application/json"}
        assert world.inside.request("POST", "/api/v1/threads", headers=forged, body=b"{}").status == 403
        assert world.inside.request("POST", "/api/chat/stream", headers=forged, body=b'{"message": "x"}').status == 403
    own = {**world.headers(R.OWNER, changes=True), "Content-Type": "application/json"}
    assert world.inside.request("POST", "/api/v1/threads", headers=own, body=b"{}").status == 201
    frame = {"event": "ping", "req": 1}
    assert world.inside.talk(frame, headers={**cookie, "Origin": "http://localhost"}).replies[0]["event"] == "pong"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_of_another_site_counts(world: World, site: str) -> None:
    """A21: also where the token of the form had been stolen, and the origin is ours to look at."""
    carried = {**world.headers(R.OWNER, changes=True), "Content-Type": "application/json", "Sec-Fetch-Site": site}
    assert world.inside.request("POST", "/api/v1/threads", headers=carried, body=b"{}").status == 403
    carried["Sec-Fetch-Site"] = "same-origin"
    assert world.inside.request("POST", "/api/v1/threads", headers=carried, body=b"{}").status == 201


# --- text that would be something else -----------------------------------------------------------------------------

HOSTILE = "line\r\nX-Evil: 1\r\n\r\ndata: {}\n\nid: 7\nevent: error\x00\x1b[31m\ud800\u2028\u202e end"


def test_no_text_of_a_person_forges_a_header_an_event_or_a_line(world: World) -> None:
    """A49, A50, A53: through title, question and key, to every transport."""
    carried = {**world.headers(R.OWNER_TOKEN, changes=False), "Content-Type": "application/json"}
    made = world.inside.request(
        "POST",
        "/api/v1/threads",
        headers=carried,
        body=json.dumps({"title": HOSTILE, "system_prompt": HOSTILE}).encode(),
    )
    assert made.status == 201
    assert not {"\x00", "\ud800", "\r"} & set(made.json["title"])
    sent = world.inside.request(
        "POST",
        f"/api/v1/threads/{made.json['id']}/runs",
        headers={**carried, "Accept": "text/event-stream"},
        body=json.dumps({"content": HOSTILE}).encode(),
    )
    assert sent.status == 200
    lines = sent.body.decode("ascii").split("\n")
    assert {line.partition(":")[0] for line in lines} == {"", "id", "event", "data", "retry"}
    assert [line for line in lines if line.startswith("id: ")] == [
        f"id: {number}" for number in range(1, sum(line.startswith("id: ") for line in lines) + 1)
    ]
    assert all("evil" not in f"{name}{value}".lower() for name, value in (*made.headers, *sent.headers))
    for key in ("a\nb", "a\x00b", "x" * 201, ""):
        refused = world.inside.request(
            "POST", "/api/v1/threads", headers=carried, body=json.dumps({"idempotency_key": key}).encode()
        )
        assert refused.status == 400


TOO_MUCH: list[tuple[str, str, Any]] = [
    ("POST", "/api/v1/threads", {"title": "x" * 201}),
    ("POST", "/api/v1/threads", {"system_prompt": "x" * 32_001}),
    ("POST", "/api/v1/threads", {"model": "x" * 201}),
    ("POST", "/api/v1/threads", {"parameters": {"stop": ["x" * 9000]}}),
    ("PATCH", "/api/v1/threads/<thread_id>", {"tags": ["x"] * 21}),
    ("PATCH", "/api/v1/threads/<thread_id>", {"tags": ["x" * 51]}),
    ("POST", "/api/v1/threads/<thread_id>/runs", {"content": "x" * 400_001}),
    ("POST", "/api/v1/threads/<thread_id>/runs", {"content": "x", "tools": ["x"] * 101}),
    ("POST", "/api/v1/threads/<thread_id>/runs", {"content": "x", "models": ["a", "b", "c", "d", "e"]}),
    ("POST", "/api/v1/threads/<thread_id>/runs", {"content": "x", "attachments": ["x"] * 11}),
    ("POST", "/api/v1/threads/<thread_id>/runs", {"content": "x", **{f"f{number}": 1 for number in range(5000)}}),
    ("POST", "/api/v1/tokens", {"name": "x" * 101}),
    ("POST", "/api/v1/tokens", {"scopes": ["read"] * 5_000}),
]


@pytest.mark.parametrize(
    ("method", "address", "body"), TOO_MUCH, ids=[f"{m} {a} {str(b)[:25]}" for m, a, b in TOO_MUCH]
)
def test_what_is_too_much_is_refused_with_a_clear_error(world: World, method: str, address: str, body: Any) -> None:
    """A73: by field, at the edge of what is allowed."""
    carried = {**world.headers(R.OWNER_TOKEN, changes=False), "Content-Type": "application/json"}
    where = world.filled(address, R.OWNER)
    answer = world.inside.request(method, where, headers=carried, body=json.dumps(body).encode())
    error = answer.json["error"]
    assert (answer.status, error["code"]) in ((400, "invalid_request"), (400, "unknown_field"))
    assert error["message"]
    assert len(answer.body) < 3000


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "1" * 6000, "NaN", '{"a": 1e999}', '{"title": "\\ud800"', '{"a":' * 40 + "1" + "}" * 40]
)
def test_json_that_is_none_is_refused(world: World, text: str) -> None:
    """A73: depth, digits and what is no number."""
    carried = {**world.headers(R.OWNER_TOKEN, changes=False), "Content-Type": "application/json"}
    for address in ("/api/v1/threads", "/api/chat", "/api/v1/tokens"):
        answer = world.inside.request("POST", address, headers=carried, body=text.encode())
        assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_json")


def test_lists_come_in_pages_whatever_is_asked(world: World) -> None:
    """A73"""
    carried = world.headers(R.OWNER_TOKEN, changes=False)
    for query in ("", "?limit=100000", "?page_size=100000", "?size=9999"):
        told = world.inside.request("GET", f"/api/v1/threads{query}", headers=carried)
        assert len(told.json["results"]) <= 50
    long = world.inside.request("GET", f"/api/v1/threads?q={'x' * 201}", headers=carried)
    assert (long.status, long.json["error"]["details"]) == (400, {"field": "q"})
