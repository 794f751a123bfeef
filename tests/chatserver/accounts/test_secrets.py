import pytest

from chatserver.accounts.secrets import digest, matches, new_token, parse_token


def test_a_new_token_parses_to_its_own_parts() -> None:
    for _ in range(50):
        token = new_token()
        assert parse_token(token.text) == token


def test_the_secret_has_256_bits() -> None:
    secret = new_token().text.split("_", 2)[2]
    assert len(secret) == 43  # 32 bytes in URL-safe base64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chat",
        "chat_",
        "chat_abc",
        "chat_abc_",
        "chat__secret",
        "other_abc_secret",
        "chat_ä_x",
        "chat_a_" + "x" * 200,
    ],
)
def test_other_texts_are_no_tokens(text: str) -> None:
    assert parse_token(text) is None


def test_a_digest_matches_its_text_only() -> None:
    assert matches("one", digest("one"))
    assert not matches("two", digest("one"))


def test_any_text_has_a_digest() -> None:
    assert digest("\ud800") != digest("")
