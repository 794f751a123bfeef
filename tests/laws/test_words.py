"""Whatever the page says can be said in another language: no English stands in a component or a template but through
``gettext`` and ``translate``, as plain strings, which is what makemessages finds.

What has no sign of being a sentence (a single small word in a script) is not seen here; tests/browser/test_words.py
looks at the page itself.
"""

import re
from html.parser import HTMLParser

import pytest

from tests.laws.laws import Found, Source, pages
from tests.support.javascript import GAP, Literal, calls, literals

WORDS = "conversations/static/conversations/words.js"  # passes on what it is given
# Names, which are the same in every language.
NAMES = {
    *("chatserver", "ollama.com/download", "llama3.2", "WebSocket", "Server-Sent Events"),
    *("Edge", "Opera", "Samsung Internet", "Firefox", "Chrome", "Safari", "Android", "Windows", "Linux"),
}
# What scripts say to the browser, and not to people.
CODE = {
    *("Escape", "Enter", "Tab", "Accept", "Files", "Dockerfile", "Makefile", "noopener noreferrer nofollow", "the end"),
}
SPOKEN = {
    "title",
    "aria-label",
    "aria-description",
    "aria-roledescription",
    "aria-valuetext",
    "placeholder",
    "alt",
    "label",
}
ASKING = {"matchMedia", "matches", "closest", "querySelector", "querySelectorAll"}  # are given selectors
WORD = re.compile(r"[^\W\d_]{2,}")
# In a script: two words with a space between them, one beside a value or with a capital letter, or what goes on.
SENTENCE = re.compile(
    rf"[^\W\d_]{{2,}}[,:.]? +[^\W\d_]|^[A-Z][a-z]+\W*$|[^\W\d_]…|{GAP} [^\W\d_]{{2,}}|[^\W\d_]{{2,}} {GAP}"
)
UNITS = re.compile(rf"{GAP}\s*(?:s|min|[kMGT]?B)\b")
# Commands to copy, keys of tables, and classes.
UNSAID = re.compile(rf"^(?:ollama|[A-Z_]+=\S+ make) |^(?:approval|step|code-tool) {GAP}$")
FILTERED = re.compile(r"""\{\{[^}]*\|default(?:_if_none)?:["'][^"'}]*[^\W\d_]{2}[^}]*\}\}""")
TAGS = re.compile(
    r"\{% block bodyclass %\}.*?\{% endblock %\}|\{%\s*(?:blocktranslate|comment)\b.*?\{%\s*end\w+\s*%\}"
    r"|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}",
    re.DOTALL,
)


class Visible(HTMLParser):
    """The words in a piece of HTML that somebody sees or hears, with their lines."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._silent = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("code", "kbd", "script", "style"):
            self._silent = tag
        for name, value in attrs:
            kind = dict(attrs).get("type")
            if name in SPOKEN or (name == "value" and tag == "input" and kind in ("submit", "button")):
                self._see(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._see(data)

    def _see(self, text: str) -> None:
        said = " ".join(UNITS.sub("", text).replace(GAP, " ").split())
        if WORD.search(said.replace("·", "")) and said.strip("· ") not in NAMES:
            self.found.append((self.getpos()[0], said))


def the_page_speaks_through_the_catalogue(source: Source) -> Found:
    if source.path.endswith(".html"):
        for tag in FILTERED.finditer(source.text):
            yield source.text.count("\n", 0, tag.start()) + 1, tag[0]
        # What a template's tag takes stands on as many lines as before.
        yield from Visible(TAGS.sub(lambda found: "\n" * found[0].count("\n"), source.text)).found
        return
    for one in literals(source.text):
        if one.tag == "html":
            yield from ((one.line + line - 1, said) for line, said in Visible(one.text).found)
        elif is_said(one):
            yield one.line, one.text.replace(GAP, "${…}")
    for call in calls(source.text):
        if call.name.rpartition(".")[2] in ("gettext", "ngettext") and not call.plain and source.path != WORDS:
            yield call.line, f"{call.name} of what is no plain string"


def is_said(one: Literal) -> bool:
    text = UNITS.sub("", one.text)
    wrapped = one.tag is None and one.call in ("gettext", "ngettext")
    if wrapped or one.call in ASKING or one.text in NAMES | CODE:
        return False
    return bool(SENTENCE.search(text)) and not text.startswith("<") and not UNSAID.match(text)


def test_the_page_speaks_through_the_catalogue() -> None:
    sources = [source for source in pages() if source.path.startswith(("conversations/", "templates/"))]
    assert len(sources) > 100
    assert [
        (source.path, *found) for source in sources for found in the_page_speaks_through_the_catalogue(source)
    ] == []


SCRIPT = "conversations/static/conversations/x.js"
SHELL = "templates/x.html"


@pytest.mark.parametrize(
    ("path", "breach", "fine"),
    [
        (SCRIPT, "html`<p>Nothing here</p>`", 'html`<p>${gettext("Nothing here")}</p>`'),
        (SCRIPT, "html`<p>${a ? html`<b>one</b>` : ''}</p>`", "html`<p>${a ? html`<b>${one}</b>` : ''}</p>`"),
        (SCRIPT, "html`<b title='Close'></b>`", "html`<b class='close it' title=${word}></b>`"),
        (SCRIPT, "html`<b aria-label='Close'></b>`", "html`<b aria-labelledby='close'></b>`"),
        (SCRIPT, "html`<input placeholder='a name' />`", "html`<input name='a name' placeholder=${name} />`"),
        (SCRIPT, "html`<img alt='a picture' />`", "html`<img alt='' />`"),
        (SCRIPT, "html`<a>chatserver is here</a>`", "html`<a>chatserver</a> <code>ollama pull</code>`"),
        (SCRIPT, 'say(busy ? "Sending…" : gettext("Done"))', 'say(busy ? gettext("Sending…") : "")'),
        (SCRIPT, 'el.title = "Close"', 'el.title = gettext("Close")'),
        (SCRIPT, "return `${name} is there.`;", "return `${size / 1000} kB`;"),
        (SCRIPT, "gettext(`${name} is there.`)", 'gettext("%(name)s is there.", { name })'),
        (SCRIPT, "gettext(text)", 'gettext(\n  "Text",\n)'),
        (
            SCRIPT,
            'ngettext("%(count)s page", `${count} pages`, count)',
            '// "A comment that is read by nobody"\nlet a;',
        ),
        (SCRIPT, 'let a = /"/.test(b) ? "A quote is in it" : ""', 'let a = /["`]/.test(b) ? "" : gettext("A quote")'),
        (SHELL, "<p>Nothing here</p>", '<p>{% translate "Nothing here" %}</p>'),
        (SHELL, '<a title="Close"></a>', '<a title="{% translate "Close" %}"></a>'),
        (SHELL, '<input type="submit" value="Save">', '<input type="hidden" value="save it">'),
        (SHELL, '{{ title|default:"Untitled" }}', '{{ title|default:_("Untitled") }} {{ model|default:"–" }}'),
        (
            SHELL,
            "{% if more %}more than{% endif %} {{ count }}",
            "{% blocktranslate %}more than {{ a }}{% endblocktranslate %}",
        ),
    ],
)
def test_a_breach_is_seen(path: str, breach: str, fine: str) -> None:
    assert list(the_page_speaks_through_the_catalogue(Source(path, breach)))
    assert not list(the_page_speaks_through_the_catalogue(Source(path, fine)))


@pytest.mark.parametrize("word", sorted(NAMES | CODE))
def test_what_is_allowed_is_still_there(word: str) -> None:
    assert any(word in source.text for source in pages())
