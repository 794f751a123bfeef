from django.db import migrations

from conversations.services.search_build import build


def add_entries(apps, schema_editor):
    build(message_model=apps.get_model("conversations", "Message"), entry_model=apps.get_model("conversations", "SearchEntry"))


class Migration(migrations.Migration):
    # A thousand messages a transaction: it needs little memory, and whoever ends it in the middle begins again where it was.
    atomic = False

    dependencies = [("conversations", "0008_search")]

    operations = [migrations.RunPython(add_entries, migrations.RunPython.noop)]
