import getpass
import os
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatserver.accounts.services import create_user


class Command(BaseCommand):
    help = "Create an account. The password comes from the prompt, or from the variable CHAT_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--email", default="")
        parser.add_argument("--staff", action="store_true", help="may open the administration")
        parser.add_argument("--superuser", action="store_true", help="may do everything")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = create_user(
                username=options["name"],
                email=options["email"],
                password=_password(),
                is_staff=options["staff"],
                is_superuser=options["superuser"],
            )
        except ValidationError as error:
            raise CommandError("\n".join(_sentences(error))) from None
        self.stderr.write(f"Created {user.get_username()}.", self.style.SUCCESS)


def _password() -> str:
    given = os.environ.get("CHAT_PASSWORD")
    if given is not None:
        return given
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Password (again): ")
    except (EOFError, KeyboardInterrupt):
        raise CommandError("No password was given. Type one, or set CHAT_PASSWORD.") from None
    if password != again:
        raise CommandError("The two passwords are not the same.")
    return password


def _sentences(error: ValidationError) -> list[str]:
    return [f"{field}: {message}" for field, messages in error.message_dict.items() for message in messages]
