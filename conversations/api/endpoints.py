"""Plain async views that share one authenticator, one method check and one shape of errors."""

import functools
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal, aprincipal_of
from chatserver.gates import refused
from conversations.api.answers import error_answer
from conversations.database import storage_error
from streaming.protocol.errors import ChatError, InternalError, MethodNotAllowed, NotAuthenticated

log = structlog.get_logger(__name__)
P = ParamSpec("P")
Handler = Callable[Concatenate[HttpRequest, Principal, P], Coroutine[Any, Any, HttpResponseBase]]


def endpoint(
    *methods: str, takes_files: bool = False
) -> Callable[[Handler[P]], Callable[..., Coroutine[Any, Any, HttpResponseBase]]]:
    """An async view for ``methods`` that is given the principal; whatever it raises becomes the one error shape.

    ``takes_files``: its body may be a form with files, also from a page of ours.
    """

    def decorate(handler: Handler[P]) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
        @functools.wraps(handler)
        async def view(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                if request.method not in methods:
                    raise MethodNotAllowed(details={"allowed": list(methods)})
                principal = await aprincipal_of(request)
                if principal is None:
                    refused("sign_in", method=request.method, path=request.path)
                    raise NotAuthenticated()
                return await handler(request, principal, *args, **kwargs)
            except ChatError as error:
                answer = error_answer(error)
                if isinstance(error, MethodNotAllowed):
                    answer["Allow"] = ", ".join(methods)
                return answer
            except (OperationalError, InterfaceError) as fault:
                log.warning("storage failed a request", path=request.path, exc_info=fault)
                return error_answer(storage_error(fault))
            except Exception as fault:
                log_id = secrets.token_hex(8)
                log.error("request failed", path=request.path, log_id=log_id, exc_info=fault)
                return error_answer(InternalError(log_id=log_id))

        vars(view)["takes_files"] = takes_files
        return view

    return decorate
