import pytest

from chatserver.accounts.names import clean_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada", "ada"),
        ("  ada  l ", "ada l"),
        ("a\x00d\na", "a d a"),
        ("\u202eada", "ada"),
        ("ａｄａ", "ada"),
        ("Zoë", "Zoë"),
        ("Zoe\u0308", "Zoë"),
        ("a\u200bda", "a da"),
    ],
)
def test_names_lose_what_can_forge_them(typed: str, kept: str) -> None:
    assert clean_name(typed) == kept
