import pytest

from chatserver.audience import ADMITTED, EVERYBODY, STRANGER, Audience, Standing

STAFF = Audience(whom="staff")
RESEARCH = Audience(whom="groups", groups=frozenset({"research", "teachers"}))
NO_GROUP = Audience(whom="groups")
MEMBER = Standing(groups=frozenset({"research", "cooks"}))


@pytest.mark.parametrize(
    ("audience", "person", "admitted"),
    [
        (EVERYBODY, STRANGER, True),
        (STAFF, STRANGER, False),
        (STAFF, MEMBER, False),
        (STAFF, Standing(is_staff=True), True),
        (RESEARCH, STRANGER, False),
        (RESEARCH, Standing(is_staff=True), False),
        (RESEARCH, Standing(groups=frozenset({"cooks"})), False),
        (RESEARCH, MEMBER, True),
        (NO_GROUP, MEMBER, False),
        (STAFF, ADMITTED, True),
        (NO_GROUP, ADMITTED, True),
    ],
)
def test_who_is_admitted(audience: Audience, person: Standing, admitted: bool) -> None:
    assert audience.admits(person) is admitted
