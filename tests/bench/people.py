"""A program: migrate the database of the environment, make as many people as it is told, and print their tokens."""

import json
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402  it needs the apps

from chatserver.accounts.models import User  # noqa: E402
from chatserver.accounts.services import create_token  # noqa: E402


def token(number: int) -> str:
    user = User(username=f"person{number}", email=f"person{number}@example.org")
    user.set_unusable_password()  # to make a password's hash costs more than all the rest
    user.save()
    return create_token(user=user, name="bench", scopes=["read", "chat", "manage"])[1]


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    print(json.dumps([token(number) for number in range(int(sys.argv[1]))]))
