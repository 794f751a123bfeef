"""What Django empties the database with after a test that commits.

Its own command truncates: on PostgreSQL that makes the files of all tables and indexes anew and waits for the disk; a
few rows are deleted at once. And it makes all content types and permissions again, the same ones each time; here
they stay.
"""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, connections, transaction

STAYS = {"django_content_type", "auth_permission"}


class Command(BaseCommand):
    stealth_options = ("interactive", "database", "reset_sequences", "allow_cascade", "inhibit_post_migrate")

    def handle(self, *, database: str = DEFAULT_DB_ALIAS, **options: Any) -> None:
        connection = connections[database]
        names = set(connection.introspection.django_table_names(include_views=False)) - STAYS
        tables = [connection.ops.quote_name(name) for name in sorted(names)]
        with transaction.atomic(using=database), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # As TRUNCATE does: who is still writing is waited for, and leaves nothing to the next test.
                cursor.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")
