"""What has no row in the matrix fails here: addresses, frames, events, models of the administration, gates."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from chatserver.accounts.models import User
from chatserver.gates import GATES
from streaming.protocol.events import BY_NAME
from streaming.transports.routing import websocket_urlpatterns
from streaming.transports.session import COMMANDS
from tests.permissions.table import ACCOUNT_PAGES, CALLS, EVENTS, FRAMES, MODELS, PAGES, SITE

_USUAL = {"", "add/", "<path:object_id>/history/", "<path:object_id>/delete/", "<path:object_id>/change/"}
# Redirects to a row's page, and the site's own doors and corners, which no model has.
_DOORS = {
    "admin/login/",  # to the sign-in of everybody; tests/attacks/test_login.py
    "admin/logout/",
    "admin/r/<path:content_type_id>/<path:object_id>/",  # no model here has an address of its own
    "admin/(?P<url>.*)$",  # everything else: 404, or to the sign-in
}


def addresses(patterns: Any, before: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, before + str(pattern.pattern))
        else:
            assert isinstance(pattern, URLPattern)
            yield before + str(pattern.pattern)


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    models = {
        f"admin/{name}/{page}"
        for name, model in MODELS.items()
        for page in (*_USUAL, "<path:object_id>/", *model.pages)
    }
    rows = {row.address for row in (*CALLS, *PAGES, *ACCOUNT_PAGES, *SITE)}
    # Beside the doors there is the index cut to one app, whose address lists the apps in any order.
    found = {each for each in addresses(get_resolver().url_patterns) if not each.startswith("admin/^(?P<app_label>")}
    assert found == rows | models | _DOORS


def test_every_frame_has_a_row() -> None:
    assert {frame.event for frame in FRAMES} == set(COMMANDS)
    assert [str(route.pattern) for route in websocket_urlpatterns] == ["ws/v1"]


def test_every_event_has_a_row() -> None:
    assert set(EVENTS) == set(BY_NAME)


def test_every_model_of_the_administration_has_a_row_and_every_action_too() -> None:
    request = RequestFactory().get("/admin/")
    request.user = User(username="root", is_active=True, is_staff=True, is_superuser=True)
    found = {}
    for model, shown in admin.site._registry.items():
        actions = set(shown.get_actions(request))
        found[f"{model._meta.app_label}/{model._meta.model_name}"] = actions
    assert found == {name: set(model.actions) for name, model in MODELS.items()}


def test_every_gate_refuses_somebody_somewhere() -> None:
    policies = [row.policy for row in (*CALLS, *PAGES, *ACCOUNT_PAGES, *SITE)]
    policies += [frame.policy for frame in FRAMES]
    policies += [policy for model in MODELS.values() for policy in model.pages.values()]
    expected = {verdict for policy in policies for verdict in policy.values()} - {"yes"}
    # These lie behind another gate: test_calls.py has a test of each, tests/contracts/test_model_gate.py of the last.
    assert set(GATES) - expected == {"message", "approval", "media_type", "model"}
