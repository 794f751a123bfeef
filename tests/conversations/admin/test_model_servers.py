"""How many runs a model server may have at once is set here, by whoever may, and nothing else of it."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from conversations.models import ModelServer
from streaming.protocol.lifecycle import RunStatus
from tests.support.waiting import line_up

pytestmark = pytest.mark.django_db
LIST = "/admin/conversations/modelserver/"


@pytest.fixture
def server(db: None) -> ModelServer:
    return ModelServer.objects.create(
        name="ollama", kind="ollama", encrypted_key=b"key-canary", url="http://u:canary@h"
    )


def client_of(person: Any, *codenames: str) -> Client:
    person.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(type(person).objects.get(pk=person.pk))
    return client


def cells(page: Any) -> list[str]:
    assert page.status_code == 200
    return [page.context["cl"].model_admin.at_once(row) for row in page.context["cl"].result_list]


def test_the_bound_is_changed_by_who_may_and_nothing_else_is(staff: Any, server: ModelServer) -> None:
    client = client_of(staff, "view_modelserver", "change_modelserver")
    form = {"max_parallel": "3", "name": "other", "kind": "x", "url": "http://elsewhere", "enabled": ""}
    assert client.post(f"{LIST}{server.pk}/change/", form).status_code == 302
    changed = ModelServer.objects.get()
    assert (changed.max_parallel, changed.name, changed.url) == (3, "ollama", "http://u:canary@h")
    assert (changed.enabled, bytes(changed.encrypted_key or b"")) == (True, b"key-canary")


def test_whoever_may_only_look_changes_nothing(staff: Any, server: ModelServer) -> None:
    client = client_of(staff, "view_modelserver")
    assert client.get(f"{LIST}{server.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{server.pk}/change/", {"max_parallel": "3"}).status_code == 403
    assert ModelServer.objects.get().max_parallel is None


@pytest.mark.parametrize("below", ["add/", "{pk}/delete/"])
def test_rows_are_neither_made_nor_removed_here(admin_user: Any, server: ModelServer, below: str) -> None:
    client = client_of(admin_user)
    assert client.post(LIST + below.format(pk=server.pk), {"post": "yes", "name": "another"}).status_code == 403
    assert ModelServer.objects.get() == server


def test_keys_and_addresses_are_not_shown_and_cannot_be_guessed(admin_user: Any, server: ModelServer) -> None:
    client = client_of(admin_user)
    for page in (LIST, f"{LIST}{server.pk}/change/"):
        assert b"canary" not in client.get(page).content
    for lookup in ("url__startswith", "encrypted_key__contains", "url"):
        assert client.get(LIST, {lookup: "h"}).status_code == 400


@pytest.mark.parametrize("wrong", ["-1", "many", "99999999999999999999"])
def test_a_bound_that_makes_no_sense_is_not_taken(admin_user: Any, server: ModelServer, wrong: str) -> None:
    page = client_of(admin_user).post(f"{LIST}{server.pk}/change/", {"max_parallel": wrong})
    assert (page.status_code, ModelServer.objects.get().max_parallel) == (200, None)


def test_the_list_says_which_bound_counts(admin_user: Any, server: ModelServer, settings: Any) -> None:
    client = client_of(admin_user)
    for usual, own, said in (
        (0, None, "no limit (MAX_PARALLEL)"),
        (4, None, "4 (MAX_PARALLEL)"),
        (4, 0, "no limit"),
        (4, 2, "2"),
    ):
        settings.MAX_PARALLEL = usual
        ModelServer.objects.update(max_parallel=own)
        assert cells(client.get(LIST)) == [said]


def test_the_list_counts_who_is_at_work_and_who_waits(admin_user: Any, server: ModelServer) -> None:
    queued, at_work = RunStatus.QUEUED, RunStatus.IN_PROGRESS
    line_up([(admin_user, "ollama", status) for status in (at_work, queued, queued)] + [(admin_user, "x", queued)])
    page = client_of(admin_user).get(LIST).content.decode()
    assert '<td class="field-running">1</td><td class="field-waiting">2</td>' in page
