from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from conversations import page_words
from tests.support.catalogues import write_catalogue

RULE = "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);"
PAGES = ["%(count)s strona", "%(count)s strony", "%(count)s stron"]


@pytest.fixture
def polish(tmp_path: Path, settings: Any) -> None:
    texts: dict[str, str | list[str]] = {"Stop": "Zatrzymaj", "%(count)s page\0%(count)s pages": PAGES}
    write_catalogue(tmp_path / "pl" / "LC_MESSAGES" / "djangojs.mo", texts, plural=RULE)
    settings.LOCALE_PATHS = [tmp_path]
    settings.LANGUAGES = [("en", "English"), ("pl", "polski")]
    page_words._words_in.cache_clear()


def test_a_language_without_a_catalogue_has_the_words_of_the_page() -> None:
    with translation.override("en"):
        words = page_words.page_words()
    assert words["texts"] == {}
    assert words["forms"].startswith("1011")
    assert len(words["forms"]) == page_words.COUNTED


def test_the_page_gets_its_texts_and_which_form_is_for_how_many(polish: None) -> None:
    with translation.override("pl"):
        words = page_words.page_words()
    assert words["texts"] == {"Stop": "Zatrzymaj", "%(count)s page": PAGES}
    forms = words["forms"]
    assert [forms[count] for count in (0, 1, 2, 5, 12, 22, 112, 122)] == list("20122121")
