"""About how many tokens a model makes of what it is asked with. Pure.

Every model cuts text in its own way, and only its server can count. What is measured here is meant to be a little too
much rather than too little: a character is a quarter of a token, which is English prose, and each byte of UTF-8 beyond
its first three eighths more. That makes 0.6 of a Cyrillic or Greek letter and of an accented one, 1.0 of a Chinese
character, of a kana or of a letter of Hindi or Thai, and 1.4 of an emoji: about what today's vocabularies need at
worst. A size and an encoded size are all that has to be known of a text, so that measuring a long thread costs little.
"""

from collections.abc import Iterable

from streaming.protocol.codec import dumps
from streaming.providers.base import IMAGE_LENGTH, PromptMessage, ToolSpec

A_MESSAGE = 6  # what chat templates write around one: the role and the marks of its beginning and end
A_CALL = 16  # the JSON around a call's name and arguments, and the id
AN_IMAGE = IMAGE_LENGTH // 4
A_TOOL = 24  # the JSON around a tool's name, description and schema
A_PROMPT = 32  # what templates write once: the beginning of the text, of the answer, of the list of tools


def of_text(text: str) -> int:
    characters = len(text)
    more = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - characters
    return (2 * characters + 3 * more + 7) // 8


def of_message(message: PromptMessage) -> int:
    """With the thinking, which is sent back within a run."""
    tokens = A_MESSAGE + of_text(message.content) + AN_IMAGE * len(message.images)
    if message.thinking:
        tokens += of_text(message.thinking)
    for call in message.tool_calls:
        tokens += A_CALL + of_text(call.name) + of_text(str(call.arguments))
    return tokens


def of_messages(messages: Iterable[PromptMessage]) -> int:
    return sum(map(of_message, messages))


def of_tools(tools: Iterable[ToolSpec]) -> int:
    """Of what is sent beside the messages, and stands in every prompt."""
    return A_PROMPT + sum(
        A_TOOL + of_text(tool.name) + of_text(tool.description) + of_text(dumps(tool.parameters)) for tool in tools
    )
