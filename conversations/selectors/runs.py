from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from chatserver.accounts.groups import as_groups, groups_in_sql
from chatserver.accounts.models import User
from chatserver.audience import Standing
from chatserver.rows import Rows, marks, stored_id
from conversations.models import Approval, Message, Run, RunLease, Step
from conversations.selectors.messages import path_ids
from conversations.selectors.run_ends import run_ends
from streaming.protocol.codec import Entry
from streaming.protocol.errors import NotFound
from streaming.protocol.lifecycle import MessageStatus, RunStatus

# How far back a prompt may reach. What fits the model's window of it is decided where the prompt is built.
HISTORY = 1000
HISTORY_CHARACTERS = 4_000_000  # a window of a million tokens; all of a thread may be more than the memory holds
FIRST_ROWS = 8
_EVENTS = "SELECT seq, text FROM conversations_runevent WHERE run_id = %s AND seq > %s ORDER BY seq LIMIT %s"
_MESSAGES, _RUNS = Rows(Message), Rows(Run)
_OF_WHOM = f""" FROM {_RUNS.table}
JOIN conversations_thread thread ON thread.id = {_RUNS.table}.thread_id
JOIN {User._meta.db_table} owner ON owner.id = {_RUNS.table}.owner_id
LEFT JOIN {_MESSAGES.table} ON {_MESSAGES.table}.id = {_RUNS.table}.answer_id WHERE {_RUNS.table}.id = %s
"""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as its rows say: the truth for one that has ended."""

    run: Run
    messages: list[Message]
    steps: list[Step]
    head: int


def recorded_run(run: Run) -> RunRecord:
    """Its answer stands as it is now: a later run may have gone on with it."""
    ids = [pk for pk in (run.question_id, run.answer_id) if pk]
    rows = Message.objects.in_bulk(ids)
    answer = rows.get(run.answer_id) if run.answer_id else None
    if answer is not None and answer.run_id != run.pk and answer.status == MessageStatus.IN_PROGRESS:
        answer.status = MessageStatus.INCOMPLETE  # that is how it was left by this run, which is not going on
    head = RunLease.objects.filter(pk=run.pk).values_list("head", flat=True).first()
    return RunRecord(
        run=run,
        messages=[rows[pk] for pk in ids if pk in rows],
        steps=list(Step.objects.filter(run=run).order_by("index")),
        head=run.head if head is None else head,
    )


def record_of(run_id: UUID) -> RunRecord:
    """The run as its rows say now. Raises NotFound where it was removed meanwhile, with its thread or its answer."""
    run = Run.objects.filter(pk=run_id).first()
    record = None if run is None else recorded_run(run)
    if record is None or not _has_its_answer(record):
        raise NotFound()
    return record


def _has_its_answer(record: RunRecord) -> bool:
    """One that waits, or was withdrawn, has none."""
    answer_id = record.run.answer_id
    return answer_id is None or any(message.pk == answer_id for message in record.messages)


def open_approvals(run: Run) -> list[Approval]:
    """What a person has yet to decide before the run goes on; nothing where it does not wait for that."""
    asked = Approval.objects.filter(run=run, run__status=RunStatus.REQUIRES_ACTION)
    return list(asked.filter(decision=Approval.Decision.PENDING).order_by("created_at", "id"))


def stored_entries(*, run_id: UUID, after: int, most: int, most_bytes: int) -> list[Entry]:
    """Events after ``after`` in order, at most ``most`` and about ``most_bytes``, but always one if there is one.

    Fetches little more than it returns: a first handful of rows tells how large they are. Where there are no rows at
    all, it is what the run has of its log itself, from a time when that was not the database.
    """
    entries: list[Entry] = []
    size, page = 0, min(FIRST_ROWS, most)
    while page > 0:
        found = _events(run_id, entries[-1].id if entries else after, page)
        for seq, text in found:
            size += len(text)
            if entries and size > most_bytes:
                return entries
            entries.append(Entry(seq, text))
        if len(found) < page:
            break
        page = min(most - len(entries), (most_bytes - size) * len(entries) // size)
    return entries or _kept_by_itself(run_id, after)[:most]


def _events(run_id: UUID, after: int, most: int) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [stored_id(run_id), after, most])
        found: list[tuple[int, str]] = cursor.fetchall()
    return found


def _kept_by_itself(run_id: UUID, after: int) -> list[Entry]:
    """How a run began, as long as that is all there is of it; how it ended, for whoever has everything before."""
    ends = run_ends(run_id)
    if ends is None:
        return []
    kept = ends.closing if ends.ended else ends.opening if len(ends.opening) == ends.head else []
    return kept[after + 1 - kept[0].id :] if kept and after + 1 >= kept[0].id else []


@dataclass(frozen=True, kw_only=True)
class RunToWorkOn:
    """A run with its answer, what its thread says of it, and what its owner is by now."""

    run: Run
    system_prompt: str  # the thread's
    title_by: str
    owner: Standing


def run_to_work_on(run_id: UUID) -> RunToWorkOn:
    """One query. Raises Run.DoesNotExist."""
    with connection.cursor() as cursor:
        cursor.execute(_to_work_on(), [stored_id(run_id)])
        row = cursor.fetchone()
    if row is None:
        raise Run.DoesNotExist()
    run = _RUNS.made(row, connection)
    if run.answer_id is not None:
        run.answer = _MESSAGES.made(row[_RUNS.width :], connection)
    system_prompt, title_by, is_staff, is_superuser, groups = row[-5:]
    owner = Standing(is_staff=bool(is_staff), is_superuser=bool(is_superuser), groups=as_groups(groups))
    return RunToWorkOn(run=run, system_prompt=system_prompt, title_by=title_by, owner=owner)


@cache
def _to_work_on() -> str:
    whose = f"owner.is_staff, owner.is_superuser, {groups_in_sql('owner')}"
    return f"SELECT {_RUNS.columns}, {_MESSAGES.columns}, thread.system_prompt, thread.title_by, {whose}{_OF_WHOM}"


def history_before(*, run: Run) -> tuple[list[Message], dict[UUID, Sequence[Step]]]:
    """The messages from the root up to the run's question, the newest of them where they are many or long, and the
    steps of the answers among them by message.
    """
    assert run.question_id is not None
    ids = path_ids(thread_id=run.thread_id, leaf=run.question_id, most=HISTORY, most_characters=HISTORY_CHARACTERS)
    rows = {message.pk: message for message in _MESSAGES.find(f"id IN {marks(ids)}", *map(stored_id, ids))}
    messages = [rows[pk] for pk in ids if pk in rows]
    steps: dict[UUID, list[Step]] = {pk: [] for pk in rows}
    answers = [message.pk for message in messages if message.role == Message.Role.ASSISTANT]
    for step in _steps_of_answers(answers) if answers else ():
        steps[step.run.answer_id].append(step)  # type: ignore[index]
    return messages, dict(steps)


def steps_before(*, run: Run) -> list[Step]:
    """The steps that earlier runs have brought the answer that this one goes on with."""
    if run.answer is None or not (run.answer.parts or run.answer.content or run.answer.thinking):
        return []  # nothing was stored of it yet: it began with this run
    return list(_steps_of_answers([run.answer.pk]).exclude(run=run))


def _steps_of_answers(message_ids: Sequence[UUID]) -> QuerySet[Step]:
    """In their order: an answer that was gone on with has several runs, whose ids are in the order of time."""
    steps = Step.objects.filter(run__answer_id__in=message_ids).select_related("run")
    return steps.order_by("run_id", "index")
