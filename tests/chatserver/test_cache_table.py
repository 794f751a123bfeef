import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection


@pytest.mark.django_db
def test_migrate_alone_makes_the_cache_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cache")
    assert "cache" not in connection.introspection.table_names()
    call_command("migrate", verbosity=0)
    cache.set("key", "value")
    assert cache.get("key") == "value"
