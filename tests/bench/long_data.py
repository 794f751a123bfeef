"""A program: fill the database of the environment with as many messages as it is told, and print whom and what to ask.

Nearly all of it is one person's. Another one has a few hundred messages among them: for them a search must not go
through what is not theirs.
"""

import json
import re
import sys

import django

django.setup()

from django.conf import settings  # noqa: E402  it needs the apps
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from chatserver.accounts.models import User  # noqa: E402
from chatserver.accounts.services import create_token  # noqa: E402
from conversations.models import Message, Run, RunEvent, Thread  # noqa: E402
from conversations.selectors import search_page  # noqa: E402
from tests.bench.long import LONG_ANSWER, LONG_THREAD, THREADS  # noqa: E402

FEW = 400


def make(messages: int) -> dict[str, str]:
    call_command("migrate", verbosity=0)
    people = {name: User.objects.create(username=name) for name in ("many", "few")}
    wanted = {"threads": min(THREADS, messages), "messages": messages, "long_thread": min(LONG_THREAD, messages)}
    call_command("make_demo_data", user="many", long_answer=LONG_ANSWER, **wanted)
    call_command("make_demo_data", user="few", messages=FEW, threads=FEW // 10, seed=2, anyway=True)
    return facts(people)


def facts(people: dict[str, User]) -> dict[str, str]:
    """Tokens and ids as the questions of ``long.py`` name them."""
    root = User.objects.create(username="root", is_staff=True, is_superuser=True)
    browser = Client()
    browser.force_login(root)
    many = Thread.objects.filter(owner=people["many"])
    long_run = RunEvent.objects.values_list("run_id", flat=True)[0]
    return {
        "many": create_token(user=people["many"])[1],
        "few": create_token(user=people["few"])[1],
        "session": f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}",
        "long_thread": str(many.order_by("id")[0].pk),  # it begins first
        "long_answer": str(Run.objects.get(pk=long_run).thread_id),
        "long_run": str(long_run),
        "rare": _rare(people["many"]),
    }


def _rare(user: User) -> str:
    """A number that few messages have."""
    some = Message.objects.filter(thread__owner=user).order_by("-id")[:1000]
    numbers = (number for message in some for number in re.findall(r"\b\d{5}\b", message.content))
    return next(each for each in numbers if search_page(owner_id=user.pk, words=f"{each} ", cursor=None).next is None)


if __name__ == "__main__":
    sys.stdout, told = sys.stderr, sys.stdout  # the commands' own words are not the answer
    print(json.dumps(make(int(sys.argv[1]))), file=told)
