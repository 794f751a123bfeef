"""Who of the people something is for. Pure."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal, Protocol

Whom = Literal["everybody", "staff", "groups"]


class Person(Protocol):
    """What is asked of somebody: their rank, and the names of the groups they are in."""

    @property
    def is_staff(self) -> bool: ...
    @property
    def is_superuser(self) -> bool: ...
    @property
    def groups(self) -> Set[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A person's, without the person."""

    is_staff: bool = False
    is_superuser: bool = False
    groups: Set[str] = frozenset()


STRANGER = Standing()  # has nothing but what everybody has
ADMITTED = Standing(is_superuser=True)  # has been let in already


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """``groups`` counts where ``whom`` says so. Administrators belong to each: they could put themselves in."""

    whom: Whom = "everybody"
    groups: frozenset[str] = frozenset()

    def admits(self, person: Person) -> bool:
        if self.whom == "everybody" or person.is_superuser:
            return True
        if self.whom == "staff":
            return person.is_staff
        return not self.groups.isdisjoint(person.groups)


EVERYBODY = Audience()
