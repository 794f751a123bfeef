import pytest

from chatserver.origins import is_allowed

OURS = "https://chat.example.org"


def answer(origin: str | None, configured: list[str], host: str = "127.0.0.1:8000", scheme: str = "http") -> bool:
    return is_allowed(origin, host=host, scheme=scheme, configured=configured)


def test_without_a_list_the_own_origin_is_allowed() -> None:
    assert answer("http://127.0.0.1:8000", [])


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://127.0.0.1:8001",
        "https://127.0.0.1:8000",
        "http://localhost:8000",
        "http://127.0.0.1:8000/",
        "http://127.0.0.1",
    ],
)
def test_without_a_list_nothing_else_is(origin: str | None) -> None:
    assert not answer(origin, [])


def test_a_listed_origin_is_allowed_whatever_the_host_header_says() -> None:
    assert answer(OURS, [OURS], host="10.0.0.7:8000")


@pytest.mark.parametrize(
    "origin", [None, "null", "http://chat.example.org", "https://evil.example.org", "https://chat.example.org:444"]
)
def test_with_a_list_only_it_counts(origin: str | None) -> None:
    assert not answer(origin, [OURS])


def test_null_cannot_even_be_listed() -> None:
    assert not answer("null", ["null", OURS])


def test_with_a_list_the_own_host_does_not_count() -> None:
    assert not answer("http://127.0.0.1:8000", [OURS])
