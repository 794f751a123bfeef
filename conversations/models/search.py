from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class TermsField(models.Field):  # type: ignore[type-arg]  # not subscriptable when it runs
    """A list of terms, written and looked for, never read: a ``tsvector``, or text for SQLite's own index."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "tsvector" if connection.vendor == "postgresql" else "text"

    def get_placeholder(self, value: Any, compiler: Any, connection: BaseDatabaseWrapper) -> str:
        return "array_to_tsvector(%s::text[])" if connection.vendor == "postgresql" else "%s"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return list(value) if connection.vendor == "postgresql" else " ".join(value)


class SearchEntry(models.Model):
    """What a message can be found by. Made with the message, so that ids are in the order of messages; its terms come
    when the message has ended (services/search.py), so that an answer's way is not dearer for it.

    On SQLite triggers keep the FTS5 table ``conversations_searchterms`` to it; on PostgreSQL it has a GIN index.
    """

    id = models.BigAutoField(primary_key=True)
    message = models.OneToOneField("conversations.Message", on_delete=models.CASCADE, related_name="search_entry")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    terms = TermsField(default=list)

    class Meta:
        indexes = [models.Index(fields=["owner", "-id"], name="search_owner")]

    def __str__(self) -> str:
        return f"search entry of message {self.message_id}"  # without its words
