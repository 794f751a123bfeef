import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.search.words import LONGEST, MOST_BYTES, fold, terms, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Why, oh WHY?", ["why", "oh"]),
        ("snake_case camelCase a.b", ["snake", "case", "camelcase", "a", "b"]),
        ("Ärger über Straße, naïve café", ["arger", "uber", "strasse", "naive", "cafe"]),
        ("А́дрес ЁЛКА", ["адрес", "елка"]),
        ("İstanbul ΣΊΣΥΦΟΣ", ["istanbul", "σισυφοσ"]),
        ("ｆｕｌｌ ﬁne ①", ["full", "fine", "1"]),
        ("東京都", ["東京", "京都", "都"]),
        ("Python入門", ["python", "入門", "門"]),
        ("ガラス カラス", ["ガラ", "ラス", "ス", "カラ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("co\u00adoperate", ["cooperate"]),
        ("🙂 !? — ", []),
        ("", []),
    ],
)
def test_the_terms_of_a_text(text: str, found: list[str]) -> None:
    assert sorted(terms(text)) == sorted(found)


@pytest.mark.parametrize("text", ["über", "e\u0301t\u00e9", "КИЕВ", "東京", "한국어"])
def test_a_word_is_one_term_however_it_is_written(text: str) -> None:
    forms = {tuple(terms(unicodedata.normalize(form, text))) for form in ("NFC", "NFKC")}
    assert forms == {tuple(terms(text.lower()))}
    assert len(forms) == 1


def test_a_term_is_no_longer_than_an_index_takes() -> None:
    assert terms("x" * 10_000) == ["x" * LONGEST]
    assert fold("ß" * 100) == "s" * LONGEST


def test_of_too_many_terms_the_first_are_kept() -> None:
    kept = terms(" ".join(f"word{number}" for number in range(100_000)))
    assert kept[:2] == ["word0", "word1"]
    assert MOST_BYTES - 20 < sum(len(term) + 1 for term in kept) <= MOST_BYTES


@given(st.text(max_size=60))
def test_terms_are_such_that_no_index_reads_anything_else_into_them(text: str) -> None:
    """One term is one term to both databases: nothing in it divides or quotes it."""
    for term in terms(text):
        assert term
        assert not any(char.isspace() or char in "'\"\\=*:&|!()<>^" for char in term)
        assert not any(char.isascii() and not char.isalnum() for char in term)


@given(st.text(max_size=60))
def test_tokens_stand_where_they_say(text: str) -> None:
    for token in tokens(text):
        assert 0 <= token.start < token.end <= len(text)
        assert fold(text[token.start : token.end]) == token.term


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("ab \nÄ京\u0301")), max_size=60))
def test_a_text_has_the_terms_that_its_tokens_are(text: str) -> None:
    assert set(terms(text)) == {token.term for token in tokens(text)}
