"""The file that PROVIDERS names, and how a bad one stops the start."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatserver.audience import EVERYBODY, Audience
from chatserver.providers_file import parse, read_providers
from tests.chatserver.test_settings_safe import start

WHOLE = b"""
default = "fast"

[[server]]
name = "office"
kind = "ollama"
url = "http://10.0.0.5:11434/"
max_parallel = 2

[[server]]
name = "hosted"
kind = "openai"
url = "https://models.example.org/v1"
key_env = "HOSTED_KEY"
models = ["large", "small"]
allow_groups = ["research"]

[[server]]
name = "lab"
kind = "openai"
url = "http://lab:8000/v1"
key = "canary-lab"
allow_staff = true

[[server]]
name = "resting"
kind = "ollama"
url = "http://resting"
enabled = false

[aliases]
fast = "office/llama3.2:3b"
"openai/gpt-4o" = "hosted/large"
"""
SERVER = 'name = "a"\nkind = "openai"\nurl = "http://a"\n'


def test_a_whole_file() -> None:
    found = parse(WHOLE, {"HOSTED_KEY": " canary-hosted "})
    office, hosted, lab = found.servers
    assert (office.name, office.kind, office.url) == ("office", "ollama", "http://10.0.0.5:11434")
    assert (office.key, office.max_parallel, office.models, office.audience) == ("", 2, (), EVERYBODY)
    assert (hosted.key, hosted.max_parallel, hosted.models) == ("canary-hosted", None, ("large", "small"))
    assert hosted.audience == Audience(whom="groups", groups=frozenset({"research"}))
    assert (lab.key, lab.audience) == ("canary-lab", Audience(whom="staff"))
    assert found.aliases == {
        "fast": "office/llama3.2:3b",
        "openai/gpt-4o": "hosted/large",
        "default": "office/llama3.2:3b",
    }


def test_an_empty_file_has_no_servers() -> None:
    found = parse(b"", {})
    assert (found.servers, found.aliases) == ((), {})


def test_groups_that_nobody_is_named_in_let_nobody_in() -> None:
    (server,) = parse(f"[[server]]\n{SERVER}allow_groups = []".encode(), {}).servers
    assert server.audience == Audience(whom="groups")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[server]", "is no TOML"),
        ("\xff", "UTF-8"),
        ("servers = 1", "'servers', which means nothing here"),
        ("[server]", "with two brackets"),
        ("server = [1]", "with two brackets"),
        ("[[server]]", "server 1: name is missing"),
        ('[[server]]\nname = "a"', r"server 1 \(a\): kind is missing"),
        (f"[[server]]\n{SERVER}[[server]]\nname = 3", "server 2: name is a text"),
        (f"[[server]]\n{SERVER}[[server]]\n{SERVER}", "server a: the name stands there twice"),
        ('[[server]]\nname = "demo"\nkind = "ollama"\nurl = "http://a"', "taken by the demonstration"),
        ('[[server]]\nname = "a"\nkind = "x"\nurl = "http://a"', "kind is 'x'; write one of ollama, openai"),
        ('[[server]]\nname = "a"\nkind = "ollama"\nurl = "http://u:canary@a"', "give the key by itself"),
        (f'[[server]]\n{SERVER}keys = "canary"', r"server 1 \(a\): 'keys' means nothing here"),
        (f"[[server]]\n{SERVER}max_parallel = -1", "write 0"),
        (f"[[server]]\n{SERVER}max_parallel = true", "max_parallel is a whole number"),
        (f"[[server]]\n{SERVER}enabled = 1", "enabled is true or false"),
        (f'[[server]]\n{SERVER}key = "canary canary"', "copy it once more"),
        (f"[[server]]\n{SERVER}key = 4", "key is a text"),
        (f'[[server]]\n{SERVER}key = "canary"\nkey_env = "B"', "leave one of them out"),
        (f'[[server]]\n{SERVER}key_env = "NOT_THERE"', "NOT_THERE, which is not set"),
        (f'[[server]]\n{SERVER}key_env = "sk-canary"', "key_env is the name of a variable"),
        (f'[[server]]\n{SERVER}models = "x"', "models is a list"),
        (f"[[server]]\n{SERVER}models = [1]", "models is a list of texts"),
        (f'[[server]]\n{SERVER}allow_staff = true\nallow_groups = ["b"]', "leave one of them out"),
        ("aliases = 1", "below a line"),
        ('[aliases]\n"two words" = "a/b"', "alias 'two words': An alias is a word"),
        ('[aliases]\nfast = "b"', "alias 'fast': Name the model in full"),
        ("[aliases]\nfast = 1", "alias 'fast': write a text"),
        ('[aliases]\nfast = "a/b"\nfaster = "fast/x"\n"fast/x" = "a/c"', "is an alias itself"),
        ('[aliases]\ndefault = "a/b"', "write default ="),
        ('default = "small"', "default: Name the model in full"),
    ],
)
def test_a_bad_file_names_the_entry_and_the_remedy_and_no_key(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        parse(text.encode("latin-1"), {})
    assert "canary" not in str(refusal.value)


def test_a_name_that_a_variable_has_given_away_is_refused() -> None:
    text = SERVER.replace('"a"', '"openai"').encode()
    assert parse(b"[[server]]\n" + text, {}).servers[0].name == "openai"
    with pytest.raises(ValueError, match="OPENAI_BASE_URL is set and has this name"):
        parse(b"[[server]]\n" + text, {}, taken=["openai"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"PROVIDERS, .*nowhere.toml, cannot be read: No such file"):
        read_providers(tmp_path / "nowhere.toml", {})


def test_a_bad_one_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(f'[[server]]\n{SERVER}key = "canary canary"')
    done = start(tmp_path, PROVIDERS=str(file))
    assert done.returncode != 0
    assert f"PROVIDERS, {file}, server 1 (a): The key has characters" in done.stderr
    assert "canary" not in done.stderr
    file.write_text(f'[[server]]\n{SERVER}key = "canary"')
    assert start(tmp_path, PROVIDERS=str(file)).returncode == 0


@pytest.mark.parametrize(
    ("environment", "starts"),
    [
        ({"ENCRYPTION_KEY": "canary"}, False),
        ({"ENCRYPTION_KEY": f"{'e' * 32}, canary"}, False),
        ({"ENCRYPTION_KEY": f"{'e' * 32},{'f' * 32}"}, True),
        ({"BASE_URL": "https://chat.example.org", "SECRET_KEY": "x" * 40}, True),  # not asked for before it is needed
    ],
)
def test_secrets_for_keys_are_long_enough(tmp_path: Path, environment: dict[str, str], starts: bool) -> None:
    done = start(tmp_path, **environment)
    assert (done.returncode == 0) is starts
    assert ("ENCRYPTION_KEY has a part shorter than 32" in done.stderr) is not starts
    assert "canary" not in done.stderr
    assert not (tmp_path / "encryption_key").exists()


def test_in_development_the_first_start_makes_one_and_keeps_it(tmp_path: Path) -> None:
    assert start(tmp_path).returncode == 0
    kept = (tmp_path / "encryption_key").read_text()
    assert len(kept) >= 32
    assert (tmp_path / "encryption_key").stat().st_mode & 0o077 == 0
    assert start(tmp_path).returncode == 0
    assert (tmp_path / "encryption_key").read_text() == kept
