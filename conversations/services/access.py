"""Opening somebody else's transcript: only with a reason, and only on record."""

from django.contrib.auth.models import AbstractUser

from conversations.database import verb
from conversations.models import AccessRecord, Thread

LEAST_REASON = 5
MOST_REASON = 500


@verb
def record_access(*, staff: AbstractUser, thread: Thread, reason: str) -> AccessRecord:
    """Write down, for good and visible to the owner, that ``staff`` opens ``thread``. Done before any is shown."""
    assert LEAST_REASON <= len(reason) <= MOST_REASON
    return AccessRecord.objects.create(
        staff_id=staff.pk,
        staff_name=staff.get_username(),
        owner_id=thread.owner_id,
        owner_name=thread.owner.get_username(),
        thread_id=thread.pk,
        thread_title=thread.title,
        reason=reason,
    )
