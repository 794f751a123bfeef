"""Who asks a plain resource: the same principal as on every other transport."""

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from chatserver.accounts.principal import Principal, principal_of
from chatserver.gates import refused
from streaming.protocol.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class PrincipalAuthentication(BaseAuthentication):
    """``request.user`` is the principal behind the request's token or session.

    The check of CSRF tokens and origins is the middleware's. DRF marks its views as exempt from it, so a session may
    change nothing here unless that check has left its mark on the request.
    """

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        plain: HttpRequest = request._request
        principal = principal_of(plain)
        if principal is None:
            return None
        if principal.via == "session" and not _checked(plain):
            refused("csrf", user=principal.user_id, method=plain.method, path=plain.path)
            raise Forbidden("The CSRF token of this request was not checked.")
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"  # with it DRF answers 401 where nobody is signed in, not 403


def _checked(request: HttpRequest) -> bool:
    return request.method in SAFE_METHODS or getattr(request, "csrf_processing_done", False)
