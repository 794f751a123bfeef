from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0014_structured")]

    operations = [
        migrations.AddField(model_name="message", name="follow_ups", field=models.JSONField(blank=True, null=True)),
    ]
