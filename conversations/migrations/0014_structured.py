from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0013_attachments")]

    operations = [
        migrations.AddField(model_name="run", name="response_format", field=models.JSONField(blank=True, null=True)),
        migrations.AddField(model_name="run", name="structured", field=models.JSONField(blank=True, null=True)),
    ]
