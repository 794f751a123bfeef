"""A line chart as SVG, readable in light and in dark, with the points' values beside them. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.bench.table import number

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 24, 46, 84
# Told apart by their dashes and marks as well as by their colours.
_DASHES = ("", "7 4", "2 4", "9 3 2 3", "12 4")
_BESIDE = (-8, 16, -20, 28)  # where a value may stand, above its point and below
_STYLE = """
  :root { --ink: #1f2328; --faint: #d1d9e0; --ground: #ffffff; --s0: #0969da; --s1: #bc4c00; --s2: #1a7f37;
    --s3: #8250df; --s4: #57606a }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6edf3; --faint: #30363d; --ground: #0d1117; --s0: #58a6ff; --s1: #f0883e; --s2: #3fb950;
      --s3: #bc8cff; --s4: #8b949e }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink) }
  .title { font-size: 15px; font-weight: 600 }
  .value { font-size: 10px }
  .ground { fill: var(--ground) }
  .grid { stroke: var(--faint) }
  .line { fill: none; stroke-width: 2 }
"""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """``lines`` by name, each with its points from left to right. What spans more than a factor of 20 is drawn on a
    logarithmic axis; y begins at nothing.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Points]

    def svg(self) -> str:
        across = sorted({x for points in self.lines.values() for x, _ in points})
        top = _above(max(y for points in self.lines.values() for _, y in points))
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{escape(self.title)}">',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>',
            _text(_LEFT, 22, self.title, anchor="start", kind="title"),
            _text(_LEFT, 38, self.y, anchor="start"),
            _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - _BOTTOM + 36, self.x),
        ]
        for step in range(5):
            y = _down(top * step / 4, top)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(_text(_LEFT - 8, y + 4, number(top * step / 4) if step else "0", anchor="end"))
        parts += [_text(_along(x, across), _HEIGHT - _BOTTOM + 18, f"{x:,g}") for x in across]
        taken: list[tuple[float, float]] = []
        for place, (name, points) in enumerate(self.lines.items()):
            parts += self._line(place, name, [(_along(x, across), _down(y, top), y) for x, y in points], taken)
        return "\n".join([*parts, "</svg>", ""])

    def _line(
        self, place: int, name: str, points: Sequence[tuple[float, float, float]], taken: list[tuple[float, float]]
    ) -> list[str]:
        """``taken`` is where values stand already; one that has no room is told only to who points at it."""
        colour, dashes = f"var(--s{place % 5})", _DASHES[place % 5]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        drawn = [f'<polyline class="line" stroke="{colour}" stroke-dasharray="{dashes}" points="{path}"/>']
        for x, y, value in points:
            told = f"<title>{escape(name)}: {number(value)}</title>"
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">{told}</circle>')
            room = (y + offset for offset in _BESIDE if all(_apart((x, y + offset), other) for other in taken))
            if (beside := next(room, None)) is not None:
                taken.append((x, beside))
                drawn.append(_text(x, beside, number(value), kind="value"))
        across = _LEFT + place * (_WIDTH - _LEFT - _RIGHT) / len(self.lines)
        y = _HEIGHT - 18
        drawn.append(
            f'<line class="line" stroke="{colour}" stroke-dasharray="{dashes}" '
            f'x1="{across:.1f}" x2="{across + 26:.1f}" y1="{y - 4}" y2="{y - 4}"/>'
        )
        return [*drawn, _text(across + 32, y, name, anchor="start")]


def _text(x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) > 34 or abs(one[1] - other[1]) > 10


def _along(x: float, across: Sequence[float]) -> float:
    first, last = across[0], across[-1]
    room = _WIDTH - _LEFT - _RIGHT - 40
    if first == last:
        return _LEFT + 20 + room / 2
    logarithmic = first > 0 and last / first > 20
    share = math.log(x / first) / math.log(last / first) if logarithmic else (x - first) / (last - first)
    return _LEFT + 20 + share * room


def _down(y: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)


def _above(value: float) -> float:
    """The next round number that is not below; 1 for nothing."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10) if step * unit >= value)
