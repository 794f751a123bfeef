import pytest

from tests.bench.page import BEGIN, END, PAGE, written_into


def test_the_table_takes_the_place_of_the_one_before() -> None:
    page = f"# A title\n\n{BEGIN}\n\n| old |\n\n{END}\n\nwhat follows\n"
    assert written_into(page, "| new |") == f"# A title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nwhat follows\n"


@pytest.mark.parametrize("page", ["# A title\n", f"{BEGIN}\n| old |\n", f"| old |\n{END}\n"])
def test_a_page_without_a_place_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        written_into(page, "| new |")


def test_the_page_has_its_place() -> None:
    assert "| new |" in written_into(PAGE.read_text(), "| new |")
