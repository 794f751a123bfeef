"""An answer that is to have a form: how it is asked for, what of it is told when, and whether it has the form. Pure.

Its text is withheld until the model is done, because what readers have seen cannot be taken back, and a program wants
the one text that can be read, not the attempts at it (docs/decisions/0031). Reasoning and tools are told as ever.
"""

import json
import math
from typing import Any

import msgspec
from msgspec.structs import replace

from streaming.protocol.errors import ErrorObject
from streaming.protocol.json_schema import TooMuch, mismatch
from streaming.protocol.objects import Run
from streaming.protocol.response_format import ResponseFormat, Structured
from streaming.providers.base import PromptMessage

NOT_JSON = "not_json"
SCHEMA_MISMATCH = "schema_mismatch"
NOT_CHECKED = "not_checked"

_FENCE = "```"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``text`` is what is to be told, without a fence around it; ``error`` is None where it has the form."""

    text: str
    error: ErrorObject | None = None


class Withheld:
    """The text of a structured answer while the model is at it. ``outcome`` is what is known of it.

    What an earlier run or process has told of an answer stands: then the rest is told as it comes, and the model is not
    asked a second time.
    """

    def __init__(self, outcome: Structured, *, told: bool) -> None:
        self.outcome = outcome
        self.told = told
        self._pieces: list[str] = []
        self._before = ""

    def take(self, piece: str) -> str:
        """What of a new piece is told now."""
        if self.told:
            return piece
        self._pieces.append(piece)
        return ""

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def take_out(self) -> str:
        """The text of a turn that went on to call tools: the model's words on its way, no part of the answer."""
        text, self._pieces = self.text, []
        return text

    def settle(self, verdict: Verdict) -> bool:
        """Whether the answer stays as it is. If not, the model is to be asked once more."""
        repaired = self.outcome.repaired
        if verdict.error is None:
            self.outcome = replace(self.outcome, valid=True)
        elif self.told or repaired or verdict.error.code == NOT_CHECKED:
            self.outcome = replace(self.outcome, valid=False, error=verdict.error)
        else:
            self.outcome = replace(self.outcome, repaired=True, error=verdict.error)
            self._before, self._pieces = self.text, []
            return False
        self._pieces = [verdict.text]
        return True

    def rest(self) -> str:
        """The run ends: what is to be told yet. The model's last try, if it has said anything, else the one before."""
        text, self._pieces = self.text or self._before, []
        return "" if self.told else text


def withheld_of(run: Run, *, told: bool) -> Withheld | None:
    """None for an answer that may have any form."""
    if run.structured is None:
        return None
    # Nobody has seen what another process had before it died: the model is asked anew, with another try to come.
    return Withheld(Structured(), told=told)


def judge(text: str, response_format: ResponseFormat, *, told: bool = False) -> Verdict:
    """Whether ``text`` is JSON of that form. The one block of code that it may be is opened, unless it was ``told``.

    Takes up to a second or two: not for the event loop.
    """
    if not told:
        text = _without_fence(text)
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        return Verdict(text=text, error=ErrorObject(code=NOT_CHECKED, message="The answer is nested too deeply."))
    except ValueError as fault:
        return Verdict(text=text, error=ErrorObject(code=NOT_JSON, message=f"The answer is not JSON: {fault}."))
    return Verdict(text=text, error=_fault(value, response_format))


def instructions(response_format: ResponseFormat) -> str:
    """What the model is told, whatever its server makes of the form: a grammar forces the words, but does not say what
    they are for; and OpenAI wants the word JSON to be there.
    """
    asked = "Answer with one JSON object and nothing else: no words around it, no code fence."
    wanted = response_format.json_schema
    if wanted is None:
        return asked
    about = f" ({wanted.description})" if wanted.description else ""
    return f"{asked} It must be valid against this JSON Schema, {wanted.name}{about}:\n{_compact(wanted.schema)}"


def with_instructions(system_prompt: str, response_format: ResponseFormat | None) -> str:
    if response_format is None:
        return system_prompt
    return f"{system_prompt.rstrip()}\n\n{instructions(response_format)}".lstrip()


def once_more(said: str, error: ErrorObject) -> tuple[PromptMessage, PromptMessage]:
    """The answer that is not as it should be, and what the model is told about it."""
    at = (error.details or {}).get("at")
    place = f" (at {at})" if at else ""
    asking = f"{error.message}{place}\nAnswer again: the whole of the corrected JSON, and nothing else."
    return (
        PromptMessage(role="assistant", content=said if said.strip() else "(no answer)"),
        PromptMessage(role="user", content=asking),
    )


def _without_fence(text: str) -> str:
    """A habit of many models is to give the whole answer as one block of code: then what is in it, else ``text``."""
    block = text.strip()
    if not (block.startswith(_FENCE) and block.endswith(_FENCE) and len(block) > 2 * len(_FENCE)):
        return text
    inner = block[len(_FENCE) : -len(_FENCE)]
    language, newline, rest = inner.partition("\n")
    if not newline:
        return inner.removeprefix("json").strip()
    return rest.strip() if language.strip().lower() in ("", "json") else text


def _fault(value: Any, response_format: ResponseFormat) -> ErrorObject | None:
    schema = response_format.schema
    if schema is None:
        if isinstance(value, dict):
            return None
        return ErrorObject(code=SCHEMA_MISMATCH, message="The answer is JSON, but not an object.", details={"at": "$"})
    try:
        found = mismatch(value, schema)
    except TooMuch:
        message = "The answer is too large or too deep to be checked against its schema."
        return ErrorObject(code=NOT_CHECKED, message=message)
    if found is None:
        return None
    message = f"The answer does not fit its schema: {found.message}."
    return ErrorObject(code=SCHEMA_MISMATCH, message=message, details={"at": found.at})


def _compact(schema: Any) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits[:20]} is too large a number")
    return value
