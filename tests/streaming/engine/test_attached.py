"""The files of a prompt are read from where they lie, as much of them as there is room for beside the rest."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chatserver.accounts.models import User
from conversations.models import Attachment
from streaming.engine.attached import with_files
from streaming.engine.prompt import Prompt, load_prompt
from streaming.protocol.response_format import JsonSchema, ResponseFormat
from tests.support.stored import ask

pytestmark = pytest.mark.django_db
FORM = ResponseFormat(type="json_schema", json_schema=JsonSchema(name="any", schema={"description": "d" * 2_000}))


@pytest.fixture
def prompt(user: User, attach: Callable[..., Attachment]) -> Prompt:
    file = attach(user, "x" * 2_000)
    return load_prompt(ask(user, attachments=[str(file.pk)]).run.pk)


def given(prompt: Prompt, *, room: int) -> tuple[int, list[str]]:
    told, notices = with_files(prompt, room=room, sees=True)
    return told.history[-1].content.count("x" * 400), [notice.code for notice in notices]


def test_a_file_is_given_whole_where_there_is_room(prompt: Prompt) -> None:
    assert given(prompt, room=1_000) == (5, [])


@pytest.mark.parametrize("more", [{"system_prompt": "s" * 2_000}, {"response_format": FORM}])
def test_what_the_model_is_told_first_takes_of_the_room(prompt: Prompt, more: dict[str, object]) -> None:
    pieces, codes = given(replace(prompt, **more), room=1_000)  # type: ignore[arg-type]
    assert (pieces < 3, codes) == (True, ["attachment_shortened"])
