import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.search.excerpts import LENGTH, Excerpt, excerpt
from conversations.search.wanted import wanted


def cut(content: str, words: str) -> Excerpt:
    return excerpt(content, wanted(words))


def marked(content: str, words: str) -> list[str]:
    found = cut(content, words)
    return [found.text[start:end] for start, end in found.hits]


@pytest.mark.parametrize(
    ("content", "words", "hits"),
    [
        ("The sky is blue. Sky!", "sky ", ["sky", "Sky"]),
        ("The skyline", "sky", ["skyline"]),
        ("skyline sky", "sky ", ["sky"]),
        ("Über den Wolken, uber alles", "ÜBER ", ["Über", "uber"]),
        ("blue and red", "red blue ", ["blue", "red"]),
        ("東京都は大きい", "東京都", ["東京都"]),
        ("大きい東京", "京", ["京"]),
        ("<b>bold</b>", "bold ", ["bold"]),
        ("🙂🙂 sky", "sky ", ["sky"]),
    ],
)
def test_the_hits_are_the_words_as_they_stand(content: str, words: str, hits: list[str]) -> None:
    assert marked(content, words) == hits


def test_a_short_message_is_its_own_excerpt_on_one_line() -> None:
    assert cut("one\n\ttwo  three", "two ") == Excerpt(text="one  two  three", hits=[(5, 8)])


def test_of_a_long_message_it_is_what_is_around_the_first_hit() -> None:
    content = "before " * 5000 + "needle " + "after " * 5000
    found = cut(content, "needle ")
    assert found.text.startswith("…before")
    assert found.text.endswith("after…")
    assert [found.text[start:end] for start, end in found.hits] == ["needle"]
    assert len(found.text) <= LENGTH + 2


def test_what_only_looks_like_a_hit_is_none() -> None:
    found = cut("skyline " * 300 + "x " * 300 + "sky.", "sky ")
    assert marked("skyline " * 300 + "x " * 300 + "sky.", "sky ") == ["sky"]
    assert found.text.endswith("sky.")


def test_a_hit_in_other_letters_is_found_far_down_too() -> None:
    assert marked("word " * 4000 + "naïve", "naive ") == ["naïve"]


def test_without_a_hit_it_is_the_beginning() -> None:
    assert cut("nothing of it " * 100, "needle ").hits == []
    assert cut("", "needle ") == Excerpt(text="", hits=[])


@given(st.text(max_size=500), st.text(alphabet="abc 東京", min_size=1, max_size=8).filter(str.strip))
def test_hits_are_in_order_and_inside_the_excerpt(content: str, words: str) -> None:
    found = cut(content, words)
    edges = [edge for hit in found.hits for edge in hit]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(found.text) for start, end in found.hits)
    assert "\n" not in found.text
