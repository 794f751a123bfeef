from django.db import migrations, models


def from_what_was_said(apps, schema_editor):
    """Only what is certain: of those that something else has ended early, the row does not say what."""
    ended_early = apps.get_model("conversations", "Run").objects.filter(status="incomplete", reason=None)
    ended_early.filter(finish_reason="length").update(reason="max_tokens")
    ended_early.filter(finish_reason="content_filter").update(reason="content_filter")


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0018_deleted_threads'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='reason',
            field=models.CharField(blank=True, max_length=40, null=True),
        ),
        migrations.RunPython(from_what_was_said, migrations.RunPython.noop, elidable=True),
    ]
