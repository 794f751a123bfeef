"""Who is asking: the one answer for every transport. Only here do tokens and sessions become rights."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.middleware import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection
from django.http import HttpRequest

from chatserver.accounts.groups import HELD, groups_in_sql, groups_of
from chatserver.accounts.models import SCOPES, ApiToken, Scope, User
from chatserver.accounts.secrets import digest, matches, parse_token
from chatserver.accounts.sessions import session_store
from chatserver.accounts.usage import note_use
from chatserver.rows import Rows, marks, stored_id

_ALL: frozenset[Scope] = frozenset(SCOPES)
_NO_DIGEST = digest("nobody")
_TOKENS, _USERS = Rows(ApiToken), Rows(User)


@dataclass(frozen=True, slots=True)
class Principal:
    """An active user as seen through one session or one token. A fact of the moment: live connections ask again."""

    user_id: UUID
    username: str
    is_staff: bool
    scopes: frozenset[Scope]
    via: Literal["session", "token"]
    token_id: UUID | None = None
    session_key: str | None = None
    is_superuser: bool = False
    groups: frozenset[str] = frozenset()

    is_authenticated = True  # what Django's and DRF's permission classes ask of a user
    is_anonymous = False

    @property
    def pk(self) -> UUID:
        return self.user_id

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes


def principal_of_token(text: str) -> Principal | None:
    """The principal behind ``chat_<prefix>_<secret>``, or None. One query; a second at most once a minute a token."""
    parts = parse_token(text)
    if parts is None:
        return None
    token = next(iter(_tokens("prefix = %s", parts.prefix)), None)
    # Compared also where there is no such prefix, so that both take the same time.
    if not matches(parts.text, token.digest if token else _NO_DIGEST) or token is None:
        return None
    if not token.is_live or not token.user.is_active:
        return None
    note_use(token)
    return of_token(token)


def principal_of_session(request: HttpRequest) -> Principal | None:
    """The principal of the request's session. One query for the session, one for the user; none without a cookie."""
    session = request.session
    if session.session_key is None:
        return None
    user = get_user(request)
    return of_user(user, session.session_key) if isinstance(user, User) and user.is_active else None


def principal_of_session_key(key: str) -> Principal | None:
    """The same for a bare session key, as a WebSocket's cookie carries it."""
    return principal_of_session(_carrier(session_store(key)))


def principal_of(request: HttpRequest) -> Principal | None:
    """Who makes this request, by token or session; found out once a request. Also leaves ``request.principal``."""
    known: Any = request
    if not hasattr(known, "principal"):
        known.principal = principal_of_session(request)
    found: Principal | None = known.principal
    return found


async def aprincipal_of(request: HttpRequest) -> Principal | None:
    """``principal_of`` for async views: at most one hop to a thread, none where the request has no session."""
    known: Any = request
    if not hasattr(known, "principal") and known.session.session_key is None:
        known.principal = None
    if hasattr(known, "principal"):
        return principal_of(request)
    return await sync_to_async(principal_of)(request)


aprincipal_of_token = sync_to_async(principal_of_token)
aprincipal_of_session = sync_to_async(principal_of_session)
aprincipal_of_session_key = sync_to_async(principal_of_session_key)


def live_tokens(ids: Collection[UUID]) -> list[ApiToken]:
    """Those of the tokens that let their users in, with these. At most one query."""
    found = _tokens(f"id IN {marks(list(ids))}", *map(stored_id, ids)) if ids else []
    return [token for token in found if token.is_live and token.user.is_active]


def _tokens(condition: str, *values: Any) -> list[ApiToken]:
    """The tokens with their users. Every request of a program begins with this, and so does every frame."""
    with connection.cursor() as cursor:
        cursor.execute(_with_users() + condition, values)
        rows = cursor.fetchall()
    tokens = []
    for row in rows:
        token = _TOKENS.made(row, connection)
        token.user = _USERS.made(row[_TOKENS.width :], connection)
        setattr(token.user, HELD, row[-1])
        tokens.append(token)
    return tokens


@cache
def _with_users() -> str:
    return f"""SELECT {_TOKENS.columns}, {_USERS.columns}, {groups_in_sql()} FROM {_TOKENS.table}
        JOIN {_USERS.table} ON {_USERS.table}.id = {_TOKENS.table}.user_id WHERE {_TOKENS.table}."""


def of_token(token: ApiToken) -> Principal:
    user = token.user
    scopes = frozenset(scope for scope in SCOPES if scope in token.scopes)
    return Principal(
        user.pk,
        user.username,
        user.is_staff,
        scopes,
        "token",
        token_id=token.pk,
        is_superuser=user.is_superuser,
        groups=groups_of(user),
    )


def of_user(user: User, session_key: str) -> Principal:
    return Principal(
        user.pk,
        user.username,
        user.is_staff,
        _ALL,
        "session",
        session_key=session_key,
        is_superuser=user.is_superuser,
        groups=groups_of(user),
    )


def _carrier(session: SessionBase) -> Any:
    # Django's get_user asks a request for nothing but its session.
    return SimpleNamespace(session=session)
