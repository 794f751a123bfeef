"""Claiming what waits: fairly between people, and never more of a model server's runs at once than it may have."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from django.db import DatabaseError

from chatserver.rows import Rows, for_update
from conversations import selectors
from conversations.database import verb
from conversations.models import ModelServer
from conversations.selectors import Load
from conversations.services.run_lease import Claim, take
from streaming.protocol.errors import TooManyWaiting

_SERVERS = Rows(ModelServer)


@verb
def claim_next(*, server: str, most: int, max_parallel: int, holder: str, expiry: float) -> list[Claim] | None:
    """Take up to ``most`` of the runs that wait for a model server, in turn; fewer where it would have more at once
    than it may. None where somebody else is claiming there at this moment.

    ``max_parallel`` counts where the server has no bound of its own; 0 is no bound.
    """
    # Whoever has this row counts, claims and commits before the next one counts.
    row = _kept(server)
    if row is None:
        return None
    bound = max_parallel if row.max_parallel is None else row.max_parallel
    if bound:
        most = min(most, bound - selectors.held_at([server]).count())
    if most <= 0:
        return []
    return take(selectors.in_turn(server=server, most=most), holder=holder, expiry=expiry)


def claim_shares(
    *, share_out: Callable[[Sequence[Load]], Mapping[str, int]], max_parallel: int, holder: str, expiry: float
) -> tuple[int, list[Claim]]:
    """Look what waits, and take of each model server what ``share_out`` says; a transaction for each of them. Returns
    how many runs that were to be, and the claims: fewer where others were faster, or where the database went away in
    the middle, for what is ours by then must be worked on.
    """
    wanted = share_out(selectors.loads())
    claims: list[Claim] = []
    for server, most in wanted.items():
        try:
            got = claim_next(server=server, most=most, max_parallel=max_parallel, holder=holder, expiry=expiry)
        except DatabaseError:
            if not claims:
                raise
            break
        claims += got or ()
    return sum(wanted.values()), claims


def require_place(*, owner_id: UUID, more: int, most: int) -> None:
    """Raises TooManyWaiting where a person would have more than ``most`` runs waiting.

    Requests that come at the same moment may each find the last place free: it bounds what one person can fill the
    database with, it is no quota.
    """
    if selectors.waiting_of(owner_id, most=most) + more > most:
        raise TooManyWaiting(retry_after_ms=5000, details={"limit": most})


def _kept(name: str) -> ModelServer | None:
    """The server's row, for this transaction; None where another one has it. One that has none yet is given it."""
    row = _SERVERS.first("name = %s" + for_update("FOR NO KEY UPDATE SKIP LOCKED"), name)
    if row is not None or ModelServer.objects.filter(name=name).exists():
        return row
    return ModelServer.objects.select_for_update(no_key=True).get_or_create(name=name)[0]
