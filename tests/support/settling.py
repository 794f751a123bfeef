"""A program: migrate the database of the environment, make people in it, and print who they are."""

import json
from dataclasses import asdict

import django

django.setup()

from django.core.management import call_command  # noqa: E402  it needs the apps
from django.test import Client  # noqa: E402

from chatserver.accounts.services import create_token, create_user  # noqa: E402
from tests.support.people import NAMES, PASSWORD, Person  # noqa: E402


def make(name: str) -> Person:
    user = create_user(username=name, email=f"{name}@example.org", password=PASSWORD)
    browser = Client()
    browser.force_login(user)
    return Person(
        name=name,
        user_id=str(user.pk),
        token=create_token(user=user, name="test", scopes=["read", "chat", "manage"])[1],
        reading_token=create_token(user=user, name="reading", scopes=["read"])[1],
        session=browser.cookies["session"].value,
    )


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    print(json.dumps({name: asdict(make(name)) for name in NAMES}))
