"""What a model server is asked instead where it found a prompt too long: as long as there is less to ask with."""

from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from streaming.engine.attached import with_files
from streaming.engine.machine import RunMachine
from streaming.engine.prompt import Prompt
from streaming.engine.window import Window
from streaming.engine.workshop import Workshop
from streaming.protocol.errors import ContextExceeded
from streaming.providers.base import ChatRequest, PromptMessage

log = structlog.get_logger(__name__)


class Shorter:
    """First the oldest is left out, then as much of the question's files as has to be. ``prompt`` is the run's, its
    files unread; ``sees`` whether the model is shown pictures.
    """

    def __init__(self, shop: Workshop, *, prompt: Prompt, sees: bool, window: Window, machine: RunMachine) -> None:
        self._shop = shop
        self._prompt = prompt
        self._sees = sees
        self._window = window
        self._machine = machine

    async def __call__(self, request: ChatRequest, fault: ContextExceeded) -> ChatRequest | None:
        """None where nothing more can be left out."""
        model, owner = self._prompt.model, self._prompt.owner
        log.info("a prompt was too long", run=self._machine.run.id, model=model, details=fault.details)
        await self._shop.registry.refresh()  # its model is loaded by now, and its server says with what window
        size = (await self._shop.registry.resolve(model, owner))[1].context_length
        less = self._window.shorter(request.messages, fault, size=size)
        if less is None and self._prompt.has_files:
            less = await self._with_less_of_files(request.messages)
        return None if less is None else replace(request, messages=less)

    async def _with_less_of_files(self, asked: Sequence[PromptMessage]) -> tuple[PromptMessage, ...] | None:
        prompt, notices = await self._shop.files(with_files, self._prompt, room=self._window.room, sees=self._sees)
        less = self._window.instead(asked, prompt.messages(), so_far=prompt.so_far(self._machine.state))
        if less is not None:
            self._machine.note(notices)
        return less
