"""The words of the page's modules in a reader's language, as its ``words.js`` takes them."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JavaScriptCatalog

# What is said of so many things decides for all others: plural rules look at the last two digits, and at the smallest
# numbers by themselves. The page could not evaluate the rule, which is an expression in C, and need not.
COUNTED = 200


def page_words() -> dict[str, Any]:
    """For the active language: ``texts`` by their English, and ``forms``, a digit for each of 0, 1, 2 … 199 things."""
    return _words_in(get_language() or "en")


@lru_cache(maxsize=64)
def _words_in(language: str) -> dict[str, Any]:
    catalogue = JavaScriptCatalog()
    # Of the settings' places alone: Django's own texts are the administration's.
    places = [str(place) for place in settings.LOCALE_PATHS]
    catalogue.translation = DjangoTranslation(language, domain="djangojs", localedirs=places)
    forms = "".join(str(catalogue.translation.plural(count)) for count in range(COUNTED))
    return {"texts": catalogue.get_catalog(), "forms": forms}
