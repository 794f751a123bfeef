"""Model servers are added, changed, tried and removed by administrators; how many runs one may have at once is set by
whoever may change them, and nothing else. What goes in as a key never comes out.
"""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client

from chatserver.model_servers import Configured, ModelServerSpec
from chatserver.redaction import Redacted
from conversations.keys import open_key
from conversations.models import ModelAlias, ModelServer
from conversations.ports import Tried, ports
from conversations.services.model_servers import note_health
from streaming.protocol.lifecycle import RunStatus
from tests.support.waiting import line_up

pytestmark = pytest.mark.django_db
LIST = "/admin/conversations/modelserver/"
ALIASES = "/admin/conversations/modelalias/"
KEY = "sk-canary-0123456789"
OFFICE = {"name": "office", "kind": "openai", "url": "http://10.0.0.5:8000/v1/", "key": "", "audience": "everybody"}
OFFICE |= {"enabled": "on", "max_parallel": ""}


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
def test_rows_are_neither_made_nor_removed_by_others_than_administrators(
    staff: Any, server: ModelServer, below: str
) -> None:
    client = client_of(staff, "view_modelserver", "change_modelserver", "add_modelserver", "delete_modelserver")
    ModelServer.objects.update(managed=True)
    assert client.post(LIST + below.format(pk=server.pk), {"post": "yes", **OFFICE}).status_code == 403
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


# --- what administrators do ------------------------------------------------------------------------------------------


@pytest.fixture
def client(admin_user: Any) -> Client:
    return client_of(admin_user)


def added(client: Client, **fields: Any) -> ModelServer:
    answer = client.post(f"{LIST}add/", {**OFFICE, **fields})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return ModelServer.objects.get(name=fields.get("name", "office"))


def change(client: Client, server: ModelServer, **fields: Any) -> Any:
    return client.post(f"{LIST}{server.pk}/change/", {**OFFICE, **fields})


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    found: dict[str, list[str]] = answer.context["adminform"].form.errors
    return found


def test_one_is_added(client: Client) -> None:
    server = added(client, key=KEY, max_parallel="2")
    assert (server.kind, server.url, server.max_parallel) == ("openai", "http://10.0.0.5:8000/v1", 2)
    assert (server.managed, server.enabled, server.audience) == (True, True, "everybody")
    assert open_key(server) == KEY
    assert KEY.encode() not in bytes(server.encrypted_key or b"")


def test_a_key_never_comes_out_again(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    server = added(client, key=KEY)
    change(client, server, key=KEY + "-new", url="nonsense")
    shown = [LIST, f"{LIST}{server.pk}/change/", f"{LIST}{server.pk}/history/", f"{LIST}{server.pk}/delete/"]
    pages = [client.get(address).content.decode() for address in shown]
    pages += [change(client, server, key=KEY, url="nonsense").content.decode()]
    pages += [entry.change_message + entry.object_repr for entry in LogEntry.objects.all()]
    capsys.readouterr()
    call_command("dumpdata", "conversations.modelserver", "admin.logentry")
    pages += [capsys.readouterr().out]
    assert not [page for page in pages if "canary" in page]
    assert "office" in pages[-1]
    assert Redacted()(None, "info", f'{{"event": "sent {KEY}"}}') == '{"event": "sent [redacted]"}'


def test_an_empty_field_keeps_the_key_and_a_tick_forgets_it(client: Client) -> None:
    assert 'name="without_key"' not in client.get(f"{LIST}add/").content.decode()
    server = added(client, key=KEY)
    assert 'name="without_key"' in client.get(f"{LIST}{server.pk}/change/").content.decode()
    assert change(client, server, max_parallel="3", url="http://10.0.0.5:8000/v2").status_code == 302
    server.refresh_from_db()
    assert (open_key(server), server.max_parallel, server.url) == (KEY, 3, "http://10.0.0.5:8000/v2")
    assert errors(change(client, server, key=KEY, without_key="on"))["without_key"]
    assert change(client, server, without_key="on").status_code == 302
    server.refresh_from_db()
    assert server.encrypted_key is None


@pytest.mark.parametrize("url", ["https://10.0.0.5:8000/v1", "http://10.0.0.6:8000/v1", "http://10.0.0.5:8001/v1"])
def test_for_another_origin_the_key_is_asked_for_again(client: Client, url: str) -> None:
    server = added(client, key=KEY)
    (said,) = errors(change(client, server, url=url))["key"]
    assert said == "The key is kept for http://10.0.0.5:8000 only; for another origin type it again."
    server.refresh_from_db()
    assert server.url == "http://10.0.0.5:8000/v1"
    assert change(client, server, url=url, key="another-key").status_code == 302
    server.refresh_from_db()
    assert (server.url, open_key(server)) == (url, "another-key")


def test_without_a_secret_to_seal_with_the_remedy_is_said(client: Client, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = []
    (said,) = errors(client.post(f"{LIST}add/", {**OFFICE, "key": KEY}))["key"]
    assert "Set it to at least 32 random characters" in said
    assert not ModelServer.objects.exists()
    assert added(client).encrypted_key is None  # one without a key needs none


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "demo", "taken by the demonstration"),
        ("name", "Office", "small letters"),
        ("name", "third party", "small letters"),
        ("name", "office-", "ends with a letter"),
        ("name", "of-settings", "The settings name a server like that"),
        ("kind", "anthropic", "not one of the available choices"),
        ("url", "http://u:canary@host", "give the key by itself"),
        ("url", "http://host/?canary", "leave out what begins there"),
        ("url", "gopher://host", "The address is none"),
        ("key", "canary canary", "copy it once more"),
        ("max_parallel", "-1", "greater than or equal to 0"),
        ("audience", "groups", "Choose the groups"),
    ],
)
def test_what_makes_no_sense_is_not_taken(client: Client, settings: Any, field: str, value: str, said: str) -> None:
    settings.MODEL_SERVERS = Configured(servers=(ModelServerSpec(name="of-settings", kind="ollama", url="http://a"),))
    answer = client.post(f"{LIST}add/", {**OFFICE, field: value})
    (told,) = errors(answer)["groups" if field == "audience" else field]
    assert said in told
    assert not ModelServer.objects.exists()


def test_who_may_use_it(client: Client) -> None:
    research = Group.objects.create(name="research")
    server = added(client, audience="groups", groups=[research.pk])
    assert list(server.groups.all()) == [research]
    assert "groups: research" in client.get(LIST).content.decode()


def test_a_server_of_the_settings_is_shown_as_it_is(client: Client, settings: Any, server: ModelServer) -> None:
    named = ModelServerSpec(name="ollama", kind="ollama", url="http://u:canary@10.0.0.9:1", max_parallel=4)
    settings.MODEL_SERVERS = Configured(servers=(named,))
    page = client.get(f"{LIST}{server.pk}/change/").content.decode()
    assert "http://10.0.0.9:1" in page
    assert "canary" not in page
    assert 'name="url"' not in page
    assert 'name="max_parallel"' not in page  # the file says it
    change(client, server, url="http://elsewhere", name="other", max_parallel="9")
    server.refresh_from_db()
    assert (server.name, server.url, server.max_parallel) == ("ollama", "http://u:canary@h", None)
    assert client.post(f"{LIST}{server.pk}/delete/", {"post": "yes"}).status_code == 403


def test_one_is_removed_and_so_is_what_the_settings_name_no_more(
    client: Client, server: ModelServer, settings: Any
) -> None:
    settings.MODEL_SERVERS = Configured()
    ours = added(client)
    for each in (ours, server):
        assert client.post(f"{LIST}{each.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not ModelServer.objects.exists()
    demo = ModelServer.objects.create(name="demo", kind="demo")
    assert client.post(f"{LIST}{demo.pk}/delete/", {"post": "yes"}).status_code == 403


def test_health_is_shown_with_the_last_error_and_when(client: Client) -> None:
    server = added(client)
    assert "not asked yet" in client.get(LIST).content.decode()
    error = {"last_error": "It was away.", "last_error_at": "2026-11-30T10:00:00Z"}
    for health, shown in (
        ({"ok": True, "message": "", "since": "2026-12-01T10:00:00Z", **error}, "well since 2026-12-01 10:00"),
        (
            {"ok": False, "message": "It is away.", "since": "2026-12-01T10:00:00Z"},
            "down since 2026-12-01 10:00: It is away.",
        ),
    ):
        ModelServer.objects.update(health=health)
        page = client.get(f"{LIST}{server.pk}/change/").content.decode()
        assert shown in page
        assert ("2026-11-30 10:00: It was away." in page) is ("last_error" in health)
    change(client, server, max_parallel="1")
    server.refresh_from_db()
    assert server.health["message"] == "It is away."


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def try_model_server(name: str) -> Tried:
        names.append(name)
        return Tried(ok=name == "office", message=f"{name} was tried.")

    monkeypatch.setattr(ports, "try_model_server", try_model_server)
    return names


def test_the_connection_is_tried_from_the_form_and_from_the_list(client: Client, tried: list[str]) -> None:
    answer = client.post(f"{LIST}add/", {**OFFICE, "_try": "Save and test the connection"}, follow=True)
    server = ModelServer.objects.get()
    assert answer.redirect_chain == [(f"{LIST}{server.pk}/change/", 302)]
    assert [str(message) for message in answer.context["messages"]][-1:] == ["office was tried."]
    assert 'name="_try"' in answer.content.decode()
    change(client, server, _try="1")
    change(client, server)
    change(client, server, _try="1", url="nonsense")  # what was not saved is not tried
    assert tried == ["office", "office"]
    form = {"action": "try_connection", "_selected_action": [str(server.pk)]}
    assert "Office was tried." in client.post(LIST, form, follow=True).content.decode()


def test_nobody_else_tries_or_sees_where_it_is(staff: Any, admin_user: Any, tried: list[str]) -> None:
    server = added(client_of(admin_user), key=KEY, url="http://10.0.0.5:8000/v1")
    note_health(name="office", ok=False, message="It is away.", detail="Nobody at http://10.0.0.5:8000/v1.")
    assert "Nobody at http://10.0.0.5" in client_of(admin_user).get(f"{LIST}{server.pk}/change/").content.decode()
    client = client_of(staff, "view_modelserver", "change_modelserver")
    page = client.get(f"{LIST}{server.pk}/change/").content.decode() + client.get(LIST).content.decode()
    assert "It is away." in page
    for hidden in ("10.0.0.5", 'name="_try"', 'name="key"', 'name="url"', "canary"):
        assert hidden not in page
    change(client, server, _try="1", url="http://evil.example", key="theirs", max_parallel="7", enabled="")
    server.refresh_from_db()
    assert (server.url, open_key(server), server.max_parallel) == ("http://10.0.0.5:8000/v1", KEY, 7)
    assert server.enabled
    client.post(LIST, {"action": "try_connection", "_selected_action": [str(server.pk)]})
    assert tried == []


def test_aliases_are_words_for_models(client: Client, settings: Any) -> None:
    settings.MODEL_SERVERS = Configured(aliases={"taken": "a/b"})
    assert client.post(f"{ALIASES}add/", {"name": "fast", "target": "office/m"}).status_code == 302
    assert ModelAlias.objects.get().target == "office/m"
    for name, target, field, said in (
        ("two words", "office/m", "name", "without spaces"),
        ("taken", "office/m", "name", "change it there"),
        ("other", "m", "target", "in full"),
        ("other", "fast", "target", "in full"),
        ("a/b", "a/b", "target", "an alias itself"),
    ):
        (told,) = errors(client.post(f"{ALIASES}add/", {"name": name, "target": target}))[field]
        assert said in told


def test_aliases_are_for_administrators(staff: Any) -> None:
    client = client_of(staff, "add_modelalias", "change_modelalias", "delete_modelalias", "view_modelalias")
    assert client.get(ALIASES).status_code == 200
    assert client.post(f"{ALIASES}add/", {"name": "fast", "target": "office/m"}).status_code == 403
    assert not ModelAlias.objects.exists()
