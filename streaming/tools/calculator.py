"""The calculator tool: models guess at numbers."""

from typing import Annotated

from streaming.tools.arithmetic import ArithmeticFault, evaluate, written
from streaming.tools.base import ToolFailed, tool


@tool(title="Calculator", deadline=5.0)
def calculator(
    expression: Annotated[
        str,
        "For example (2 + 3) * 4 ** 2. Operators + - * / // % **, constants pi and e, functions sqrt, sin, cos, tan "
        "(radians), ln, log10, log(x, base), exp, abs, round, min, max, floor, ceil, factorial",
    ],
) -> str:
    """Work out an arithmetic expression, exactly for whole numbers."""
    try:
        return written(evaluate(expression))
    except ArithmeticFault as fault:
        raise ToolFailed(str(fault)) from fault
