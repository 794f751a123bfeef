import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streaming.providers.thinking import Split, ThinkSplitter

PAIRS = [
    *((f"<{word}>", f"</{word}>") for word in ("think", "thinking", "reason", "reasoning", "thought", "Thought")),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("◁think▷", "◁/think▷"),
]
every_pair = pytest.mark.parametrize(("opening", "closing"), PAIRS)


def split(*pieces: str) -> Split:
    splitter = ThinkSplitter()
    parts = [*map(splitter.feed, pieces), splitter.flush()]
    return Split("".join(part.thinking for part in parts), "".join(part.content for part in parts))


@every_pair
def test_tagged_thinking_is_taken_out_and_trimmed(opening, closing):
    assert split(f" \n{opening}\nHm.\n{closing}\n\n2 + 2 = 4 < 5 ") == Split("Hm.", "2 + 2 = 4 < 5 ")


@every_pair
def test_every_single_character_may_come_alone(opening, closing):
    assert split(*f"{opening}\nHm \n so.\n{closing}\n\nYes.") == Split("Hm \n so.", "Yes.")


@every_pair
def test_an_opening_tag_that_never_closes_makes_all_of_it_thinking(opening, closing):
    assert split(*f"{opening}\nI keep going {closing[:-1]}") == Split(f"I keep going {closing[:-1]}", "")


@every_pair
def test_a_closing_tag_alone_is_dropped_and_what_was_sent_stays(opening, closing):
    assert split(*f"So.\n{closing}\n\nYes.") == Split("", "So.\n\n\nYes.")


@every_pair
def test_a_closing_tag_at_the_very_start_leaves_a_clean_answer(opening, closing):
    assert split(*f"\n{closing}\n\nYes.") == Split("", "Yes.")


@every_pair
def test_an_opening_tag_inside_the_answer_is_text_and_so_is_its_end(opening, closing):
    text = f"Write {opening}this{closing} or {closing}."
    assert split(*text) == Split("", text)


@every_pair
def test_only_its_own_closing_tag_closes(opening, closing):
    others = "".join(tag for pair in PAIRS for tag in pair if tag != closing)
    assert split(*f"{opening}a{others}b{closing}c") == Split(f"a{others}b", "c")


def test_only_the_first_lone_closing_tag_is_dropped():
    assert split("a</think>b</think>c") == Split("", "ab</think>c")


def test_tags_after_a_closed_thought_are_text():
    assert split("<think>a</think>b<think>c</think>") == Split("a", "b<think>c</think>")


def test_an_empty_thought_leaves_nothing():
    assert split("<think>\n\n</think>\n\nYes.") == Split("", "Yes.")


def test_white_space_that_leads_to_no_tag_is_kept():
    assert split(*"\n\n  Yes. ") == Split("", "\n\n  Yes. ")


def test_white_space_alone_is_an_answer():
    assert split(" ", "\n") == Split("", " \n")


@pytest.mark.parametrize(
    "text", ["<", "<th", "<b>bold</b>", "< think>", "<Think>", "<|im_start|>", "◁", "a <", "a </thin"]
)
def test_what_only_looks_like_a_tag_is_text(text):
    assert split(*text) == Split("", text)


def test_a_bare_angle_bracket_passes_as_soon_as_it_cannot_be_a_tag():
    splitter = ThinkSplitter()
    assert splitter.feed("4 <") == Split("", "4 ")
    assert splitter.feed(" ") == Split("", "< ")
    assert splitter.feed("5 < 6") == Split("", "5 < 6")


@pytest.mark.parametrize("text", ["a <table", "a </th>", "a <b", "a ◁x", "a </thinker"])
def test_what_only_begins_like_a_tag_passes_at_once(text):
    splitter = ThinkSplitter()
    assert splitter.feed("a ") == Split("", "a ")
    assert splitter.feed(text) == Split("", text)


def test_text_that_is_no_tag_is_not_held_back():
    splitter = ThinkSplitter()
    assert splitter.feed("The") == Split("", "The")
    assert splitter.feed(" sky") == Split("", " sky")


def test_after_a_thought_even_an_angle_bracket_at_the_end_passes_at_once():
    splitter = ThinkSplitter()
    splitter.feed("<think>a</think>4 ")
    assert splitter.feed("<") == Split("", "<")


def test_thinking_is_given_out_while_it_comes():
    splitter = ThinkSplitter()
    assert splitter.feed("<think>\nSim") == Split("Sim", "")
    assert splitter.feed("ple sum. ") == Split("ple sum.", "")
    assert splitter.feed("Yes") == Split(" Yes", "")


alphabet = [
    "<",
    "</",
    "think>",
    "thinking>",
    "<think>",
    "</think>",
    "◁",
    "◁think▷",
    "◁/think▷",
    " ",
    "\n",
    "a",
    "b<c",
    ">",
]
alphabet += ["<|begin_of_thought|>", "<|end_of_thought|>", "<Thought>", "</Thought>", "\u2028", "🙂"]


@given(st.lists(st.sampled_from(alphabet)).map("".join), st.lists(st.integers(min_value=0)))
@example("<think>\na \n</think>\n b", list(range(30)))
def test_the_cuts_do_not_matter(text, cuts):
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    assert split(*(text[a:b] for a, b in itertools.pairwise(edges))) == split(text)


@given(st.lists(st.sampled_from([*alphabet, "X", "YX"])).map("".join))
def test_no_letter_outside_the_tags_is_lost_or_moved(text):
    assert re.sub("[^XY🙂]", "", "".join(split(*text))) == re.sub("[^XY🙂]", "", text)
