"""Django's middleware without its thread hops, and the edge that every request passes: headers, tokens, origins.

Django sends each hook of a middleware through a thread: 17 hops and 3.8 ms a request with this list. None of these
hooks blocks, but for a session that must be saved and messages that must be read, so under ASGI they run where they
are called.
"""

from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import REASON_BAD_ORIGIN, CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from chatserver.accounts.principal import Principal, aprincipal_of_token, principal_of_token
from chatserver.edge import PERMISSIONS
from chatserver.errors import internal_error, is_api, refusal, shaped
from chatserver.gates import Gate, refused
from chatserver.origins import allowed
from conversations.api.answers import error_answer
from streaming.protocol.errors import ChatError, NotAuthenticated, UnsupportedMediaType

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OF_ORIGINS = ("Origin", "Referer")  # how Django's reasons begin that say where a request came from
_DJANGO_ANSWERS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation, MultiPartParserError)


class Direct(MiddlewareMixin):
    """Runs the hooks of the middleware it is mixed into directly under ASGI; under WSGI nothing changes."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        view_hook = getattr(self, "process_view", None)
        if self.async_mode and view_hook is not None:

            async def process_view(*args: Any) -> Any:
                return view_hook(*args)

            vars(self)["process_view"] = process_view  # Django sends a plain function through a thread

    async def __acall__(self, request: HttpRequest) -> Any:
        ours: Any = self
        response = ours.process_request(request) if hasattr(self, "process_request") else None
        if response is None:
            response = await ours.get_response(request)
        if not hasattr(self, "process_response"):
            return response
        if self.blocks(request):
            return await sync_to_async(ours.process_response)(request, response)
        return ours.process_response(request, response)

    def blocks(self, request: HttpRequest) -> bool:
        """Whether ``process_response`` will ask the database, and must hop to a thread."""
        return False


class Errors(Direct):
    """Around whatever may fail: programs get every error in the one shape, and nobody ever gets a traceback."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = shaped(request, response)
        if is_api(request.path):
            patch_cache_control(response, no_store=True)
            patch_vary_headers(response, ("Authorization", "Cookie"))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, ChatError):
            return refusal(request, exception)
        if isinstance(exception, _DJANGO_ANSWERS):
            return None
        # Here and not in handler500, which Django does not ask while DEBUG is on.
        return internal_error(request, exception) if is_api(request.path) else None


class SecurityHeaders(Direct, SecurityMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        if not getattr(response, "xframe_options_exempt", False):
            response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response


class ContentSecurityPolicy(Direct, CSPMiddleware):
    pass


class Locale(Direct, LocaleMiddleware):
    pass


class Common(Direct, CommonMiddleware):
    pass


class BearerTokens(MiddlewareMixin):
    """``Authorization: Bearer …`` decides alone who asks: a bad token is 401, a good one leaves no session to use."""

    # The monitoring server's own token is none of ours; that view compares it itself.
    foreign: ClassVar[frozenset[str]] = frozenset({"/metrics"})

    def __call__(self, request: HttpRequest) -> Any:
        if self.async_mode:
            return self.__acall__(request)
        token = self.token_of(request)
        if token is None:
            return self.get_response(request)
        return self.settle(request, principal_of_token(token)) or self.get_response(request)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        ours: Any = self
        token = self.token_of(request)
        refused = None if token is None else self.settle(request, await aprincipal_of_token(token))
        return refused or await ours.get_response(request)

    def token_of(self, request: HttpRequest) -> str | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        return None if scheme.lower() != "bearer" or request.path in self.foreign else token.strip()

    def settle(self, request: HttpRequest, principal: Principal | None) -> HttpResponse | None:
        if principal is None:
            refused("token", method=request.method, path=request.path)
            return error_answer(NotAuthenticated())
        request.principal = principal  # type: ignore[attr-defined]
        request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return None


class Sessions(Direct, SessionMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        carried = settings.SESSION_COOKIE_NAME in request.COOKIES
        response = super().process_response(request, response)
        if carried or settings.SESSION_COOKIE_NAME in response.cookies or token_principal(request):
            patch_cache_control(response, no_store=True)
            patch_vary_headers(response, ("Cookie",))
        return response

    def blocks(self, request: HttpRequest) -> bool:
        return request.session.modified or settings.SESSION_SAVE_EVERY_REQUEST


class Csrf(Direct, CsrfViewMiddleware):
    """Django's check, with exact origins, for every request that could use a session. Views cannot opt out of it."""

    def process_view(self, request: HttpRequest, callback: Any, callback_args: Any, callback_kwargs: Any) -> Any:
        ours: Any = self
        if token_principal(request) or (is_api(request.path) and request.session.session_key is None):
            return None  # no session here that a foreign page could ride on
        if request.method in _SAFE_METHODS:
            return ours._accept(request)
        if request.META.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site"):
            return self._reject(request, REASON_BAD_ORIGIN % request.META.get("HTTP_ORIGIN"))
        # DRF marks all its views as exempt; here that mark counts for nothing.
        refusal = super().process_view(request, _unmarked, callback_args, callback_kwargs)
        if refusal is None and is_api(request.path) and not _takes(callback, request):
            refused("media_type", method=request.method, path=request.path)
            return error_answer(UnsupportedMediaType())
        return refusal

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        gate: Gate = "origin" if reason.startswith(_OF_ORIGINS) else "csrf"
        refused(gate, method=request.method, path=request.path)
        response: HttpResponse = super()._reject(request, reason)  # type: ignore[misc]
        return response

    def _origin_verified(self, request: HttpRequest) -> bool:
        return allowed(request.META["HTTP_ORIGIN"], request.get_host(), request.scheme or "http")


class Authentication(Direct, AuthenticationMiddleware):
    pass


class Messages(Direct, MessageMiddleware):
    def blocks(self, request: HttpRequest) -> bool:
        messages: Any = getattr(request, "_messages", None)
        return messages is not None and (messages.used or messages.added_new)


def token_principal(request: HttpRequest) -> Principal | None:
    principal: Principal | None = getattr(request, "principal", None)
    return principal if principal is not None and principal.via == "token" else None


def _unmarked(request: HttpRequest) -> HttpResponse:
    """Stands for a view that nobody marked as exempt; Django only looks at its marks."""
    raise AssertionError("not meant to be called")


def _takes(callback: Any, request: HttpRequest) -> bool:
    """Whether the body may be what it says it is. A plain form of another site can be anything but JSON."""
    empty = request.META.get("CONTENT_LENGTH") in (None, "", "0") and "HTTP_TRANSFER_ENCODING" not in request.META
    if empty or request.content_type == "application/json":
        return True
    view = getattr(callback, "cls", callback)
    return request.content_type == "multipart/form-data" and getattr(view, "takes_files", False)
