"""Operations on numbers that cannot run away: whole numbers are exact up to a size, all others finite."""

import math
from collections.abc import Callable

Number = int | float

MAX_BITS = 4096  # of a whole number: some 1,200 digits, more than anybody reads
MAX_FACTORIAL = 500
MAX_ROUNDING = 300

CONSTANTS: dict[str, Number] = {"pi": math.pi, "π": math.pi, "e": math.e, "tau": math.tau}


class ArithmeticFault(ValueError):
    """Says in one sentence why there is no result."""


def combine(symbol: str, left: Number, right: Number) -> Number:
    """``symbol`` is one of + - * / // % **. Raises ArithmeticFault."""
    try:
        return _bounded(_combined(symbol, left, right))
    except ZeroDivisionError as fault:
        raise ArithmeticFault("Division by zero.") from fault
    except OverflowError as fault:
        raise _too_large() from fault


def call(name: str, values: list[Number]) -> Number:
    """``name`` is a key of FUNCTIONS. Raises ArithmeticFault."""
    function, least, most = FUNCTIONS[name]
    if not least <= len(values) <= most:
        raise ArithmeticFault(f"{name} cannot take {len(values)} numbers.")
    try:
        return _bounded(function(*values))
    except ArithmeticFault:
        raise
    except (ValueError, ZeroDivisionError) as fault:
        raise ArithmeticFault(f"{name} is not defined there.") from fault
    except OverflowError as fault:
        raise _too_large() from fault


def written(value: Number) -> str:
    """Whole numbers in full, others to 15 significant digits: 0.1 + 0.2 is 0.3."""
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return format(value, ".15g")


def _combined(symbol: str, left: Number, right: Number) -> Number:
    match symbol:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if isinstance(left, int) and isinstance(right, int) and left % right == 0:
                return left // right  # exact, also beyond the range of floats
            return left / right
        case "//":
            return left // right
        case "%":
            return left % right
        case _:
            return _power(left, right)


def _power(base: Number, exponent: Number) -> Number:
    # |base| is at least 2 ** (bits - 1): known to be too large before any time is spent on it.
    if isinstance(base, int) and isinstance(exponent, int) and (base.bit_length() - 1) * exponent > MAX_BITS:
        raise _too_large()
    result = base**exponent
    if isinstance(result, complex):
        raise ArithmeticFault("The result is not a real number.")
    return result


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise _too_large()
    elif not math.isfinite(value):
        raise _too_large()
    return value


def _factorial(value: Number) -> Number:
    if value != int(value) or not 0 <= value <= MAX_FACTORIAL:
        raise ArithmeticFault(f"factorial takes a whole number from 0 to {MAX_FACTORIAL}.")
    return math.factorial(int(value))


def _rounded(value: Number, digits: Number = 0) -> Number:
    if not isinstance(digits, int) or abs(digits) > MAX_ROUNDING:
        raise ArithmeticFault(f"round takes a whole number of digits up to {MAX_ROUNDING}.")
    return round(value, digits)


def _too_large() -> ArithmeticFault:
    return ArithmeticFault("The result is too large.")


_ANY = 1000
FUNCTIONS: dict[str, tuple[Callable[..., Number], int, int]] = {
    "sqrt": (math.sqrt, 1, 1),
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "tan": (math.tan, 1, 1),
    "log": (math.log, 1, 2),
    "ln": (math.log, 1, 1),
    "log10": (math.log10, 1, 1),
    "log2": (math.log2, 1, 1),
    "exp": (math.exp, 1, 1),
    "abs": (abs, 1, 1),
    "round": (_rounded, 1, 2),
    "min": (lambda *values: min(values), 1, _ANY),
    "max": (lambda *values: max(values), 1, _ANY),
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "factorial": (_factorial, 1, 1),
}
