"""The pages of the chat: shells with what the page's modules need to begin; everything else they ask the API."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from chatserver.gates import Denied, Gate, refused
from conversations.page_words import page_words
from conversations.permissions import MANAGE_MODELS, may_manage_models
from streaming.protocol.commands import MAX_ATTACHMENTS

Page = Callable[..., Coroutine[Any, Any, HttpResponse]]
# What a model writes is drawn in a frame without an origin: it can run our scripts and style itself, and reach nothing.
# Named by its address, and not by its origin, which is none, 'self' is this server.
_DIAGRAM_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # a diagram brings its own style sheet, and places its parts by attributes
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-scripts",  # also where somebody opens it by itself
    ]
)


def signed_in(page: Page) -> Page:
    """The page, and its ``boot`` data, for whoever is signed in; everybody else is sent to sign in first."""

    @require_safe
    @wraps(page)
    async def checked(request: HttpRequest, **arguments: Any) -> HttpResponse:
        user = await request.auser()
        if not user.is_authenticated:
            refused("sign_in", method=request.method, path=request.path)
            return redirect_to_login(request.get_full_path())
        manages = user.is_staff and await sync_to_async(may_manage_models)(user)
        boot = _boot(request, username=user.get_username(), staff=user.is_staff, manages=manages)
        response = await page(request, boot, **arguments)
        response.headers["Cache-Control"] = "no-store"
        return response

    return checked


@signed_in
async def chat(request: HttpRequest, boot: dict[str, Any], thread: UUID | None = None) -> HttpResponse:
    # Whose thread it is, the API says; the shell is the same for all.
    boot["thread"] = None if thread is None else str(thread)
    return render(request, "conversations/chat.html", {"boot": boot})


@signed_in
async def preferences(request: HttpRequest, boot: dict[str, Any]) -> HttpResponse:
    return render(request, "conversations/settings.html", {"boot": boot})


@signed_in
async def models(request: HttpRequest, boot: dict[str, Any]) -> HttpResponse:
    """For whoever may manage models; so the API says, too."""
    if boot["urls"]["models"] is None:
        user = await request.auser()
        gate: Gate = "right" if user.is_staff else "staff"
        refused(gate, user=user.pk, path=request.path, right=MANAGE_MODELS)
        raise Denied
    return render(request, "conversations/models.html", {"boot": boot})


@require_safe
async def diagram(request: HttpRequest) -> HttpResponse:
    """The frame that one diagram is drawn in, for everybody: it knows nothing until the page around it tells it."""
    response = render(request, "conversations/diagram.html")
    response.headers["Content-Security-Policy"] = _DIAGRAM_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _boot(request: HttpRequest, *, username: str, staff: bool, manages: bool) -> dict[str, Any]:
    return {
        "username": username,
        "words": page_words(),
        "thread": None,
        # The token also makes the middleware set the cookie, which a first visit has not got.
        "csrf": {"cookie": settings.CSRF_COOKIE_NAME, "token": get_token(request)},
        "limits": {"attachments": MAX_ATTACHMENTS, "attachment_bytes": settings.MAX_ATTACHMENT},
        "urls": {
            "api": "/api/v1",
            "socket": "/ws/v1",
            "home": reverse("home"),
            "threads": "/threads/",
            "settings": reverse("settings"),
            "login": reverse("account_login"),
            "logout": reverse("account_logout"),
            "password": reverse("account_change_password"),
            "email": reverse("account_email"),
            "admin": reverse("admin:index") if staff else None,
            "models": reverse("models") if manages else None,
        },
    }


urlpatterns = [
    path("", chat, name="home"),
    path("threads/<uuid:thread>", chat, name="thread"),
    path("settings", preferences, name="settings"),
    path("models", models, name="models"),
    path("diagram", diagram, name="diagram"),
]
