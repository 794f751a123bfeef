"""Layers that run in one step answer as they do one by one, each inside Django's own conversion of exceptions."""

from itertools import product
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.handlers.exception import convert_exception_to_response
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory

from chatserver.direct import Direct

pytestmark = pytest.mark.urls("tests.support.edge_urls")


class Layer(Direct):
    """Leaves its name on what passes it."""

    name = "?"

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response["Trail"] = f"{response.get('Trail', '')} {self.name}"
        return response


class Waits(Layer):
    async def aprocess_request(self, request: HttpRequest) -> None:
        request.META["seen"] = request.META.get("seen", "") + self.name


class Answers(Layer):
    def process_request(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=299)


class Refuses(Layer):
    def process_request(self, request: HttpRequest) -> None:
        raise PermissionDenied


class Fails(Layer):
    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        raise Http404


class Hops(Layer):
    def blocks(self, request: HttpRequest) -> bool:
        return True


async def answering(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.META.get("seen", ""))


async def failing(request: HttpRequest) -> HttpResponse:
    raise Http404


def chain(kinds: Any, view: Any, *, together: bool) -> Any:
    handler = convert_exception_to_response(view)
    for place, kind in reversed(list(enumerate(kinds))):
        named = type(kind.__name__, (kind,), {"name": str(place)})
        handler = convert_exception_to_response(named(handler if together else _unknown(handler)))
    return handler


def _unknown(handler: Any) -> Any:
    """``handler``, of which nobody sees what it is."""

    async def inner(request: HttpRequest) -> Any:
        return await handler(request)

    return inner


async def outcome(handler: Any) -> tuple[Any, ...]:
    response = await handler(RequestFactory().get("/api/who"))
    return response.status_code, response.get("Trail"), response.content


@pytest.mark.parametrize("view", [answering, failing])
@pytest.mark.parametrize("first", [Layer, Waits, Answers, Refuses, Fails, Hops])
async def test_in_one_step_all_is_as_it_is_one_by_one(first: Any, view: Any) -> None:
    for rest in product([Layer, Waits, Answers, Refuses, Fails, Hops], repeat=2):
        kinds = (first, *rest)
        together = await outcome(chain(kinds, view, together=True))
        assert together == await outcome(chain(kinds, view, together=False)), kinds


async def test_several_layers_are_one_step() -> None:
    outermost = chain([Layer, Layer, Layer], answering, together=True).__wrapped__
    assert [layer.name for layer in outermost._layers] == ["0", "1", "2"]
    assert await outcome(outermost) == (200, " 2 1 0", b"")


async def test_a_layer_of_another_kind_stands_between() -> None:
    inner = chain([Layer, Layer], answering, together=True)
    outermost = chain([Layer], _unknown(inner), together=True).__wrapped__
    assert len(outermost._layers) == 1
