"""Headers that depend on those that are there: put together by Django, and each only once.

What is there are a few values that our own views write, so the same few come out of it for every answer.
"""

from functools import lru_cache

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers

_KEPT = 64


def no_store(response: HttpResponseBase) -> None:
    """Keep the answer out of every cache."""
    response.headers["Cache-Control"] = _no_store(response.headers.get("Cache-Control"))


def vary(response: HttpResponseBase, *names: str) -> None:
    """Say that the answer depends on these headers of the request."""
    response.headers["Vary"] = _vary(response.headers.get("Vary"), names)


@lru_cache(maxsize=_KEPT)
def _no_store(before: str | None) -> str:
    answer = HttpResponse(headers=None if before is None else {"Cache-Control": before})
    patch_cache_control(answer, no_store=True)
    return answer.headers["Cache-Control"]


@lru_cache(maxsize=_KEPT)
def _vary(before: str | None, names: tuple[str, ...]) -> str:
    answer = HttpResponse(headers=None if before is None else {"Vary": before})
    patch_vary_headers(answer, names)
    return answer.headers["Vary"]
