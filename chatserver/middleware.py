"""The edge that every request passes: headers, tokens, origins."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, ClassVar

from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import REASON_BAD_ORIGIN, CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils import translation
from django.utils.datastructures import MultiValueDict
from django.utils.functional import SimpleLazyObject, empty

from chatserver.accounts.principal import Principal, principal_of_token
from chatserver.direct import Direct
from chatserver.edge import PERMISSIONS
from chatserver.errors import internal_error, is_api, refusal, shaped
from chatserver.gates import Gate, refused
from chatserver.headers import no_store, vary
from chatserver.origins import allowed
from chatserver.threads import in_thread
from conversations.api.answers import error_answer
from streaming.protocol.errors import ChatError, NotAuthenticated, UnsupportedMediaType

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OF_ORIGINS = ("Origin", "Referer")  # how Django's reasons begin that say where a request came from
# How an answer says that its policy is not the usual one (csp.decorators), or that it has none.
_CSP_WISHES = frozenset(
    f"_csp_{wish}{policy}" for wish in ("config", "update", "replace", "exempt") for policy in ("", "_ro")
)
_LONGEST_WISH = 200  # characters of a language's cookie and header that are remembered
_DJANGO_ANSWERS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation, MultiPartParserError)


class Errors(Direct):
    """Around whatever may fail: programs get every error in the one shape, and nobody ever gets a traceback."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = shaped(request, response)
        if is_api(request.path):
            no_store(response)
            vary(response, "Authorization", "Cookie")
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
    """The policy of the settings is put together once; anew only for an answer that asks for one of its own."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._usual = None if _has_exceptions() else build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        nonce = getattr(request, "_csp_nonce", None)
        if self._usual is None or nonce is not None or settings.DEBUG or not _CSP_WISHES.isdisjoint(vars(response)):
            answer: HttpResponseBase = super().process_response(request, response)
            return answer
        response.headers.setdefault(HEADER, self._usual)
        # As the library does: a nonce that is asked for only now stands in no policy.
        request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)  # type: ignore[attr-defined]
        return response


def _has_exceptions() -> bool:
    """Whether the settings make the policy depend on more than the answer's own wishes."""
    return bool(
        getattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY", None)
        or settings.CONTENT_SECURITY_POLICY.get("EXCLUDE_URL_PREFIXES")
    )


class Locale(Direct, LocaleMiddleware):
    """No address of ours begins with a language, so cookie and header alone decide."""

    def process_request(self, request: HttpRequest) -> None:
        wishes = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME), request.META.get("HTTP_ACCEPT_LANGUAGE", "")
        translation.activate(_language(*wishes))
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        vary(response, "Accept-Language")
        response.headers.setdefault("Content-Language", translation.get_language())
        return response


def _language(cookie: str | None, header: str) -> str:
    """What Django makes of a request with these; of what browsers and programs send it makes that once."""
    short = len(cookie or "") + len(header) <= _LONGEST_WISH
    return _known_language(cookie, header) if short else _known_language.__wrapped__(cookie, header)


@lru_cache(maxsize=256)
def _known_language(cookie: str | None, header: str) -> str:
    cookies = {} if cookie is None else {settings.LANGUAGE_COOKIE_NAME: cookie}
    request: Any = SimpleNamespace(COOKIES=cookies, META={"HTTP_ACCEPT_LANGUAGE": header})
    return translation.get_language_from_request(request)


class Common(Direct, CommonMiddleware):
    pass


class BearerTokens(Direct):
    """``Authorization: Bearer …`` decides alone who asks: a bad token is 401, a good one leaves no session to use."""

    # The monitoring server's own token is none of ours; that view compares it itself.
    foreign: ClassVar[frozenset[str]] = frozenset({"/metrics"})

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        token = self.token_of(request)
        return None if token is None else self.settle(request, principal_of_token(token))

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        token = self.token_of(request)
        return None if token is None else self.settle(request, await in_thread(principal_of_token, token))

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
            no_store(response)
            vary(response, "Cookie")
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
        with _form_unread(request) if getattr(callback, "takes_files", False) else nullcontext():
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
    """Nothing is made for a request that neither leaves a message nor reads one."""

    def process_request(self, request: HttpRequest) -> None:
        request._messages = SimpleLazyObject(partial(default_storage, request))  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        return super().process_response(request, response) if self._asked_for(request) else response

    def blocks(self, request: HttpRequest) -> bool:
        ours: Any = request
        return self._asked_for(request) and (ours._messages.used or ours._messages.added_new)

    def _asked_for(self, request: HttpRequest) -> bool:
        messages: Any = getattr(request, "_messages", None)
        return messages is not None and getattr(messages, "_wrapped", messages) is not empty


def token_principal(request: HttpRequest) -> Principal | None:
    principal: Principal | None = getattr(request, "principal", None)
    return principal if principal is not None and principal.via == "token" else None


@contextmanager
def _form_unread(request: HttpRequest) -> Iterator[None]:
    """Django looks for the token in the form first: megabytes, taken apart in the event loop. Who sends a file sends
    the token in its header.
    """
    ours: Any = request
    ours._post, ours._files = QueryDict(), MultiValueDict()
    try:
        yield
    finally:
        del ours._post, ours._files


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
