"""The gates of what belongs to an account. A person's tokens are reached through here only."""

from typing import Any
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.db.models import QuerySet
from django.http import Http404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chatserver.accounts.models import ApiToken
from chatserver.accounts.principal import Principal, principal_of
from chatserver.gates import refused


class SignedIn(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        if principal_of(request._request) is None:
            refused("sign_in", method=request.method, path=request.path)
            return False
        return True


class MayManage(BasePermission):
    """A session, or a token with the scope ``manage``. What such a token makes is no stronger than itself."""

    def has_permission(self, request: Request, view: Any) -> bool:
        principal = principal_of(request._request)
        assert principal is not None, "SignedIn stands before this one"
        if not principal.allows("manage"):
            refused("scope", user=principal.user_id, token=principal.token_id, scope="manage")
            return False
        return True


def own_tokens(principal: Principal) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user_id=principal.user_id)


def access_token(principal: Principal, token_id: UUID) -> ApiToken:
    """Raises Http404 for what is not there, and for what is not theirs."""
    token = own_tokens(principal).filter(pk=token_id).first()
    if token is None:
        refused("own_token", user=principal.user_id, token=principal.token_id, id=token_id)
        raise Http404
    return token


def access_session(principal: Principal, session_id: str) -> UserSession:
    """Raises Http404 for what is not there, and for what is not theirs."""
    number = int(session_id) if session_id.isascii() and session_id.isdecimal() and len(session_id) < 19 else None
    session: UserSession | None = UserSession.objects.filter(user_id=principal.user_id, pk=number).first()
    if session is None:
        refused("own_session", user=principal.user_id, token=principal.token_id, id=session_id)
        raise Http404
    return session
