"""The files of a prompt, read from where they lie."""

import base64
from dataclasses import replace
from uuid import UUID

from conversations.attachments import files
from streaming.engine.enclosing import Given, counted, enclosed, planned, weight_of
from streaming.engine.prompt import Prompt
from streaming.protocol.errors import NotFound
from streaming.protocol.notices import Notice
from streaming.providers.base import PromptImage

# Characters for each token that there is room for: three quarters of it, in English. The rest is for what was said.
FOR_FILES = 3


def with_files(prompt: Prompt, *, room: int, sees: bool) -> tuple[Prompt, list[Notice]]:
    """The prompt with as much of its files as the model can be given, and what a person should know of that. Blocks.
    ``room`` is the model's for all of the prompt, in tokens.

    Raises StorageBusy. A file that is not there is left out.
    """
    asked = len(prompt.history[-1].content) if prompt.history else 0
    most = max(0, room * FOR_FILES - len(prompt.instructions) - asked)
    plan = planned(prompt.history, room=most, sees=sees)
    texts: dict[str, str] = {}
    images: dict[str, PromptImage] = {}
    for given in plan.wanted:
        try:
            _read(given, texts, images)
        except NotFound:
            continue
    history, notices = enclosed(prompt.history, plan, texts=texts, images=images)
    return replace(prompt, history=history), notices


def _read(given: Given, texts: dict[str, str], images: dict[str, PromptImage]) -> None:
    file = given.attachment
    id = UUID(file.id)
    if file.kind == "image":
        data = base64.b64encode(files.read(id, "content")).decode()
        images[file.id] = PromptImage(type=file.type, data=data)
        return
    # A character is at most four bytes; the last one may be cut.
    raw = files.read(id, "text" if file.kind == "pdf" else "content", most=4 * given.characters)
    text = raw.decode(errors="ignore")[: given.characters]
    texts[file.id] = counted(text, most=int(given.characters * weight_of(file)))
