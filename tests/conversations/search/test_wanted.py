import pytest

from conversations.search.wanted import MOST_WORDS, NotWanted, Wanted, wanted


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("blue sky", [Wanted("blue"), Wanted("sky", begins=True)]),
        ("blue sky ", [Wanted("blue"), Wanted("sky")]),
        ("Blue blue BLUE", [Wanted("blue"), Wanted("blue", begins=True)]),
        ("a", [Wanted("a")]),  # with one letter too many words begin
        ("東京都", [Wanted("東京"), Wanted("京都")]),
        ("京", [Wanted("京", begins=True)]),
        ("京 the", [Wanted("京", begins=True), Wanted("the", begins=True)]),
        ('say "NEAR(a b)"*', [Wanted("say"), Wanted("near"), Wanted("a"), Wanted("b")]),
        ("title:x AND NOT y OR z*", [Wanted(w) for w in ("title", "x", "and", "not", "y", "or", "z")]),
        ("' OR 1=1 --", [Wanted("or"), Wanted("1")]),
    ],
)
def test_what_is_typed_is_words_and_nothing_else(text: str, terms: list[Wanted]) -> None:
    assert list(wanted(text)) == terms


@pytest.mark.parametrize("text", ["", "   ", "?!", "🙂", '"*"', "w " * (MOST_WORDS + 1), "字" * 60, "a.b" * 40])
def test_what_cannot_be_looked_for_is_said(text: str) -> None:
    with pytest.raises(NotWanted, match=r"word"):
        wanted(text)


@pytest.mark.parametrize(
    ("sought", "term", "fits"),
    [
        (Wanted("sk", begins=True), "sky", True),
        (Wanted("sk"), "sky", False),
        (Wanted("sky"), "sky", True),
        (Wanted("ky", begins=True), "sky", False),
    ],
)
def test_a_beginning_fits_what_begins_so(sought: Wanted, term: str, fits: bool) -> None:
    assert sought.fits(term) is fits
