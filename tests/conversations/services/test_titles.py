import pytest

from conversations.services.run_rows import TITLE_LENGTH, title_from


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("  \n# A short guide\nto tides", "A short guide"),
        ("> - **quoted**", "quoted**"),
        ("---", "---"),
        ("x" * 200, "x" * TITLE_LENGTH + "…"),
    ],
)
def test_a_thread_is_called_by_the_first_line_of_its_question(question: str, title: str):
    assert title_from(question) == title
