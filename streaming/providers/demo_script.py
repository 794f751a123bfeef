"""What the demonstration says: fixed texts, chosen by plain words in the question. It is not a language model."""

import re
from collections.abc import Collection

import msgspec

from streaming.providers.base import ChatRequest, PromptMessage

_CONNECT = (
    "To talk to a real model, start Ollama (`ollama serve`, then for example `ollama pull llama3.2`), or set "
    "`OLLAMA_BASE_URL` to where it runs. It appears in the model picker within seconds."
)
_LABEL = "This is a built-in demonstration, not a language model"

_MARKDOWN = f"""## What an answer can look like

{_LABEL}; this text was written beforehand.

| part | how it is written |
|:---|:---|
| **bold** and *italic* | `**bold**` and `*italic*` |
| a list | lines that begin with `-` |
| a link | `[text](https://example.org)` |

- Lists, quotes and headings come out as they are written.
- So does code:

```python
def greet(name: str) -> str:
    \"\"\"Say hello.\"\"\"
    return f"Hello, {{name}}!"


print(greet("world"))
```

> {_CONNECT}
"""

_SUM = re.compile(r"[\d(][\d\s.()]*(?:(?:\*\*|[-+*/%^×÷])[\d\s.()-]*)+")
_TIME = re.compile(r"\bwhat time\b|\btime is it\b|\bcurrent time\b|\bwhat(?:'s| is) the (?:date|time)\b", re.I)
_SHOWCASE = re.compile(r"\b(?:markdown|code|table)\b", re.I)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the demonstration: it thinks, then answers or asks for a tool."""

    thinking: str
    answer: str = ""
    tool: str | None = None
    arguments: dict[str, str] = {}


def script(request: ChatRequest) -> Script:
    """The turn that follows ``request``: always the same for the same messages and tools. One that was begun in the
    messages is gone on with.
    """
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "assistant":
        return _turn(request)
    turn = _turn(msgspec.structs.replace(request, messages=request.messages[:-1]))
    return msgspec.structs.replace(turn, answer=turn.answer.removeprefix(last.content))


def _turn(request: ChatRequest) -> Script:
    results = _results(request.messages)
    if results:
        return Script(thinking="The tool has answered; I pass its result on.", answer=_from_results(results))
    question = _question(request.messages)
    offered = {tool.name for tool in request.tools}
    if call := _call(question, offered):
        return call
    if _SHOWCASE.search(question):
        return Script(thinking="They want to see formatting: a table and a block of code show most.", answer=_MARKDOWN)
    return Script(thinking=_thought(question), answer=_introduction(question, offered))


def pieces(text: str) -> list[str]:
    """``text`` word by word, each with the white space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def _call(question: str, offered: Collection[str]) -> Script | None:
    expression = _expression(question)
    if expression and "calculator" in offered:
        thinking = f"This is arithmetic. The calculator can work out {expression}."
        return Script(thinking=thinking, tool="calculator", arguments={"expression": expression})
    if _TIME.search(question) and "clock" in offered:
        return Script(thinking="Only a clock knows the time. I ask the clock tool.", tool="clock")
    return None


def _expression(question: str) -> str | None:
    """The first sum in ``question`` that has two numbers and balanced brackets."""
    for found in _SUM.finditer(question):
        text = found[0].strip().rstrip("-+*/%^×÷. (")
        text = text.replace("×", "*").replace("÷", "/").replace("^", "**")
        if text.count("(") == text.count(")") and len(re.findall(r"\d+(?:\.\d+)?", text)) > 1:
            return text
    return None


def _results(messages: tuple[PromptMessage, ...]) -> list[PromptMessage]:
    """The tool messages at the very end."""
    end = len(messages)
    while end and messages[end - 1].role == "tool":
        end -= 1
    return list(messages[end:])


def _from_results(results: list[PromptMessage]) -> str:
    lines = [f"The {result.tool_name or 'tool'} says: **{_one_line(result.content, 400)}**" for result in results]
    return "\n\n".join([*lines, f"{_LABEL}, but the tools are real."])


def _question(messages: tuple[PromptMessage, ...]) -> str:
    return next((message.content for message in reversed(messages) if message.role == "user"), "")[:4000]


def _thought(question: str) -> str:
    return f'The message says "{_one_line(question, 80)}". I cannot understand it: I am a script. I say so plainly.'


def _introduction(question: str, offered: Collection[str]) -> str:
    asked = f"You wrote: “{_one_line(question, 200)}”.\n\n" if question.strip() else ""
    hints = ["“show me markdown” for a table and a block of code"]
    hints += ["“what is 2 + 2*3” to see a tool at work"] * ("calculator" in offered)
    hints += ["“what time is it” to see another"] * ("clock" in offered)
    tries = "\n".join(f"- {hint}" for hint in hints)
    return (
        f"{asked}**{_LABEL}.** It cannot answer questions; it shows how answers, thinking and tools arrive here while "
        f"they are written.\n\nTry:\n\n{tries}\n\n{_CONNECT}"
    )


def _one_line(text: str, length: int) -> str:
    text = " ".join(text.split()).replace("`", "'")
    return text if len(text) <= length else f"{text[: length - 1]}…"
