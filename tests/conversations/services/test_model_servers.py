"""The rows of model servers, and what is made of those of the administration."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatserver.audience import EVERYBODY, Audience
from conversations.keys import seal_key
from conversations.models import ModelAlias, ModelServer
from conversations.selectors import model_servers as stored
from conversations.services.model_servers import list_model_servers, note_health
from streaming.protocol.lifecycle import RunStatus
from tests.support.waiting import line_up

pytestmark = pytest.mark.django_db
KEY = "sk-canary-0123456789"


def bounds() -> dict[str, int | None]:
    return dict(ModelServer.objects.values_list("name", "max_parallel"))


def made(name: str = "office", key: str = "", **fields: Any) -> ModelServer:
    server = ModelServer(**{"name": name, "kind": "openai", "url": "http://a.example/v1", "managed": True, **fields})
    if key:
        seal_key(server, key)
    server.save()
    return server


def test_a_bound_of_the_settings_counts_and_one_of_the_administration_stays() -> None:
    list_model_servers({"a": "ollama", "b": "ollama"}, {"a": 2})
    assert bounds() == {"a": 2, "b": None}
    ModelServer.objects.update(max_parallel=7)
    list_model_servers({"a": "ollama", "b": "ollama"}, {"a": 2})
    assert bounds() == {"a": 2, "b": 7}


def test_a_row_that_a_claim_made_gets_its_kind() -> None:
    ModelServer.objects.create(name="a")
    list_model_servers({"a": "ollama"})
    assert ModelServer.objects.get().kind == "ollama"


def test_what_claims_left_of_servers_that_are_gone_is_removed_when_nothing_waits_there(user: Any) -> None:
    line_up([(user, "awaited", RunStatus.QUEUED)])
    for name in ("gone", "awaited"):
        ModelServer.objects.create(name=name)
    ModelServer.objects.create(name="once", kind="ollama", max_parallel=3)  # the file may name it again
    made("office")
    list_model_servers({"a": "ollama"})
    assert set(bounds()) == {"a", "awaited", "once", "office"}


def test_health_is_written_when_it_changes_and_the_last_error_stays() -> None:
    server = made()
    away = {"ok": False, "message": "It is away.", "detail": "Nobody at http://a.example."}
    note_health(name="office", **away)
    server.refresh_from_db()
    down = server.health
    assert {name: down[name] for name in away} == away
    assert down["last_error"] == away["detail"]
    with CaptureQueriesContext(connection) as asked:
        note_health(name="office", **away)
    assert not [query for query in asked if query["sql"].startswith("UPDATE")]
    note_health(name="office", ok=True, message="", detail="")
    server.refresh_from_db()
    assert (server.health["ok"], server.health["message"]) == (True, "")
    assert (server.health["last_error"], server.health["last_error_at"]) == (away["detail"], down["last_error_at"])
    assert not note_health(name="nobody", ok=True, message="", detail="")


def test_all_that_is_configured_is_read_by_two_statements(django_assert_num_queries: Any) -> None:
    for number in range(5):
        made(f"server-{number}", audience="groups").groups.add(Group.objects.create(name=f"group {number}"))
    with django_assert_num_queries(2):
        configured = stored.configured_by(stored.written())
    assert [spec.name for spec in configured.servers] == [f"server-{number}" for number in range(5)]
    assert configured.servers[3].audience == Audience(whom="groups", groups=frozenset({"group 3"}))


def test_a_server_is_made_of_its_row() -> None:
    group = Group.objects.create(name='a "group", and more')
    server = made(key=KEY, audience="groups", max_parallel=2)
    server.groups.add(group)
    made("off", enabled=False)
    made("of-the-settings", managed=False)
    made("staff", audience="staff")
    ModelAlias.objects.create(name="fast", target="office/m")
    office, staff = stored.configured_by(stored.written()).servers
    assert (office.name, office.kind, office.url, office.key) == ("office", "openai", "http://a.example/v1", KEY)
    assert (office.max_parallel, office.trouble, office.shows_address) == (2, "", False)
    assert office.audience == Audience(whom="groups", groups=frozenset({group.name}))
    assert office == stored.spec_of(server)
    assert (staff.audience, staff.key) == (Audience(whom="staff"), "")
    assert stored.configured_by(stored.written()).aliases == {"fast": "office/m"}


def test_whatever_is_changed_is_seen_and_nothing_else() -> None:
    server = made(key=KEY)
    group = Group.objects.create(name="a")
    seen = [stored.written()]
    note_health(name="office", ok=False, message="It is away.", detail="Where?")
    assert stored.written() == seen[0]
    for change in (
        lambda: ModelServer.objects.update(url="http://b.example"),
        lambda: ModelServer.objects.update(audience="groups"),
        lambda: server.groups.add(group),
        lambda: Group.objects.update(name="b"),
        lambda: ModelAlias.objects.create(name="fast", target="office/m"),
        lambda: ModelServer.objects.update(enabled=False),
    ):
        change()
        seen.append(stored.written())
        assert seen[-1] != seen[-2]


@pytest.mark.parametrize("tampered", [{"url": "http://evil.example"}, {"url": "https://a.example/v1"}])
def test_a_key_is_not_for_another_origin(tampered: dict[str, str]) -> None:
    made(key=KEY)
    ModelServer.objects.update(**tampered)
    (spec,) = stored.configured_by(stored.written()).servers
    assert spec.key == ""
    assert spec.trouble == (
        "The key of the model server office does not open: it was typed for another server or address. "
        "An administrator has to type it again."
    )


def test_a_key_is_not_for_another_row() -> None:
    ours, theirs = made(key=KEY), made("theirs")
    ModelServer.objects.filter(pk=theirs.pk).update(encrypted_key=ours.encrypted_key)
    office, other = stored.configured_by(stored.written()).servers
    assert (office.key, other.key, bool(other.trouble)) == (KEY, "", True)


def test_another_path_keeps_the_key_and_everybody_is_the_rule() -> None:
    made(key=KEY)
    ModelServer.objects.update(url="http://a.example:80/v2")
    (spec,) = stored.configured_by(stored.written()).servers
    assert (spec.key, spec.audience) == (KEY, EVERYBODY)
