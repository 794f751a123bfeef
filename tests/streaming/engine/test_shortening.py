import re

from hypothesis import given
from hypothesis import strategies as st

from streaming.engine.shortening import SHORTEST, shortened, shortened_to
from streaming.engine.tokens import of_text

MARK = re.compile(r"\n\[… ([\d,]+) characters are left out here …\]\n")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200).map(lambda text: text * 40)


def test_the_beginning_and_the_end_stay_and_the_mark_says_how_much_is_missing() -> None:
    text = "".join(str(n % 10) for n in range(5000))
    assert shortened(text, keep=400) == f"{text[:300]}\n[… 4,600 characters are left out here …]\n{text[-100:]}"


def test_what_would_not_become_shorter_stays_whole() -> None:
    assert shortened("x" * 439, keep=400) == "x" * 439


@given(TEXTS, st.integers(0, 3000))
def test_it_takes_the_tokens_there_are_or_is_as_short_as_it_gets(text: str, tokens: int) -> None:
    short = shortened_to(text, tokens=tokens)
    assert of_text(short) <= tokens or short == shortened(text, keep=SHORTEST)
    if short != text:
        (mark,) = MARK.finditer(short)
        assert len(short) - len(mark[0]) + int(mark[1].replace(",", "")) == len(text)
        assert text.startswith(short[: mark.start()])
        assert text.endswith(short[mark.end() :])


@given(TEXTS)
def test_what_fits_stays_as_it_is(text: str) -> None:
    assert shortened_to(text, tokens=of_text(text)) == text
