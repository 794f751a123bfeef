from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0010_large_tables")]

    operations = [
        migrations.AddField(model_name="run", name="notices", field=models.JSONField(blank=True, null=True)),
    ]
