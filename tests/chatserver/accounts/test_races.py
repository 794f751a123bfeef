"""Two at once: one wins. Real threads, each with a connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from chatserver.accounts import services
from chatserver.accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = "correct horse battery staple"


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What each call gave or raised, all begun at the same moment."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_who_redeem_the_setup_code_one_becomes_administrator() -> None:
    code = services.replace_setup_code() or ""

    def redeem(name: str) -> Callable[[], User]:
        return lambda: services.redeem_setup_code(code=code, username=name, password=GOOD)

    results = together(*(redeem(f"root{number}") for number in range(4)))
    assert sorted(type(result).__name__ for result in results) == ["CodeSpent"] * 3 + ["User"]
    assert User.objects.count() == 1


def test_of_many_who_take_a_name_one_gets_it() -> None:
    results = together(*(lambda: services.create_user(username="ada", password=GOOD) for _ in range(4)))
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, ValidationError) for result in results) == 3


def test_of_many_who_sign_up_with_an_address_one_has_it() -> None:
    def sign_up(name: str) -> Callable[[], Any]:
        form = {"username": name, "email": "new@example.org", "password1": GOOD, "password2": GOOD}
        return lambda: Client().post("/accounts/signup/", form).status_code

    assert together(*(sign_up(f"guest{number}") for number in range(4))) == [302] * 4
    assert sorted(User.objects.values_list("email", flat=True)) == [""] * 3 + ["new@example.org"]


def test_of_many_who_spend_an_invitation_one_does() -> None:
    guests = [services.create_user(username=f"guest{number}", password=GOOD) for number in range(4)]
    _, code = services.create_invitation(created_by=None)

    def spend(guest: User) -> Callable[[], None]:
        return lambda: services.redeem_invitation(code=code, user=guest)

    results = together(*(spend(guest) for guest in guests))
    assert sum(isinstance(result, services.CodeSpent) for result in results) == 3
