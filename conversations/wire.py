"""Rows as objects of the wire. The one place that knows both sides."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec.structs import replace

from conversations.models import Approval, Attachment, Message, ModelPull, Run, Step, Thread
from conversations.selectors import UnderWay
from streaming.protocol import objects, pulls
from streaming.protocol.errors import ErrorObject
from streaming.protocol.notices import Notice
from streaming.protocol.response_format import Structured


def time(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def run_object(run: Run) -> objects.Run:
    return objects.Run(
        id=str(run.id),
        thread_id=str(run.thread_id),
        status=run.status,
        lane=run.lane,
        waiting=run.waiting,
        request=None if run.request is None else msgspec.convert(run.request, objects.Request),
        model=run.model,
        provider=run.provider,
        attempt=run.attempt,
        user_message_id=_id(run.question_id),
        assistant_message_id=_id(run.answer_id),
        created_at=time(run.created_at),
        started_at=time(run.started_at),
        first_token_at=time(run.first_token_at),
        finished_at=time(run.finished_at),
        finish_reason=run.finish_reason,
        reason=run.reason,
        error=None if run.error is None else msgspec.convert(run.error, ErrorObject),
        usage=None if run.usage is None else msgspec.convert(run.usage, objects.Usage),
        timing=None if run.timing is None else msgspec.convert(run.timing, objects.Timing),
        notices=msgspec.convert(run.notices, list[Notice]) if run.notices else [],
        structured=None if run.structured is None else msgspec.convert(run.structured, Structured),
    )


def message_object(message: Message) -> objects.Message:
    return objects.Message(
        id=str(message.id),
        thread_id=str(message.thread_id),
        parent_id=_id(message.parent_id),
        role="user" if message.role == Message.Role.USER else "assistant",
        status=message.status,
        content=message.content,
        parts=message.parts,
        thinking=message.thinking,
        model=message.model,
        run_id=_id(message.run_id),
        attachments=attachments_of(message),
        created_at=time(message.created_at),
        finished_at=time(message.finished_at),
    )


def listed_message(message: Message, versions: Sequence[UUID]) -> objects.Message:
    """As the thread's list of messages has it: with what was thought of when its run was over, and its versions."""
    others = [str(version) for version in versions]
    return replace(message_object(message), follow_ups=message.follow_ups or [], versions=others)


def attachments_of(message: Message) -> list[objects.Attachment]:
    return msgspec.convert(message.attachments, list[objects.Attachment]) if message.attachments else []


def attachment_object(attachment: Attachment) -> objects.Attachment:
    return objects.Attachment(
        id=str(attachment.id),
        name=attachment.name,
        type=attachment.type,
        size=attachment.size,
        kind=cast(objects.AttachmentKind, attachment.kind),
        width=attachment.width,
        height=attachment.height,
        pages=attachment.pages,
        characters=attachment.characters,
    )


def step_object(step: Step) -> objects.Step:
    return objects.Step(
        id=str(step.id),
        index=step.index,
        step="reasoning" if step.kind == "reasoning" else "tool_calls",
        status=step.status,
        title=step.title,
        name=step.name,
        arguments=step.arguments,
        output=step.output,
        output_cut=step.output_cut,
        details=step.details,
        error=None if step.error is None else msgspec.convert(step.error, ErrorObject),
        started_at=time(step.started_at),
        finished_at=time(step.finished_at),
        duration_ms=step.duration_ms,
    )


def approval_object(approval: Approval) -> objects.Approval:
    return objects.Approval(
        approval_id=str(approval.id),
        step_id=str(approval.step_id),
        tool=approval.tool,
        arguments=approval.arguments,
        expires_at=str(time(approval.expires_at)),
    )


def thread_object(thread: Thread, runs: UnderWay) -> objects.Thread:
    return objects.Thread(
        id=str(thread.id),
        title=thread.title,
        title_by=thread.title_by,
        model=thread.model,
        system_prompt=thread.system_prompt,
        parameters=thread.parameters,
        folder=_id(thread.folder_id),
        tags=thread.tags,
        pinned=thread.pinned,
        archived=thread.archived,
        head=_id(thread.head_id),
        active_runs=[str(run) for run in runs.active],
        waiting_runs=[str(run) for run in runs.waiting],
        created_at=str(time(thread.created_at)),
        updated_at=str(time(thread.updated_at)),
    )


def pull_object(pull: ModelPull) -> pulls.ModelPull:
    return pulls.ModelPull(
        id=str(pull.id),
        server=pull.server,
        model=pull.model,
        status=pulls.PullStatus(pull.status).value,
        message=pull.message,
        completed=pull.completed,
        total=pull.total,
        attempt=pull.attempt,
        cancelling=pull.is_cancelling,
        by=pull.by_name,
        cancelled_by=pull.cancelled_by,
        error=None if pull.error is None else msgspec.convert(pull.error, ErrorObject),
        created_at=str(time(pull.created_at)),
        started_at=time(pull.started_at),
        updated_at=str(time(pull.updated_at)),
        finished_at=time(pull.finished_at),
    )


def plain(value: Any) -> Any:
    """An object of the wire as dicts and lists, ready for JSON."""
    return msgspec.to_builtins(value)


def moment(text: str | None) -> datetime | None:
    """The inverse of ``time``."""
    return None if text is None else datetime.fromisoformat(text)
