"""What is said in the pictures. The models and their answers are made up; the page and the server are real."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Turn:
    """What a model says to a question: what it thinks, then a call of a tool, or an answer."""

    thinking: str = ""
    answer: str = ""
    call: dict[str, Any] = field(default_factory=dict)


TEA = "How fast does a cup of tea cool down?"
TIP = "Add a tip of 15 % to 84.20 and split it among three."
STONES = "Why do stones skip on water? In two sentences."

_COOLING = """A cup cools the faster, the warmer it is than the room. That is **Newton's law of cooling**:

$$T(t) = T_\\text{room} + (T_0 - T_\\text{room})\\, e^{-t/\\tau}$$

For a mug of porcelain, $\\tau$ is about 45 minutes. Poured at 95 °C in a room of 21 °C:

| after | temperature | |
|--:|--:|:--|
| 10 min | 80 °C | too hot to drink |
| 25 min | 63 °C | just right |
| 60 min | 40 °C | forgotten |

```python
from math import exp

def temperature(minutes: float, *, start=95.0, room=21.0, tau=45.0) -> float:
    return room + (start - room) * exp(-minutes / tau)
```

A lid slows it down more than a thicker mug does, because most of the heat leaves with the steam.
"""

_SPLIT = "With the tip it is **96.83**, and each of the three pays **32.28**."

QWEN_ON_STONES = (
    "A stone that comes in flat and fast pushes water down and forward, and the water pushes back hard enough to throw "
    "it up again. Its **spin** keeps it at the same angle, so that every touch is like the first, until it has lost "
    "too much speed."
)
GEMMA_ON_STONES = (
    "The stone rides up on a small wave that it makes itself, like a ramp, because at about **20°** the lift is "
    "greatest and the contact shortest. It goes on as long as its lift is more than its weight, and its spin keeps it "
    "from tumbling."
)


def turn(model: str, question: str, results: list[str]) -> Turn:
    """What ``model`` says to ``question`` after what its tools have answered."""
    if question == TEA:
        return Turn(answer=_COOLING)
    if question == STONES:
        return Turn(answer=GEMMA_ON_STONES if model.startswith("gemma") else QWEN_ON_STONES)
    if question == TIP and not results:
        thought = "First the whole sum: 84.20 times 1.15. Then a third of it. I should not do that in my head."
        return Turn(thinking=thought, call={"name": "calculator", "arguments": {"expression": "84.20 * 1.15 / 3"}})
    return Turn(answer=_SPLIT)


# (title, hours ago, pinned)
THREADS = [
    ("House rules for the workshop", 30, True),
    ("Names for a sourdough starter", 3, False),
    ("Postgres: an index on a JSON column", 5, False),
    ("Letter to the landlord", 27, False),
    ("Quiz on the planets, for children", 29, False),
    ("A week in Lisbon with a pram", 75, False),
    ("Regular expression for ISO dates", 98, False),
    ("Reading list: distributed systems", 120, False),
    ("Why is my basil dying?", 400, False),
    ("Chords of a song in E minor", 500, False),
    ("Draft of the talk in May", 700, False),
]
