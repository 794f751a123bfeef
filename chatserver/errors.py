"""Error answers of the whole site: one JSON shape for programs, a friendly page for people, never a traceback."""

import secrets
import sys
from http import HTTPStatus

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from chatserver.gates import Denied, refused
from conversations.api.answers import error_answer
from conversations.database import storage_error
from streaming.protocol.errors import (
    BodyTooLarge,
    ChatError,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    RateLimited,
    RequestError,
    Unavailable,
    UnsupportedMediaType,
)

_log = structlog.get_logger(__name__)
_API = frozenset({"api", "v1", "ollama"})
_PAGES = frozenset({400, 403, 404, 429})
_BY_STATUS: dict[int, type[ChatError]] = {
    error.status: error
    for error in (
        NotAuthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        BodyTooLarge,
        UnsupportedMediaType,
        RateLimited,
        Unavailable,
    )
}
_STALE_FORM = "The CSRF token or the Origin of this request is missing or wrong. Reload the page and try again."


def is_api(path: str) -> bool:
    """Whether programs are expected at this path."""
    return path[1:].partition("/")[0] in _API


def with_status(status: int) -> ChatError:
    """The error that an answer of this status stands for, where nothing more is known of it."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _BY_STATUS:
        return InternalError()
    return _BY_STATUS.get(status, RequestError)()


def refusal(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Answer an error of the tree that a view let through."""
    if is_api(request.path):
        return error_answer(error)
    page = error.status if error.status in _PAGES else 500
    return HttpResponse(render_to_string(f"{page}.html", {"log_id": error.log_id}), status=error.status)


def internal_error(request: HttpRequest, fault: BaseException | None) -> HttpResponse:
    """Answer an unexpected exception: one log line has its traceback, under the number that the answer names.

    A database that does not answer is no fault of ours: 503, also where it was met before any view.
    """
    if isinstance(fault, OperationalError | InterfaceError):
        _log.warning("storage failed a request", path=request.path, exc_info=fault)
        response = refusal(request, storage_error(fault))
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response
    log_id = secrets.token_hex(8)
    _log.error("unexpected exception", log_id=log_id, method=request.method, path=request.path, exc_info=fault)
    if is_api(request.path):
        response = error_answer(InternalError(log_id=log_id))
    else:
        response = HttpResponse(render_to_string("500.html", {"log_id": log_id}), status=500)
    response._has_been_logged = True  # type: ignore[attr-defined]  # or Django would log the traceback again
    return response


def shaped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """``response``, or where a program would get an error that is not JSON, the one shape with the same status."""
    if response.status_code < HTTPStatus.BAD_REQUEST or response.streaming or not is_api(request.path):
        return response
    if response.get("Content-Type", "").startswith("application/json"):
        return response
    shape = error_answer(with_status(response.status_code))
    shape.status_code = response.status_code
    shape.cookies = response.cookies
    for header in ("Allow", "Retry-After", "WWW-Authenticate"):
        if header in response:
            shape[header] = response[header]
    return shape


# --- the views that Django calls -----------------------------------------------------------------------------------
# Pages are rendered without the request: an error page must not need the session, the user or the database.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not isinstance(exception, Denied):  # Django's own gates: the permissions of the administration
        refused("right", method=request.method, path=request.path)
    return _page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return internal_error(request, sys.exc_info()[1])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if is_api(request.path):
        return error_answer(Forbidden(_STALE_FORM))
    return HttpResponse(render_to_string("403_csrf.html"), status=403)


def _page(request: HttpRequest, status: int) -> HttpResponse:
    if is_api(request.path):
        return error_answer(with_status(status))
    return HttpResponse(render_to_string(f"{status}.html"), status=status)
