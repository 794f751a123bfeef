from collections.abc import Callable

import pytest

from chatserver.model_servers import (
    ModelServerSpec,
    checked_alias,
    checked_key,
    checked_name,
    checked_target,
    checked_url,
    origin_of,
)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checked_name, "office"),
        (checked_name, "gpu-2_b"),
        (checked_name, "a"),
        (checked_url, "http://10.0.0.5:11434"),
        (checked_url, "https://[::1]:8080/v1"),
        (checked_url, "https://modèles.example:8080/v1"),
        (checked_url, "http://model_server"),
        (checked_key, "sk-0123/+="),
        (checked_alias, "fast"),
        (checked_alias, "openai/gpt-4.1"),
        (checked_target, "office/org/model:7b"),
    ],
)
def test_what_is_taken(check: Callable[[str], str], value: str) -> None:
    assert check(value) == value


@pytest.mark.parametrize(
    ("check", "value", "said"),
    [
        (checked_name, "demo", "taken by the demonstration"),
        (checked_name, "", "small letters"),
        (checked_name, "Office", "small letters"),
        (checked_name, "a/b", "small letters"),
        (checked_name, "-a", "small letters"),
        (checked_name, "a" * 101, "small letters"),
        (checked_name, "a\n", "small letters"),
        (checked_url, "ftp://host", "address is none"),
        (checked_url, "http://", "address is none"),
        (checked_url, "http://host:port", "address is none"),
        (checked_url, "http://host:0", "address is none"),
        (checked_url, "http://10.0.0.500:11434", "address is none"),
        (checked_url, "http://[fe80::x]", "address is none"),
        (checked_url, "http://host..lan", "address is none"),
        (checked_url, "http://é..lan", "address is none"),
        (checked_url, "http://ho st", "address is none"),
        (checked_url, "http://host/\x00", "address is none"),
        (checked_url, "file:///etc/passwd", "address is none"),
        (checked_url, "http://me:canary@host", "give the key by itself"),
        (checked_url, "http://host/v1?key=canary", "leave out what begins there"),
        (checked_url, "http://host/v1#canary", "leave out what begins there"),
        (checked_url, "http://host/" + "a" * 500, "longer than"),
        (checked_key, "canary\nX-Other: header", "copy it once more"),
        (checked_key, "canary…", "copy it once more"),
        (checked_key, "", "copy it once more"),
        (checked_key, "c" * 1001, "copy it once more"),
        (checked_alias, "two words", "without spaces"),
        (checked_alias, "", "without spaces"),
        (checked_alias, "/x", "without spaces"),
        (checked_target, "office", "in full"),
        (checked_target, "office/", "in full"),
        (checked_target, "/x", "in full"),
    ],
)
def test_what_is_refused_in_words_without_a_secret(check: Callable[[str], str], value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        check(value)
    assert "canary" not in str(refusal.value)


def test_an_address_loses_its_last_slashes() -> None:
    assert checked_url(" http://host/v1// ") == "http://host/v1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://A.example/v1", "https://a.example:443", True),
        ("http://a.example", "http://a.example:80/x", True),
        ("http://a.example", "https://a.example", False),
        ("https://a.example", "https://a.example:444", False),
        ("https://a.example", "https://a.example.evil.org", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert (origin_of(one) == origin_of(other)) is same


def test_a_key_is_not_in_what_is_written_of_a_server() -> None:
    assert "canary" not in repr(ModelServerSpec(name="a", kind="openai", url="http://a", key="canary"))
