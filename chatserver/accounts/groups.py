"""The groups that a person is in, told by the statement that finds the person: what may be used depends on them, and to
ask for them by themselves would cost every request and every frame a statement more.
"""

import json
from functools import cache
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from chatserver.accounts.models import User

_MEMBERS, _GROUPS, _USERS = User.groups.through._meta.db_table, Group._meta.db_table, User._meta.db_table
_ALL = {"sqlite": "(SELECT JSON_GROUP_ARRAY(held.name) ", "postgresql": "ARRAY(SELECT held.name "}
HELD = "held_groups"


@cache
def groups_in_sql(users: str = _USERS) -> str:
    """An expression for the names of the groups of the person in the table, or alias, ``users``."""
    return (
        f"{_ALL[connection.vendor]}FROM {_MEMBERS} member JOIN {_GROUPS} held ON held.id = member.group_id "
        f"WHERE member.user_id = {users}.id)"
    )


def as_groups(value: Any) -> frozenset[str]:
    """What that expression brought."""
    return frozenset(json.loads(value) if isinstance(value, str) else value)


def with_groups(users: QuerySet[User]) -> QuerySet[User]:
    return users.annotate(**{HELD: RawSQL(groups_in_sql(), ())})


def groups_of(user: User) -> frozenset[str]:
    """Without a statement where the person was found ``with_groups``."""
    held = getattr(user, HELD, None)
    return frozenset(user.groups.values_list("name", flat=True)) if held is None else as_groups(held)
