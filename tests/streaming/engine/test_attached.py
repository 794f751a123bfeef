"""The files of a prompt are read from where they lie, as much of them as there is room for beside the rest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chatserver.accounts.models import User
from conversations.attachments import files
from conversations.models import Attachment
from streaming.engine.attached import with_files
from streaming.engine.prompt import Prompt, load_prompt
from streaming.engine.tokens import of_messages
from streaming.protocol.response_format import JsonSchema, ResponseFormat
from tests.support.stored import ask

pytestmark = pytest.mark.django_db
FORM = ResponseFormat(type="json_schema", json_schema=JsonSchema(name="any", schema={"description": "d" * 2_000}))


@pytest.fixture
def prompt(user: User, attach: Callable[..., Attachment]) -> Prompt:
    file = attach(user, "x" * 2_000)
    return load_prompt(ask(user, attachments=[str(file.pk)]).run.pk)


CHINESE = "天空为什么是蓝色的？" * 300


@pytest.mark.parametrize("kind", ["pdf", "text"])
def test_what_is_given_fits_whatever_script_it_turns_out_to_be_in(
    user: User, attach: Callable[..., Attachment], tmp_path: Path, kind: str
) -> None:
    """Of a PDF that is not known before, and of a text only on the whole."""
    said = CHINESE + "x" * 20_000
    file = attach(user, said)
    (tmp_path / "read.txt").write_text(said, encoding="utf-8")
    files.put(file.pk, "text", tmp_path / "read.txt")
    Attachment.objects.filter(pk=file.pk).update(kind=kind)
    prompt = load_prompt(ask(user, attachments=[str(file.pk)]).run.pk)
    told, (notice,) = with_files(prompt, room=1_000, sees=True)
    assert notice.code == "attachment_shortened"
    assert 500 < of_messages(replace(prompt, history=told.history).messages()) < 1_000


def given(prompt: Prompt, *, room: int) -> tuple[int, list[str]]:
    told, notices = with_files(prompt, room=room, sees=True)
    return told.history[-1].content.count("x" * 400), [notice.code for notice in notices]


def test_a_file_is_given_whole_where_there_is_room(prompt: Prompt) -> None:
    assert given(prompt, room=1_000) == (5, [])


@pytest.mark.parametrize("more", [{"system_prompt": "s" * 2_000}, {"response_format": FORM}])
def test_what_the_model_is_told_first_takes_of_the_room(prompt: Prompt, more: dict[str, object]) -> None:
    pieces, codes = given(replace(prompt, **more), room=1_000)  # type: ignore[arg-type]
    assert (pieces < 3, codes) == (True, ["attachment_shortened"])
