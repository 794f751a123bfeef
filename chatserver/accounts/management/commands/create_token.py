from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chatserver.accounts.models import SCOPES, User
from chatserver.accounts.services import create_token


class Command(BaseCommand):
    help = "Create an API token for an account and print it, once, alone on standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the account's name")
        parser.add_argument("--scopes", default=",".join(SCOPES), help="of read, chat and manage; default: all")
        parser.add_argument("--days", type=int, help="how long it is good for; default: until it is revoked")
        parser.add_argument("--label", default="", help="what it is for, as shown in the list of tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username__iexact=options["name"]).first()
        if user is None:
            raise CommandError(f"There is no account named {options['name']}.")
        if not user.is_active:
            raise CommandError(f"The account {user.username} is switched off; a token would not work.")
        days = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days must be from 1 to 36500.")
        scopes = [word.strip() for word in options["scopes"].split(",") if word.strip()]
        try:
            _, text = create_token(
                user=user,
                name=options["label"],
                scopes=scopes,
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from None
        self.stdout.write(text)
