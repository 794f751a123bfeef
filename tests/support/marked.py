"""A language for tests: English, each text of a catalogue between ⟦ and ⟧. Whatever is seen outside of those has not
been given to a catalogue.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import allauth
import django
from django.utils.translation.template import templatize

from tests.support.catalogues import texts_of, write_catalogue
from tests.support.environment import ROOT
from tests.support.javascript import messages

LANGUAGE = "ja"  # its dates and numbers have no letters of ours
PLURAL = "nplurals=2; plural=(n != 1);"
_ASKED = ("_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy")
_IN_TEMPLATES = re.compile(r"(?:\bn?gettext\(u?|_\()(\"[^\"]*\"|'(?:[^'\\]|\\.)*')(?:, u?('(?:[^'\\]|\\.)*'))?")
_LIBRARIES = (
    Path(allauth.__file__).parent / "locale",
    Path(django.__file__).parent / "conf/locale",
    *(Path(django.__file__).parent / "contrib" / name / "locale" for name in ("auth", "admin")),
)


def write_marked(place: Path) -> None:
    """The catalogues of our scripts, templates and modules, and of the libraries whose forms people see."""
    page = {
        found
        for path in (ROOT / "conversations/static/conversations").rglob("*.js")
        for found in messages(path.read_text())
    }
    pages = {tuple(text.split("\0")) for locale in _LIBRARIES for text in texts_of(locale / "de/LC_MESSAGES/django.mo")}
    pages |= {found for path in (ROOT / "templates").rglob("*.html") for found in _in_template(path)}
    code = (path for package in ("chatserver", "conversations") for path in (ROOT / package).rglob("*.py"))
    pages |= {found for path in code for found in _in_module(path)}
    _write(place, "djangojs", page)
    _write(place, "django", pages - {("",)})


def _write(place: Path, domain: str, texts: Iterable[tuple[str, ...]]) -> None:
    marked: dict[str, str | list[str]] = {}
    for forms in texts:
        said = [f"⟦{form.rpartition(chr(4))[2]}⟧" for form in forms]  # without its context
        marked["\0".join(forms)] = said if len(said) > 1 else said[0]
    write_catalogue(place / LANGUAGE / "LC_MESSAGES" / f"{domain}.mo", marked, plural=PLURAL)


def _in_template(path: Path) -> Iterator[tuple[str, ...]]:
    for found in _IN_TEMPLATES.finditer(templatize(path.read_text(), origin=path.name)):
        yield tuple(ast.literal_eval(text) for text in found.groups() if text)


def _in_module(path: Path) -> Iterator[tuple[str, ...]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ASKED:
            forms = node.args[: 2 if node.func.id.startswith("n") else 1]
            yield tuple(form.value for form in forms if isinstance(form, ast.Constant) and isinstance(form.value, str))
