"""The words of the page's modules in a reader's language, as its ``words.js`` takes them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.translation import get_language
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JavaScriptCatalog

# What is said of so many things decides for all others: plural rules look at the last two digits, and at the smallest
# numbers by themselves. The page could not evaluate the rule, which is an expression in C, and need not.
COUNTED = 200
LOCALES = Path(__file__).parent / "locale"


def page_words() -> dict[str, Any]:
    """For the active language: ``texts`` by their English, and ``forms``, a digit for each of 0, 1, 2 … 199 things."""
    return _words_in(get_language() or "en")


@lru_cache(maxsize=64)
def _words_in(language: str) -> dict[str, Any]:
    catalogue = JavaScriptCatalog()
    # The settings' LOCALE_PATHS come before these. Django's own texts are the administration's.
    catalogue.translation = DjangoTranslation(language, domain="djangojs", localedirs=[str(LOCALES)])
    forms = "".join(str(catalogue.translation.plural(count)) for count in range(COUNTED))
    return {"texts": catalogue.get_catalog(), "forms": forms}
