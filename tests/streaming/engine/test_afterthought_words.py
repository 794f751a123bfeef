import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.engine.afterthought_words import MAX_FOLLOW_UP, MAX_READ, MAX_TITLE, follow_ups_from, title_from

LONG = "Scattering of light by particles much smaller than its wavelength"


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Why the sky is blue", "Why the sky is blue"),
        ("  Why the sky is blue.\n", "Why the sky is blue"),
        ("Title: Why the sky is blue", "Why the sky is blue"),
        ("Titel: Warum ist der Himmel blau?", "Warum ist der Himmel blau?"),
        ("标题：天空为什么是蓝色的。", "天空为什么是蓝色的"),
        ('**Title:** "Why the sky is blue."', "Why the sky is blue"),
        ("The title of this conversation: Blue", "Blue"),
        ("Suggested title: Blue sky", "Blue sky"),
        ("Sure! Here is a title:\n\nWhy the sky is blue", "Why the sky is blue"),
        ("„Der blaue Himmel“", "Der blaue Himmel"),
        ("« Le ciel bleu »", "Le ciel bleu"),
        ("「青い空」", "青い空"),
        ('"Yes" and "no" in Welsh', '"Yes" and "no" in Welsh'),
        ('"Half quoted', "Half quoted"),
        ("# Blue sky", "Blue sky"),
        ("1. Blue sky\n2. Rayleigh", "Blue sky"),
        ("- *Blue* `sky`", "Blue sky"),
        ("_Blue sky_", "Blue sky"),
        ("[Blue sky](https://example.org/a)", "Blue sky"),
        ("<b>Blue</b> sky", "Blue sky"),
        ("<title>\nBlue sky\n</title>", "Blue sky"),
        ("<question>\nBlue sky\n</question>", "Blue sky"),
        ("```text\nBlue sky\n```", "Blue sky"),
        ("<think>\nA title, hm.\n</think>\n\nBlue sky", "Blue sky"),
        ("A title, hm.\n</think>\nBlue sky", "Blue sky"),
        ('{"title": "Blue sky"}', "Blue sky"),
        ("Blue\tsky", "Blue sky"),
        ("Blue \u202esky\u2066", "Blue sky"),
        ("Blue\x00sky", "Blue\N{REPLACEMENT CHARACTER}sky"),
        ("🎉 A party for 👩‍💻", "🎉 A party for 👩‍💻"),
        ("The year 1984", "The year 1984"),
        ("1984", "1984"),
        ("What is 2 * 3 * 4?", "What is 2 * 3 * 4?"),
        ("__init__ and snake_case in C++", "__init__ and snake_case in C++"),
        ("To be continued...", "To be continued..."),
        ("Ratio 3:2", "Ratio 3:2"),
        (LONG, "Scattering of light by particles much smaller than its…"),
        ("x" * 61, "x" * 59 + "…"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # shown as text, as every title is
    ],
)
def test_a_title_is_taken_out_of_what_was_written(written: str, title: str) -> None:
    assert title_from(written) == title


@pytest.mark.parametrize(
    "written",
    [
        *("", "   \n ", "🎉🎉", "...", "---", "**", '""', "```\n```", "\u202e"),
        *("Title:", "Untitled", '"None"', "New chat", "No title."),
        *("I'm sorry, but I cannot help with that.", "Sorry, no.", "As an AI, I have no name for it."),
        *("Es tut mir leid, das geht nicht.", "Leider nicht möglich", "Je suis désolé", "Lo siento", "抱歉，我不能"),
        *("<think>This never ends", "<thinking>Hm.</thinking>"),
        "word " * 30,
        '{"title": 3}',
    ],
)
def test_what_is_no_title_is_none(written: str) -> None:
    assert title_from(written) is None


@pytest.mark.parametrize(
    ("written", "questions"),
    [
        ('["Why?", "How?", "When?"]', ["Why?", "How?", "When?"]),
        ('["Why?", "why", "How?", "When?", "Where?"]', ["Why?", "How?", "When?"]),
        ('Sure:\n```json\n["**Why?**", "\\"How?\\""]\n```', ["Why?", "How?"]),
        ('<think>["Not this?"]</think>["Why?"]', ["Why?"]),
        ('{"questions": ["Why?"]}', ["Why?"]),
        ('["Why?", 3, null, ["How?"], ""]', ["Why?"]),
        ("1. Why is it so?\n2. How far?\nI hope this helps.", ["Why is it so?", "How far?"]),
        ("- 为什么？\n- どうして？", ["为什么？", "どうして？"]),
        (json.dumps(["x" * (MAX_FOLLOW_UP + 1), "x" * MAX_FOLLOW_UP]), ["x" * MAX_FOLLOW_UP]),
        ('["What is it"]', []),
        ('["🎉", "?", "Sorry, I cannot"]', []),
        ('["Two\\nlines?"]', ["Two lines?"]),
        *((nothing, []) for nothing in ("", "[]", "[", "[" * 100_000, "None come to mind.", '["unclosed')),
    ],
)
def test_follow_ups_are_taken_out_of_what_was_written(written: str, questions: list[str]) -> None:
    assert follow_ups_from(written, besides=["What is it?"]) == questions


PIECES = st.sampled_from(
    [
        *("Title: ", "<think>", "</think>", "**", "*", "`", "```\n", "_", "# ", "1. ", "- ", "\n", " ", ".", "?", "…"),
        *('"', "'", "“", "”", "«", "»", "{", "}", "[", "]", "](x)", '{"title": "', '["', '", "', '"]', "<b>"),
        *("sky", "blue", "天", "ق", "🎉", "👩‍💻", "\u202e", "\x00", "\ud800", "I'm sorry", "x" * 70, "7"),
    ]
)
WRITTEN = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


def shown_safely(line: str) -> None:
    assert line == " ".join(line.split())
    assert not {unicodedata.category(each) for each in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert any(each.isalnum() or unicodedata.category(each)[0] in "LN" for each in line)


@given(WRITTEN)
def test_whatever_was_written_a_title_is_one_short_line_that_can_be_stored(written: str) -> None:
    title = title_from(written)
    if title is not None:
        shown_safely(title)
        assert len(title) <= MAX_TITLE
        title.encode()


@given(WRITTEN)
def test_a_title_that_was_not_cut_stays_what_it_is_when_it_is_cleaned_again(written: str) -> None:
    title = title_from(written)
    if title is not None and not title.endswith("…"):
        assert title_from(title) in (title, None)


@given(WRITTEN, st.lists(WRITTEN, max_size=2))
def test_whatever_was_written_there_are_at_most_three_different_short_questions(
    written: str, besides: list[str]
) -> None:
    questions = follow_ups_from(written, besides=besides)
    assert len(questions) == len({question.casefold() for question in questions}) <= 3
    for question in questions:
        shown_safely(question)
        assert len(question) <= MAX_FOLLOW_UP


@pytest.mark.parametrize("part", ["\n", "[", "*a ", "[1,", "[](", "<think>", "`", "- ", "“”", " ", "[]"])
def test_whatever_a_model_writes_holds_nobody_up(part: str) -> None:
    """It is read in the event loop. What takes the square of its length takes seconds here."""
    written = (part * MAX_READ)[:MAX_READ]
    begun = time.process_time()
    title_from(written)
    follow_ups_from(written)
    assert time.process_time() - begun < 0.25
