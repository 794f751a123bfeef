"""Pulls of models: opened, claimed by one process at a time, told of once a second, and ended.

One a server is at work at once, and one a model is open; the database's own constraints say so, whatever processes do.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from conversations.database import verb
from conversations.models import ModelPull
from streaming.protocol.errors import ChatError, TooManyPulls, UpstreamError
from streaming.protocol.pulls import OPEN, PullStatus

log = structlog.get_logger(__name__)
MOST_OPEN = 50  # more gigabytes than any disk has
MOST_KEPT = 200  # that have ended
# So many processes may take one up: a pull by which each of them dies is not to go round for ever.
MOST_ATTEMPTS = 20
_LOST = "The servers that watched over it have ended too often. Pull it again."

Standing = Literal["ours", "unwanted", "lost"]


@dataclass(frozen=True, kw_only=True)
class PullClaim:
    """A pull that is ours. ``attempt`` is the fence: whoever takes it up after us has a higher one."""

    id: UUID
    server: str
    model: str
    attempt: int


@verb
def open_pull(*, user_id: UUID, username: str, server: str, model: str) -> tuple[ModelPull, bool]:
    """Have ``model`` pulled in its turn; returns the pull, and whether it is new: the same one that is under way is
    found again. Raises TooManyPulls.
    """
    under_way = ModelPull.objects.filter(server=server, model=model, status__in=OPEN)
    if found := under_way.first():
        return found, False
    if ModelPull.objects.filter(status__in=OPEN).count() >= MOST_OPEN:
        raise TooManyPulls(details={"limit": MOST_OPEN})
    try:
        with transaction.atomic():
            pull = ModelPull.objects.create(server=server, model=model, by_id=user_id, by_name=username)
    except IntegrityError:  # somebody has asked for the same in this moment
        return under_way.get(), False
    log.info("model_pull_asked_for", server=server, model=model, by=username, pull=str(pull.pk))
    return pull, True


@verb
def cancel_pull(*, pull: ModelPull, username: str) -> ModelPull:
    """Ask for its end and return it as it stands then. One that waits ends here and now; again, or too late, changes
    nothing.
    """
    now = timezone.now()
    wish = {"cancelled_by": username, "updated_at": now}
    rows = ModelPull.objects.filter(pk=pull.pk)
    asked = rows.filter(status=PullStatus.QUEUED).update(status=PullStatus.CANCELLED, finished_at=now, **wish)
    asked = asked or rows.filter(status=PullStatus.PULLING, cancelled_by="").update(**wish)
    if asked:
        log.info("model_pull_cancelled", server=pull.server, model=pull.model, by=username, pull=str(pull.pk))
    pull.refresh_from_db()
    return pull


def somebody_waits() -> bool:
    """Whether there is anything for ``claim_pulls`` to look at. One query, of an index that is nearly always empty."""
    return ModelPull.objects.filter(status__in=OPEN).exists()


@verb
def claim_pulls(*, holder: str, expiry: float, at_work: Collection[UUID], all_others_dead: bool) -> list[PullClaim]:
    """Take up what was left, and of each server where nothing is at work the oldest that waits.

    ``at_work``: those that we work on. ``all_others_dead``: whose holder is not us, whatever its lease says.
    """
    nobodys = Q(expires_at__lt=Now()) | Q(expires_at=None)
    if all_others_dead:
        nobodys |= ~Q(holder=holder)
    left = ModelPull.objects.filter(nobodys, status=PullStatus.PULLING).exclude(pk__in=at_work)
    claims = [claim for pull in left.order_by("created_at") if (claim := _take(pull, holder, expiry))]
    busy = set(ModelPull.objects.filter(status=PullStatus.PULLING).values_list("server", flat=True))
    for pull in ModelPull.objects.filter(status=PullStatus.QUEUED).order_by("created_at", "pk"):
        if pull.server not in busy and (claim := _take(pull, holder, expiry)):
            busy.add(pull.server)
            claims.append(claim)
    return claims


@verb
def beat_pull(*, claim: PullClaim, expiry: float, progress: Mapping[str, Any]) -> Standing:
    """Say how far it is, and that we live; learn whether it is still ours, and still wanted."""
    ours = _ours(claim)
    now = timezone.now()
    if not ours.update(expires_at=Now() + timedelta(seconds=expiry), updated_at=now, **progress):
        return "lost"
    return "unwanted" if ours.exclude(cancelled_by="").exists() else "ours"


@verb
def end_pull(*, claim: PullClaim, status: PullStatus, progress: Mapping[str, Any], error: ChatError | None) -> bool:
    """Its end; False where it is not ours any more."""
    said = None if error is None else msgspec.to_builtins(error.as_object())
    return bool(_ours(claim).update(**_ended(status, said), **progress))


@verb
def let_go_pull(*, claim: PullClaim, progress: Mapping[str, Any]) -> None:
    """Give it up, so that another process goes on with it at once."""
    _ours(claim).update(holder="", expires_at=None, **progress)


@verb
def prune(*, most: int) -> int:
    """Forget the oldest that have ended, beyond ``MOST_KEPT``; returns how many."""
    ended = ModelPull.objects.exclude(status__in=OPEN).order_by("-created_at")
    ids = list(ended.values_list("pk", flat=True)[MOST_KEPT : MOST_KEPT + most])
    return ModelPull.objects.filter(pk__in=ids).delete()[0] if ids else 0


def _ours(claim: PullClaim) -> QuerySet[ModelPull]:
    return ModelPull.objects.filter(pk=claim.id, status=PullStatus.PULLING, attempt=claim.attempt)


def _take(pull: ModelPull, holder: str, expiry: float) -> PullClaim | None:
    """None where somebody else was faster, or it is not to go on."""
    as_found = ModelPull.objects.filter(pk=pull.pk, status=pull.status, attempt=pull.attempt)
    if pull.cancelled_by:
        as_found.update(**_ended(PullStatus.CANCELLED, None))
        return None
    if pull.attempt >= MOST_ATTEMPTS:
        as_found.update(**_ended(PullStatus.FAILED, msgspec.to_builtins(UpstreamError(_LOST).as_object())))
        return None
    now = timezone.now()
    try:
        with transaction.atomic():
            taken = as_found.filter(cancelled_by="").update(
                status=PullStatus.PULLING,
                holder=holder,
                expires_at=Now() + timedelta(seconds=expiry),
                attempt=F("attempt") + 1,
                started_at=pull.started_at or now,
                updated_at=now,
            )
    except IntegrityError:  # another process has just begun one at this server
        return None
    if not taken:
        return None
    return PullClaim(id=pull.pk, server=pull.server, model=pull.model, attempt=pull.attempt + 1)


def _ended(status: PullStatus, error: Any) -> dict[str, Any]:
    now = timezone.now()
    return {
        "status": status,
        "error": error,
        "finished_at": now,
        "updated_at": now,
        "holder": "",
        "expires_at": None,
    }
