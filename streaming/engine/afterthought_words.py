"""What a model wrote when it was asked for a title or for questions, made fit to be shown; nothing, where it is none.

It is untrusted text like every other, and models do not keep to what they are told: they think aloud, greet, label,
quote, decorate, apologise. Pure.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator

from streaming.protocol.text import clean

MAX_TITLE = 60  # characters; what the list of threads shows of one
MAX_RAMBLING = 2 * MAX_TITLE  # what is longer is no title that went on a little, but something else
MAX_FOLLOW_UP = 120
FOLLOW_UPS = 3
MAX_READ = 8_000  # characters of what was written; whoever writes more has not understood
# Of one line: what is longer becomes neither, and the patterns below may take the square of its length, in the event
# loop.
MAX_LINE = 500

_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning)>.*?(</\1>|\Z)", re.S | re.I)
_FENCE = re.compile(r"^[^\S\n]*(?:```|~~~).*$", re.M)
_TAG = re.compile(r"</?(?:b|i|em|strong|u|p|br|span|title|question|answer|h[1-6]|q|code|pre)\s*/?>", re.I)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
# A hyphen is a mark only with a space behind it, as are a number and a sharp: "-1 is a number", "1.5 litres", "#metoo".
_LINE_MARK = re.compile(r"^(?:[#>*+–•-]+\s+|\(?\d{1,2}[.)]\s+)+")
# In pairs, so that "2 * 3" and "C*" stay; underscores only around all of it, since names have them.
_EMPHASIS = re.compile(r"(\*{1,3}|`+|~~)(?=\S)(.*?\S)\1|^(_{1,2})(?=\S)(.*\S)\3$")
_LABEL = re.compile(
    r"^(?:(?:the|a|suggested|short|chat|conversation|thread|possible)\s+)*"
    r"(?:title|titel|titre|título|titulo|titolo|tytuł|заголовок|название|标题|標題|タイトル|제목|عنوان|başlık|"
    r"question|frage|pregunta|domanda|pergunta|q\d?)"
    r"(?:\s+(?:of|for)\s+(?:this|the)\s+(?:chat|conversation|thread))?\s*[:：]\s*",
    re.I,
)
# The ends of what stands in quotes, as the languages have them.
_QUOTES = frozenset(
    ('""', "''", "``", "“”", "„“", "„”", "””", "‘’", "‚‘", "’’", "«»", "»«", "‹›", "›‹", "「」", "『』", "《》", "〈〉")
)
_STRAY = '"“”„«»‹›「」『』《》＂'
_NO_TITLE = re.compile(
    r"(?:no |your )?(?:title|name)|untitled|none|null|n/a|unknown|new (?:chat|thread|conversation)", re.I
)
_APOLOGY = re.compile(
    r"(?:(?:i['’]?m|i am) (?:very |so |really )?(?:sorry|afraid|unable|not able|an ai)|sorry\b|as an ai\b|"
    r"i (?:cannot|can['’]?t|can not|apologi[sz]e|don['’]?t|do not)\b|(?:my )?apologies\b|unfortunately\b|"
    r"es tut mir leid|tut mir leid|entschuldigung\b|leider\b|ich kann (?:nicht|kein|dir|ihnen|leider)|als ki\b|"
    r"(?:je suis )?désolé|je ne peux pas|lo siento|no puedo\b|mi dispiace|non posso\b|desculpe|sinto muito|"
    r"przepraszam|niestety\b|извините|простите|к сожалению|я не могу|抱歉|对不起|對不起|很抱歉|申し訳|すみません|죄송)",
    re.I,
)
# Those that change the direction of what stands beside a title; joiners stay, since emoji and whole scripts need them.
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad")
_LINE_END = re.compile(r"[\r\n]+")
_JOINER = "\u200d"
_ENDS = ".。．｡,:：，、-–— "
_QUESTION_MARKS = ("?", "？", "؟", ";", "՞", "፧")


def title_from(written: str) -> str | None:
    """A title of at most 60 characters on one line, or None where there is none in it."""
    text = _without_thoughts(written)
    if isinstance(found := _json_in(text, "{"), dict):
        text = next((value for value in found.values() if isinstance(value, str)), "")
    lines = [line for line in map(str.strip, _LINE_END.split(text)) if line]
    # "Here is a title:" and "<question>" on lines of their own are said before it.
    while len(lines) > 1 and (lines[0].endswith((":", "：")) or not _has_word(_line(lines[0]))):
        del lines[0]
    line = _line(lines[0]) if lines else ""
    if len(line) > MAX_RAMBLING or _APOLOGY.match(line) or _NO_TITLE.fullmatch(line):
        return None
    line = _shortened(line.rstrip(";"), MAX_TITLE)
    return line if _has_word(line) else None


def follow_ups_from(written: str, *, besides: Iterable[str] = ()) -> list[str]:
    """Up to three different questions of at most 120 characters each, none of which is one of ``besides``."""
    text = _without_thoughts(written)
    known = {_folded(each) for each in besides}
    questions: list[str] = []
    for candidate in _candidates(text):
        question = _line(candidate)
        if not 0 < len(question) <= MAX_FOLLOW_UP or not _has_word(question) or _APOLOGY.match(question):
            continue
        if _folded(question) not in known:
            known.add(_folded(question))
            questions.append(question)
    return questions[:FOLLOW_UPS]


def _candidates(text: str) -> Iterator[str]:
    """The texts of the list that was asked for; without one, the lines that are questions."""
    found = _json_in(text, "[")
    if isinstance(found, list):
        yield from (each for each in found if isinstance(each, str))
    else:
        yield from (line for line in _LINE_END.split(text) if _line(line).endswith(_QUESTION_MARKS))


def _without_thoughts(written: str) -> str:
    text = _THOUGHT.sub("\n", clean(written[:MAX_READ]))
    # Where the template has opened the thinking, only its end is told.
    _, _, text = text.rpartition("</think>")
    return _FENCE.sub("", text)


def _json_in(text: str, opens: str) -> object:
    """What stands there as JSON from the first ``opens`` on; None for anything else."""
    _, found, rest = text.partition(opens)
    try:
        value, _ = json.JSONDecoder().raw_decode(found + rest)
    except (ValueError, RecursionError):
        return None
    return value


def _line(text: str) -> str:
    """One line without its decoration. What takes something off may uncover something else, so it goes round until
    nothing comes off.
    """
    line = _printable(_LINK.sub(r"\1", _TAG.sub(" ", text[:MAX_LINE])))
    while True:
        before = line
        line = _LABEL.sub("", _EMPHASIS.sub(r"\2\4", _LINE_MARK.sub("", line))).strip()
        line = _without_end(_unquoted(line))
        if line == before:
            return line


def _printable(text: str) -> str:
    """Without what cannot be seen; whatever broke or padded it is one space."""
    kept = (" " if unicodedata.category(each) == "Cc" else each for each in clean(text) if each not in _TURNS)
    return " ".join("".join(kept).split())


def _unquoted(line: str) -> str:
    """Without the quotes around all of it, or one that is left of them; quotes inside stay."""
    if len(line) > 1 and line[0] + line[-1] in _QUOTES and not {line[0], line[-1]} & set(line[1:-1]):
        return line[1:-1].strip()
    if sum(line.count(mark) for mark in _STRAY) == 1:
        return line.strip(_STRAY).strip()
    return line


def _without_end(line: str) -> str:
    """No full stop; an ellipsis stays."""
    return line if line.endswith(("...", "…")) else line.rstrip(_ENDS)


def _shortened(line: str, most: int) -> str:
    """Cut at a word where one ends in its second half."""
    if len(line) <= most:
        return line
    cut = line[:most]
    space = cut.rfind(" ")
    return cut[: space if space > most // 2 else most - 1].rstrip(_ENDS + _JOINER) + "…"


def _has_word(text: str) -> bool:
    """Whether there is a letter or a digit of any script in it."""
    return any(unicodedata.category(each)[0] in "LN" for each in text)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip("".join(_QUESTION_MARKS) + ". ")
