"""Arithmetic expressions, worked out while they are read. Nothing of Python is evaluated, and every size is bounded.

expression  = term { ("+" | "-") term }
term        = unary { ("*" | "/" | "//" | "%") unary }
unary       = ("+" | "-") unary | power
power       = atom [ ("**" | "^") unary ]
atom        = number | constant | function "(" expression { "," expression } ")" | "(" expression ")"
"""

import re

from streaming.tools.numbers import CONSTANTS, FUNCTIONS, ArithmeticFault, Number, call, combine, written

__all__ = ["ArithmeticFault", "evaluate", "written"]

MAX_LENGTH = 1000
MAX_DEPTH = 50  # each level costs Python about six frames of its thousand

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# 1,234,567.8: only where a comma cannot part two arguments.
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9,.eE])")
_NAME = re.compile(r"[A-Za-zπ][A-Za-z0-9_]*")
_SAME = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-"})


def evaluate(expression: str) -> Number:
    """Raises ArithmeticFault with a sentence for what cannot be worked out. ``log`` is the natural logarithm."""
    if len(expression) > MAX_LENGTH:
        raise ArithmeticFault(f"The expression is longer than {MAX_LENGTH} characters.")
    return _Reader(expression.translate(_SAME)).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._commas_part = False  # inside a function's brackets

    def read(self) -> Number:
        if not self._text.strip():
            raise ArithmeticFault("There is nothing to work out.")
        value = self._expression()
        if self._peek():
            raise self._unexpected()
        return value

    def _expression(self) -> Number:
        value = self._term()
        while symbol := self._accept("+", "-"):
            value = combine(symbol, value, self._term())
        return value

    def _term(self) -> Number:
        value = self._unary()
        while symbol := self._accept("//", "*", "/", "%"):
            value = combine(symbol, value, self._unary())
        return value

    def _unary(self) -> Number:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ArithmeticFault(f"The expression is nested deeper than {MAX_DEPTH} levels.")
        sign = self._accept("+", "-")
        value = self._unary() if sign else self._power()
        self._depth -= 1
        return -value if sign == "-" else value

    def _power(self) -> Number:
        base = self._atom()
        if self._accept("**", "^"):
            return combine("**", base, self._unary())
        return base

    def _atom(self) -> Number:
        self._peek()
        if not self._commas_part and (found := self._match(_THOUSANDS)):
            found = found.replace(",", "")
            return float(found) if "." in found else int(found)
        if found := self._match(_NUMBER):
            if self._commas_part and found.isdecimal() and found[0] == "0" and found != "0":
                raise ArithmeticFault(f"{found} is not a number here: write 1000, not 1,000.")
            return combine("+", 0, int(found) if found.isdecimal() else float(found))
        if found := self._match(_NAME):
            return self._named(found)
        if self._accept("("):
            return self._in_brackets(commas_part=False)[0]
        raise self._unexpected()

    def _named(self, name: str) -> Number:
        known = name.lower()
        if known in FUNCTIONS:
            if not self._accept("("):
                raise ArithmeticFault(f"{name} is a function: write {name}(…).")
            return call(known, self._in_brackets(commas_part=True))
        if known in CONSTANTS:
            return CONSTANTS[known]
        raise ArithmeticFault(f"{name!r} is not known here. Only numbers, operators and functions can be worked out.")

    def _in_brackets(self, *, commas_part: bool) -> list[Number]:
        outside, self._commas_part = self._commas_part, commas_part
        values = [self._expression()]
        while commas_part and self._accept(","):
            values.append(self._expression())
        if not self._accept(")"):
            raise self._unexpected()
        self._commas_part = outside
        return values

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _accept(self, *symbols: str) -> str:
        """The first of ``symbols`` that comes next, taken; or nothing. ``*`` is not the half of ``**``."""
        self._peek()
        for symbol in symbols:
            if self._text.startswith(symbol, self._at) and not (
                symbol == "*" and self._text.startswith("**", self._at)
            ):
                self._at += len(symbol)
                return symbol
        return ""

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _unexpected(self) -> ArithmeticFault:
        symbol = self._peek()
        if not symbol:
            return ArithmeticFault("The expression ends too early.")
        return ArithmeticFault(f"{symbol!r} was not expected at character {self._at + 1}.")
