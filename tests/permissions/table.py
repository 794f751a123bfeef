"""The permission matrix: everything that can be asked of the server, and who may.

One row for each call, frame, event and page of the administration. What has no row here fails ``test_complete.py``:
who adds an address, a frame or an event says here whose it is. ``roles.py`` has the policies, ``world.py`` what the
placeholders in an address stand for.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from chatserver.gates import Gate
from tests.permissions.roles import (
    Policy,
    Role,
    administrators,
    administrators_page,
    by_token,
    form,
    mine,
    owned,
    public,
    signed_in_page,
    staff,
)

R = Role
SSE = {"Accept": "text/event-stream"}
ASK = {"content": "Why?"}
TREE = "<thread_id>"
FILE = "<attachment_id>"


@dataclass(frozen=True, kw_only=True)
class Row:
    """``fresh``: the act uses its thread or token up. ``ok``: the statuses of a yes."""

    method: str
    address: str
    policy: Policy
    ok: tuple[int, ...] = (200,)
    body: Any = None
    file: bytes | None = None  # sent as the one file of a form
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    endless: bool = False  # a stream that ends with its connection only

    @property
    def name(self) -> str:
        stream = " (stream)" if self.headers else ""
        return f"{self.method} /{self.address}{self.query}{stream}"


def call(method: str, address: str, policy: Policy, *ok: int, **more: Any) -> Row:
    return Row(method=method, address=address, policy=policy, ok=ok or (200,), **more)


_THREAD = "api/v1/threads/<thread_id>"
_RUN = "api/v1/runs/<run_id>"
_ATTACHMENT = "api/v1/attachments/<attachment_id>"

CALLS = [
    call("GET", "api/v1/threads", mine("read")),
    call("POST", "api/v1/threads", mine("chat", changes=True), 201, body={}),
    call("GET", _THREAD, owned("thread", "read", changes=False)),
    call("PATCH", _THREAD, owned("thread", "chat"), body={"pinned": True}),
    call("DELETE", _THREAD, owned("thread", "chat"), 204, fresh=True),
    call("DELETE", _THREAD, owned("thread", "chat"), 204, fresh=True, query="?now=1"),
    call("POST", f"{_THREAD}/restore", owned("thread", "chat"), fresh=True),
    call("GET", f"{_THREAD}/messages", owned("thread", "read", changes=False)),
    call("DELETE", f"{_THREAD}/messages/<message_id>", owned("thread", "chat"), 204, fresh=True),
    call("POST", f"{_THREAD}/runs", owned("thread", "chat"), 202, body=ASK, fresh=True),
    call("POST", f"{_THREAD}/runs", owned("thread", "chat"), body=ASK, fresh=True, query="?wait=true"),
    call("POST", f"{_THREAD}/runs", owned("thread", "chat"), body=ASK, fresh=True, headers=SSE),
    call("GET", _RUN, owned("run", "read", changes=False)),
    call("GET", _RUN, owned("run", "read", changes=False), query="?wait=1&after=1"),
    call("PATCH", _RUN, owned("run", "chat"), 409, body={"content": "Why not?"}),  # it does not wait any more
    call("GET", f"{_RUN}/events", owned("run", "read", changes=False)),
    call("GET", f"{_RUN}/events", owned("run", "read", changes=False), query="?snapshot=1&after=1"),
    call("POST", f"{_RUN}/cancel", owned("run", "chat"), 200, 202),
    call("POST", "api/chat", owned("thread", "chat"), body={"message": "Why?", "thread_id": TREE}, fresh=True),
    call("POST", "api/chat/stream", owned("thread", "chat"), body={"message": "Why?", "thread_id": TREE}, fresh=True),
    call("POST", "api/v1/runs/<run_id>/approvals/<approval_id>", owned("run", "chat"), body={"decision": "deny"}),
    call("GET", "api/v1/events", mine("read"), headers=SSE, endless=True),
    call("POST", f"{_THREAD}/runs", owned("thread", "chat"), 202, body={**ASK, "attachments": [FILE]}, fresh=True),
    call("POST", "api/v1/attachments", mine("chat", changes=True), 201, file=b"Hello"),
    call("GET", _ATTACHMENT, owned("attachment", "read", changes=False)),
    call("DELETE", _ATTACHMENT, owned("attachment", "chat"), 204, fresh=True),
    call("GET", f"{_ATTACHMENT}/content", owned("attachment", "read", changes=False)),
    call("GET", "api/v1/models", mine("read")),
    call("GET", "api/v1/models", administrators(changes=False) | {R.MANAGE: "scope"}, query="?all=1"),
    call("POST", "api/v1/models/load", administrators(changes=True), body={"model": "ollama/x"}),
    call("POST", "api/v1/models/unload", administrators(changes=True), body={"model": "ollama/x"}),
    call("DELETE", "api/v1/models/<path:name>", administrators(changes=True), 204),
    call("GET", "api/v1/model-pulls", administrators(changes=False)),
    call("POST", "api/v1/model-pulls", administrators(changes=True), 200, 201, body={"server": "ollama", "model": "x"}),
    call("GET", "api/v1/model-pulls/<pull_id>", administrators(changes=False)),
    call("POST", "api/v1/model-pulls/<pull_id>/cancel", administrators(changes=True)),
    call("GET", "api/v1/model-pulls/<pull_id>/events", administrators(changes=False), headers=SSE),
    call("GET", "api/v1/protocol.json", mine("read")),
    call("GET", "api/v1/search", mine("read"), query="?q=canary"),
    call("GET", "api/v1/access-records", mine("read")),
    call("GET", "api/v1/me", mine("read") | dict.fromkeys((R.CHAT, R.MANAGE), "yes")),
    call("GET", "api/v1/sessions", mine("manage")),
    call("DELETE", "api/v1/sessions", mine("manage", changes=True), 204),
    call("DELETE", "api/v1/sessions/<str:session_id>", owned("own_session", "manage"), 204, fresh=True),
    call("GET", "api/v1/tokens", mine("manage")),
    call("POST", "api/v1/tokens", mine("manage", changes=True), 201, body={"name": "new"}),
    call("DELETE", "api/v1/tokens/<uuid:token_id>", owned("own_token", "manage"), 204, fresh=True),
]

PAGES = [
    call("GET", "", signed_in_page()),
    call("GET", "threads/<uuid:thread>", signed_in_page()),  # the shell alone; whose thread it is, the API says
    call("GET", "settings", signed_in_page()),
    call("GET", "models", administrators_page()),
    call("GET", "diagram", public()),  # an empty frame
    call("GET", "livez", public()),
    call("GET", "readyz", public()),
]

# Of the pages of accounts the framework's own decorator asks to sign in, so no gate of ours is named there.
_PUBLIC = {R.NOBODY: "yes", R.OWNER: "yes", R.OTHER_TOKEN: "yes", R.WRONG_TOKEN: "token"}
_OWN = {R.OWNER: "yes", R.OTHER: "yes", R.WRONG_TOKEN: "token", R.DEACTIVATED_TOKEN: "token"}
SHOWN = (200, 302)
ACCOUNT_PAGES = [
    call("GET", "accounts/login/", _PUBLIC, *SHOWN),
    call("POST", "accounts/login/", form(), *SHOWN, body={"login": "ada"}),
    call("GET", "accounts/logout/", _PUBLIC, *SHOWN),
    call("POST", "accounts/logout/", form(), 302, fresh=True),
    call("GET", "accounts/inactive/", _PUBLIC, *SHOWN),
    call("GET", "accounts/signup/", _PUBLIC, *SHOWN),
    call("POST", "accounts/signup/", form(), *SHOWN),
    call("GET", "accounts/setup/", _PUBLIC, 404),  # there is an administrator
    call("POST", "accounts/setup/", form(), 200, 404),
    call("GET", "accounts/confirm-email/", _PUBLIC, *SHOWN),
    call("GET", "accounts/^confirm-email/(?P<key>[-:\\w]+)/$", _PUBLIC, 200, 302, 404),
    call("POST", "accounts/^confirm-email/(?P<key>[-:\\w]+)/$", form(), 200, 302, 404),
    call("GET", "accounts/password/reset/", _PUBLIC, *SHOWN),
    call("POST", "accounts/password/reset/", form(), *SHOWN),
    call("GET", "accounts/password/reset/done/", _PUBLIC, *SHOWN),
    call("GET", "accounts/password/reset/key/done/", _PUBLIC, *SHOWN),
    call("GET", "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", _PUBLIC, *SHOWN),
    call("POST", "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", form(), *SHOWN),
    call("GET", "accounts/login/code/confirm/", _PUBLIC, *SHOWN),
    call("GET", "accounts/reauthenticate/", _OWN, *SHOWN),
    call("GET", "accounts/email/", _OWN),
    call("POST", "accounts/email/", {R.OWNER: "yes", R.FORGED: "csrf", R.FOREIGN: "origin"}, *SHOWN),
    call("GET", "accounts/password/change/", _OWN),
    call("POST", "accounts/password/change/", {R.OWNER: "yes", R.FORGED: "csrf", R.FOREIGN: "origin"}),
    call("GET", "accounts/password/set/", _OWN, *SHOWN),
]
ASKS_TO_SIGN_IN = [
    "accounts/reauthenticate/",
    "accounts/email/",
    "accounts/password/change/",
    "accounts/password/set/",
]

# --- the socket ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Frame:
    event: str
    policy: Policy
    data: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False
    reply: str = "ack"


_RUN_KEY = {"run_id": "<run_id>"}
_PARKED = {"run_id": "<parked_run_id>", "approval_id": "<approval_id>"}
_ANYBODY: Policy = dict.fromkeys(Role, "yes")
FRAMES = [
    Frame(event="auth", policy=by_token(), data={"token": "<token>"}),
    Frame(event="ping", policy=_ANYBODY, reply="pong"),
    Frame(event="subscribe", policy=owned("run", "read"), data=_RUN_KEY),
    Frame(event="unsubscribe", policy=owned("run", "read"), data=_RUN_KEY),
    Frame(event="subscribe", policy=mine("read"), data={"feed": True, "after": 0}),
    Frame(event="unsubscribe", policy=mine("read") | dict.fromkeys((R.CHAT, R.MANAGE), "yes"), data={"feed": True}),
    Frame(
        event="flow.ack",
        policy=mine("read") | dict.fromkeys((R.CHAT, R.MANAGE), "yes"),
        data={**_RUN_KEY, "id": 1},
        reply="",
    ),
    Frame(event="tool.approve", policy=owned("run", "chat"), data={**_PARKED, "decision": "deny"}),
    Frame(event="run.cancel", policy=owned("run", "chat"), data=_RUN_KEY),
    Frame(event="message.send", policy=owned("thread", "chat"), data={**ASK, "thread_id": TREE}, fresh=True),
    Frame(
        event="message.send",
        policy=owned("thread", "chat"),
        data={**ASK, "thread_id": TREE, "attachments": [FILE]},
        fresh=True,
    ),
]

# --- events: behind which gate one gets to hear them ----------------------------------------------------------------

Carrier = Literal["run", "hint"]
EVENTS: dict[str, Carrier] = {
    "thread.run.created": "run",
    "thread.run.updated": "run",
    "thread.run.queued": "hint",
    "thread.run.status": "hint",
    "thread.run.in_progress": "run",
    "thread.message.created": "run",
    "thread.message.delta": "run",
    "thread.message.completed": "run",
    "thread.message.incomplete": "run",
    "thread.run.step.created": "run",
    "thread.run.step.in_progress": "run",
    "thread.run.step.completed": "run",
    "thread.run.step.failed": "run",
    "thread.run.step.cancelled": "run",
    "thread.run.requires_action": "run",
    "thread.run.cancelling": "run",
    "thread.run.completed": "run",
    "thread.run.incomplete": "run",
    "thread.run.failed": "run",
    "thread.run.cancelled": "run",
    "thread.run.expired": "run",
    "error": "run",
    "thread.run.snapshot": "run",
}

# --- the administration --------------------------------------------------------------------------------------------

SITE = [
    call("GET", "admin/", staff(R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)),
    call("GET", "admin/jsi18n/", staff(R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)),
    call("GET", "admin/password_change/", staff(R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)),
    call("GET", "admin/password_change/done/", staff(R.STAFF, R.OVERSEER, R.READER, R.ADMINISTRATOR)),
    call("GET", "admin/autocomplete/", staff()),  # no list here offers any
]


@dataclass(frozen=True, kw_only=True)
class Model:
    """Who of the staff may see, add, change and remove rows, and which actions there are, for whom."""

    see: tuple[Role, ...]
    add: tuple[Role, ...] = ()
    change: tuple[Role, ...] = ()
    delete: tuple[Role, ...] = ()
    actions: dict[str, tuple[Role, ...]] = field(default_factory=dict)
    pages: dict[str, Policy] = field(default_factory=dict)  # beside the usual ones, by the address below the model's
    row: tuple[Role, ...] | None = None  # who may see one row's page, where that is not who may see the list
    row_gate: Gate = "right"


_TOP = (R.ADMINISTRATOR,)
_LISTS = (R.OVERSEER, R.READER, R.ADMINISTRATOR)
_TEXTS = (R.READER, R.ADMINISTRATOR)
MODELS = {
    "auth/group": Model(see=_LISTS, add=_TOP, change=_TOP, delete=_TOP, actions={"delete_selected": _TOP}),
    "account/emailaddress": Model(
        see=_LISTS, add=_TOP, change=_TOP, delete=_TOP, actions={"make_verified": _TOP, "delete_selected": _TOP}
    ),
    "accounts/user": Model(
        see=_LISTS,
        add=_TOP,
        change=_TOP,
        delete=_TOP,
        actions={"delete_selected": _TOP},
        pages={"<id>/password/": staff(*_TOP)},
    ),
    "accounts/apitoken": Model(see=_LISTS, change=_TOP, actions={"revoke": _TOP}),
    "accounts/invitation": Model(see=_LISTS, add=_TOP, delete=_TOP, actions={"delete_selected": _TOP}),
    "conversations/accessrecord": Model(see=_LISTS),
    "conversations/modelalias": Model(see=_LISTS, add=_TOP, change=_TOP, delete=_TOP),
    "conversations/modelpull": Model(see=_LISTS),
    "conversations/modelserver": Model(
        see=_LISTS, add=_TOP, change=_TOP, delete=_TOP, actions={"try_connection": _TOP}
    ),
    "conversations/run": Model(see=_LISTS),
    "conversations/thread": Model(
        see=_LISTS,
        pages={"<uuid:thread_id>/transcript/": staff(*_TEXTS, gate="transcript")},
        row=_TEXTS,
        row_gate="transcript",
    ),
}
