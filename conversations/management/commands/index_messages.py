from typing import Any

from django.core.management.base import BaseCommand

from conversations.models import Message, SearchEntry
from conversations.services.search_build import build


class Command(BaseCommand):
    help = "Let the search find messages that it misses: those that a process without a search has written."

    def handle(self, *args: Any, **options: Any) -> None:
        added = build(
            message_model=Message,
            entry_model=SearchEntry,
            told=lambda so_far: self.stderr.write(f"{so_far:,} …"),
        )
        self.stdout.write(f"Added {added:,} messages to the index.")
