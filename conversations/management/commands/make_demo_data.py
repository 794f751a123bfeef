import os
import random
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from chatserver.accounts.models import User
from chatserver.accounts.services import create_user
from conversations.demo.batch import Batch
from conversations.demo.plan import Plan, Refused
from conversations.demo.threads import Maker
from conversations.models import Message, SearchEntry, Thread
from conversations.services.search_build import build

NAME = "demo"
BYTES_A_MESSAGE = 5_000  # with its run, its share of the indexes and of the search; on SQLite
EVERY = 0.5  # seconds, on a terminal
ANALYZED = ("thread", "message", "run", "runlease", "step", "searchentry")


class Command(BaseCommand):
    help = (
        "Make conversations that nobody had: to try the page with, or to see how the server does with very many. "
        "Without --user they are a new person's, whose password comes from CHAT_PASSWORD, or is made and shown. "
        "Nothing is ever deleted; to be rid of it all, delete the person in the administration."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", metavar="NAME", help=f"somebody who is there already; else {NAME} is made")
        parser.add_argument("--threads", type=int, default=40, metavar="N", help="40 if left out")
        parser.add_argument("--messages", type=int, default=400, metavar="N", help="in all these threads; 400")
        parser.add_argument("--long-thread", type=int, default=0, metavar="N", help="one more, with N messages")
        parser.add_argument("--long-answer", type=int, default=0, metavar="TOKENS", help="one more, with one answer")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="other numbers, other conversations")
        parser.add_argument("--anyway", action="store_true", help="though there are conversations of other people")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = Plan(**{name: options[name] for name in ("threads", "messages", "long_thread", "long_answer")})
        except Refused as fault:
            raise CommandError(str(fault)) from None
        user, password = self._person(options["user"], anyway=options["anyway"])
        self._require_room(plan)
        if password is not None:
            user = _new_person(password)
        began = time.monotonic()
        self._shown_at = began
        numbers = random.Random(options["seed"])
        batch = Batch(lambda count: self._progress("messages", count, plan.in_all))
        maker = Maker(owner_id=user.pk, numbers=numbers, batch=batch)
        try:
            plan.carry_out(maker, numbers, now=timezone.now())
            batch.write()
            there = Message.objects.count()
            build(
                message_model=Message,
                entry_model=SearchEntry,
                told=lambda count: self._progress("messages in the search", count, there),
            )
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. What was made so far is there; manage.py index_messages lets the search find it."
            ) from None
        _tell_the_planner()
        self._told(user, password, plan, time.monotonic() - began)

    def _person(self, name: str | None, *, anyway: bool) -> tuple[User, str | None]:
        """Whose it will be; with a password, somebody who has yet to be made. Raises CommandError."""
        try:
            user = User.objects.filter(username__iexact=name or NAME).first()
            others = Thread.objects.exclude(owner=user) if user else Thread.objects.all()
            crowded = others.exists()
        except DatabaseError:
            raise CommandError("The database is not ready. Run manage.py migrate first.") from None
        if name and user is None:
            raise CommandError(f"There is nobody named {name}. Leave --user out to make somebody.")
        if not name and user is not None:
            raise CommandError(f"There is a person named {NAME} already. With --user {NAME} they get more of it.")
        if crowded and not anyway:
            raise CommandError(
                "There are conversations of other people in this database. With --anyway nothing happens to them, but "
                "what is made slows down their backups and counts in the administration."
            )
        if user is not None:
            return user, None
        return User(username=NAME), os.environ.get("CHAT_PASSWORD") or secrets.token_urlsafe(12)

    def _require_room(self, plan: Plan) -> None:
        if connection.vendor != "sqlite":
            return
        path = Path(str(connection.settings_dict["NAME"]))
        needed = plan.in_all * BYTES_A_MESSAGE
        if path.parent.is_dir() and shutil.disk_usage(path.parent).free < needed:
            raise CommandError(f"It needs about {needed // 2**20:,} MiB in {path.parent}, and there is less.")

    def _progress(self, what: str, count: int, of: int) -> None:
        now = time.monotonic()
        if now - self._shown_at >= EVERY * (1 if self._live else 20) or (self._live and count >= of):
            self._shown_at = now
            self.stderr.write(f"\r{count:,} of {of:,} {what}", ending=" " if self._live else "\n")

    @property
    def _live(self) -> bool:
        return bool(sys.stderr.isatty() and self.stderr.isatty())

    def _told(self, user: User, password: str | None, plan: Plan, took: float) -> None:
        if self._live:
            self.stderr.write("")
        self.stdout.write(f"Made {plan.in_all:,} messages for {user.get_username()} in {took:.0f} s.")
        if password is not None and "CHAT_PASSWORD" not in os.environ:
            self.stdout.write(f"Sign in as {user.get_username()} with the password {password}")


def _new_person(password: str) -> User:
    try:
        return create_user(username=NAME, password=password)
    except ValidationError as fault:
        raise CommandError("\n".join(fault.messages)) from None


def _tell_the_planner() -> None:
    """PostgreSQL finds out by itself, but within a minute only."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE " + ", ".join(f"conversations_{table}" for table in ANALYZED))
