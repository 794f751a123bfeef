"""Which names can be pulled, and what may be asked."""

from typing import Any

import pytest

from streaming.protocol.commands import parse
from streaming.protocol.errors import InvalidRequest
from streaming.protocol.pulls import LoadModel, NewPull, pull_name, split_name

REGISTRIES = ["registry.ollama.ai", "hf.co"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("llama3.2", "llama3.2:latest"),
        (" qwen3:8b\n", "qwen3:8b"),
        ("mattw/pygmalion", "mattw/pygmalion:latest"),
        ("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"),
        ("HF.CO/user/Repo", "HF.CO/user/Repo:latest"),
        ("registry.ollama.ai/library/llama3.2:1b", "registry.ollama.ai/library/llama3.2:1b"),
        ("a" * 80, "a" * 80 + ":latest"),
    ],
)
def test_names_of_models_are_taken_and_have_a_tag(text: str, name: str) -> None:
    assert pull_name(text, registries=REGISTRIES) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":7b",
        "llama3.2:",
        "llama3.2:a:b",
        "/etc/passwd",
        "../llama",
        "a/../b",
        "a//b",
        "a/b/",
        ".hidden",
        "http://hf.co/user/model",
        "https://hf.co/user/model",
        "user@hf.co/user/model",
        "me:hush@evil/user/model",
        "hf.co/user/model?x=1",
        "hf.co/user/model#x",
        "hf.co/user/%2e%2e",
        "hf.co/a/b/c",
        "hf.co/model",
        "ns.with.dots/model",
        "two words",
        "line\nbreak",
        "nul\x00",
        "ünï",
        "-rf",
        "a" * 81,
        "x@sha256:abc",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        pull_name(text, registries=REGISTRIES)
    assert (caught.value.details or {})["field"] == "model"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:6379", "169.254.169.254", "localhost", "hf.co.evil.example"]
)
def test_a_registry_that_is_not_allowed_is_refused_by_name_of_the_setting(host: str) -> None:
    with pytest.raises(InvalidRequest, match="PULL_REGISTRIES") as caught:
        pull_name(f"{host}/user/model", registries=REGISTRIES)
    assert (caught.value.details or {})["registries"] == ["hf.co", "registry.ollama.ai"]


def test_one_with_its_port_can_be_allowed() -> None:
    name = "models.example:5000/team/model:1"
    assert pull_name(name, registries=["models.example:5000"]) == name


def test_a_name_that_no_run_could_name_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="200"):
        pull_name(f"{'h' * 50}/{'n' * 70}/{'m' * 80}", registries=["h" * 50])


@pytest.mark.parametrize(
    ("text", "found"),
    [("ollama/qwen3:8b", ("ollama", "qwen3:8b")), ("two/hf.co/a/b:c", ("two", "hf.co/a/b:c"))],
)
def test_a_full_name_is_a_server_and_a_model(text: str, found: tuple[str, str]) -> None:
    assert split_name(text) == found


@pytest.mark.parametrize("text", ["qwen3", "/qwen3", "ollama/", "ollama/a\x07", f"ollama/{'a' * 201}"])
def test_what_is_no_full_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        split_name(text)


@pytest.mark.parametrize("keep_alive", [0, -2, 10**9, "5m", 1.5, True])
def test_how_long_a_model_stays_is_a_number_of_seconds(keep_alive: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse({"model": "ollama/x", "keep_alive": keep_alive}, LoadModel)


def test_a_model_stays_until_it_is_unloaded() -> None:
    assert parse({"model": "ollama/x"}, LoadModel).keep_alive == -1


@pytest.mark.parametrize("body", [{}, {"server": "ollama"}, {"server": "", "model": "x"}, {"server": 1, "model": "x"}])
def test_a_pull_names_its_server_and_its_model(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse(body, NewPull)
