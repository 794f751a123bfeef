"""The people and things that the matrix speaks of, in the database, and the credentials of every role."""

import logging
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from chatserver.accounts.models import User
from chatserver.accounts.services import create_token, create_user
from chatserver.ids import new_id
from conversations.attachments.intake import take
from conversations.models import Message, ModelPull, Run, Thread
from conversations.services.attachments import store
from streaming.protocol.lifecycle import TERMINAL
from tests.permissions.roles import Role
from tests.support.inside import Headers, Inside
from tests.support.stored import ask, park, thread_of

R = Role
SECRET = "canary-of-the-owner"
_SEEN = (
    "thread",
    "run",
    "accessrecord",
    "modelserver",
    "modelalias",
    "modelpull",
    "user",
    "apitoken",
    "invitation",
    "group",
    "emailaddress",
)
_LOOK = [f"view_{name}" for name in _SEEN]
_CSRF = "a" * 32


class World:
    """``inside`` is the application. Placeholders are filled by ``filled``, headers made by ``headers``.

    What an engine at work would take up is made before it starts; the rest by ``settle``, once it does.
    """

    def __init__(self) -> None:
        self.people = {
            name: create_user(username=name, password="correct horse battery", is_staff=name in ("sam", "olga", "rhea"))
            for name in ("ada", "zoe", "bob", "sam", "olga", "rhea")
        }
        self.people["root"] = create_user(username="root", password="correct horse battery", is_superuser=True)
        self._grant("olga", *_LOOK)
        self._grant("rhea", *_LOOK, "read_transcripts")
        for user in self.people.values():
            thread_of(user, title=user.username)  # something of their own in everybody's lists and feeds
        self._parked = {name: self._asked(self.people[name]) for name in _WITH_THINGS}

    def settle(self, inside: Inside) -> None:
        self.inside = inside
        self.gates = _Gates()  # only now: making the application sets all logs up anew
        self._kept = {name: {**self._things(self.people[name]), **self._parked[name]} for name in _WITH_THINGS}
        self._sessions = {name: self._session(name) for name in self.people}
        self._tokens = {(name, scope): self._token(name, scope) for name, scope in _BY_TOKEN.values()}
        User.objects.filter(username="zoe").update(is_active=False)

    def close(self) -> None:
        self.gates.close()

    def owner(self, role: Role) -> str:
        """Whose thing a role asks for: the owner who is switched off has things of his own."""
        return "zoe" if role in (R.DEACTIVATED, R.DEACTIVATED_TOKEN) else "ada"

    def filled(self, text: str, role: Role, *, fresh: bool = False) -> str:
        """``text`` with the ids of the owner's things."""
        things = dict(self._kept[self.owner(role)])
        if fresh:
            user = self.people[self.owner(role)]
            if "thread_id" in text:
                thread = thread_of(user, title=SECRET)
                if text.endswith("/restore"):
                    Thread.objects.filter(pk=thread.pk).update(deleted_at=timezone.now())
                things["thread_id"] = str(thread.pk)
            if "message_id" in text:
                said = {"role": "user", "status": "completed", "content": SECRET}
                things["message_id"] = str(Message.objects.create(thread_id=things["thread_id"], **said).pk)
            if "attachment_id" in text:
                things["attachment_id"] = self._attachment(user)
            if "session_id" in text:
                things["session_id"] = str(self._known_session(user))
            if "token_id" in text:
                things["token_id"] = str(create_token(user=user)[0].pk)
        if text.startswith("api/v1/runs/<run_id>/approvals"):
            things["run_id"] = things["parked_run_id"]
        return _PLACEHOLDER.sub(lambda found: things.get(found[1], found[0]), text)

    def headers(self, role: Role, *, changes: bool, fresh: bool = False) -> Headers:
        """The credentials of a role; with ``changes`` also the proofs that a page of ours sends."""
        if role in _BY_TOKEN:
            return {"Authorization": f"Bearer {self._tokens[_BY_TOKEN[role]]}"}
        if role is R.WRONG_TOKEN:
            return {"Authorization": f"Bearer chat_{'0' * 12}_{'x' * 43}"}
        cookies = {}
        if role in _BY_SESSION:
            name = _BY_SESSION[role]
            cookies["session"] = self._session(name) if fresh else self._sessions[name]
        proofs: Headers = {}
        if changes:
            cookies["csrf"] = _CSRF
            proofs = {"X-CSRFToken": _CSRF, "Origin": "http://localhost"}
            if role is R.FORGED:
                del proofs["X-CSRFToken"]
            if role is R.FOREIGN:
                proofs["Origin"] = "https://evil.example"
        carried = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return {**proofs, **({"Cookie": carried} if carried else {})}

    def token(self, role: Role) -> str:
        return self._tokens[_BY_TOKEN[role]] if role in _BY_TOKEN else f"chat_{'0' * 12}_{'x' * 43}"

    def _grant(self, name: str, *codenames: str) -> None:
        self.people[name].user_permissions.add(*Permission.objects.filter(codename__in=codenames))

    def _asked(self, user: User) -> dict[str, str]:
        """A run that is parked over a question."""
        (approval,) = park(ask(user).run, "a line")
        return {"parked_run_id": str(approval.run_id), "approval_id": str(approval.pk)}

    def _things(self, user: User) -> dict[str, str]:
        mark = SECRET if user.username in ("ada", "zoe") else user.username
        thread = thread_of(user, title=mark)
        run = ask(user, f"question {mark}", thread=thread).run
        until_ended(run)
        token, _ = create_token(user=user, name=mark)
        return {
            "thread_id": str(thread.pk),
            "thread": str(thread.pk),
            "run_id": str(run.pk),
            "token_id": str(token.pk),
            "session_id": str(self._known_session(user)),
            "attachment_id": self._attachment(user, mark),
            "id": str(user.pk),
            "pull_id": str(ModelPull.objects.create(server="ollama", model="x:1", status="done").pk),
            "name": "ollama/x",
        }

    def _attachment(self, user: User, mark: str = SECRET) -> str:
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory) / "sent"
            source.write_text(mark)
            taken = take(source, name=f"{mark}.txt", scratch=Path(directory))
            return str(store(owner_id=user.pk, taken=taken, quota=2**30)[0].pk)

    def _session(self, name: str) -> str:
        browser = Client()
        browser.force_login(self.people[name])
        return str(browser.cookies[settings.SESSION_COOKIE_NAME].value)

    def _known_session(self, user: User) -> int:
        """One beside those that the matrix comes with."""
        facts = {"user": user, "ip": "127.0.0.1", "session_key": self._session(user.username)}
        return int(UserSession.objects.create(**facts).pk)

    def _token(self, name: str, scope: str) -> str:
        return create_token(user=self.people[name], scopes=[scope] if scope else None)[1]  # type: ignore[list-item]


def unknown(address: str) -> str:
    """The address with ids that nobody has."""
    return _PLACEHOLDER.sub(lambda found: str(new_id()) if found[1].endswith("id") else found[0], address)


def nonsense(address: str) -> str:
    return re.sub(r"<\w+>", "no-id", address)


def until_ended(run: Run) -> None:
    deadline = time.monotonic() + 30
    while Run.objects.get(pk=run.pk).status not in TERMINAL:
        assert time.monotonic() < deadline
        time.sleep(0.01)


class _Gates(logging.Handler):
    """The names of the gates that refused, in order, as the log has them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._log = logging.getLogger("chatserver.gates")
        self._log.addHandler(self)
        self._level = self._log.level
        self._log.setLevel(logging.DEBUG)

    def emit(self, record: logging.LogRecord) -> None:
        said: Any = record.msg
        self.seen.append(said["gate"])

    def taken(self) -> list[str]:
        seen, self.seen = self.seen, []
        return seen

    def close(self) -> None:
        self._log.removeHandler(self)
        self._log.setLevel(self._level)
        super().close()


_PLACEHOLDER = re.compile(r"<(?:\w+:)?(\w+)>")
_WITH_THINGS = ("ada", "zoe", "bob")  # the owner, one who is switched off, and another
_BY_SESSION = {
    R.OWNER: "ada",
    R.FORGED: "ada",
    R.FOREIGN: "ada",
    R.OTHER: "bob",
    R.STAFF: "sam",
    R.OVERSEER: "olga",
    R.READER: "rhea",
    R.ADMINISTRATOR: "root",
    R.DEACTIVATED: "zoe",
}
_BY_TOKEN = {
    R.OWNER_TOKEN: ("ada", ""),
    R.READ: ("ada", "read"),
    R.CHAT: ("ada", "chat"),
    R.MANAGE: ("ada", "manage"),
    R.OTHER_TOKEN: ("bob", ""),
    R.ADMINISTRATOR_TOKEN: ("root", ""),
    R.DEACTIVATED_TOKEN: ("zoe", ""),
}
