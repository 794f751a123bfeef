"""What the settings become in production, read in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_PRINT = """
import json, chatserver.settings as s
names = ["DEBUG", "SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "EMAIL_BACKEND",
    "OLLAMA_BASE_URL", "OPENAI_BASE_URL"]
print(json.dumps({name: getattr(s, name) for name in names}))
"""
SECRET = "x" * 40


def start(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [sys.executable, "-c", _PRINT],
        env=known | {"DATA_DIR": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def settings_of(tmp_path: Path, **environment: str) -> dict[str, Any]:
    done = start(tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_behind_https_cookies_are_bound_to_the_host(tmp_path: Path) -> None:
    found = settings_of(tmp_path, BASE_URL="https://chat.example.org", SECRET_KEY=SECRET)
    assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert found["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is found["SESSION_COOKIE_HTTPONLY"] is True
    assert found["SECURE_HSTS_SECONDS"] > 0
    assert found["DEBUG"] is False
    assert found["ALLOWED_HOSTS"] == ["chat.example.org"]
    assert found["ALLOWED_ORIGINS"] == ["https://chat.example.org"]


def test_mail_with_reset_links_goes_to_the_console_in_development_only(tmp_path: Path) -> None:
    assert "StandardError" in settings_of(tmp_path)["EMAIL_BACKEND"]
    assert "dummy" in settings_of(tmp_path, BASE_URL="https://chat.example.org", SECRET_KEY=SECRET)["EMAIL_BACKEND"]


@pytest.mark.parametrize(
    "environment",
    [
        {"BASE_URL": "https://chat.example.org"},
        {"BASE_URL": "https://chat.example.org", "SECRET_KEY": "short"},
        {"BASE_URL": "https://chat.example.org", "SECRET_KEY": SECRET, "DEBUG": "on"},
        {"BASE_URL": "https://chat.example.org", "SECRET_KEY": SECRET, "ALLOWED_HOSTS": "*"},
        {"EMAIL_URL": "imap://me:canary@mail.example.org"},
        {"SIGNUP": "everyone"},
        {"OPENAI_API_KEY": "canary\nX-Other: header"},
        {"OPENAI_API_KEY": "canary with spaces"},
        {"OPENAI_BASE_URL": "https://models.example.org/v1?api-key=canary"},
        {"OPENAI_BASE_URL": "https://models.example.org/v1#canary"},
        {"OPENAI_API_KEY": "canary\u2026"},
        {"OPENAI_API_KEY": "canary", "OPENAI_BASE_URL": "https://me:canary@models.example.org/v1"},
    ],
)
def test_an_unsafe_or_bad_setting_stops_the_start(tmp_path: Path, environment: dict[str, str]) -> None:
    done = start(tmp_path, **environment)
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert "canary" not in done.stderr


def test_a_log_in_redis_without_a_redis_is_refused_in_one_sentence(tmp_path: Path) -> None:
    done = start(tmp_path, EVENT_LOG="redis")
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].endswith(
        "EVENT_LOG is redis, and there is no REDIS_URL; set it, or leave EVENT_LOG as it is."
    )
    assert start(tmp_path, EVENT_LOG="redis", REDIS_URL="redis://127.0.0.1:6379/0").returncode == 0


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, ""),
        ({"OPENAI_API_KEY": ""}, ""),
        ({"OPENAI_API_KEY": "sk-of-nobody"}, "https://api.openai.com/v1"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:8080/v1/"}, "http://127.0.0.1:8080/v1"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:8080/v1", "OPENAI_API_KEY": "any"}, "http://127.0.0.1:8080/v1"),
    ],
)
def test_an_openai_compatible_server_is_where_it_is_said_and_a_key_alone_is_openais(
    tmp_path: Path, environment: dict[str, str], address: str
) -> None:
    assert settings_of(tmp_path, **environment)["OPENAI_BASE_URL"] == address


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "http://127.0.0.1:11434"),
        ({"OLLAMA_BASE_URL": ""}, ""),
        ({"PROVIDERS": "{file}"}, ""),  # the file says which servers there are
        ({"PROVIDERS": "{file}", "OLLAMA_BASE_URL": "http://ollama:1"}, "http://ollama:1"),
    ],
)
def test_where_ollama_is(tmp_path: Path, environment: dict[str, str], address: str) -> None:
    file = tmp_path / "providers.toml"
    file.write_text("")
    filled = {name: value.format(file=file) for name, value in environment.items()}
    assert settings_of(tmp_path, **filled)["OLLAMA_BASE_URL"] == address
