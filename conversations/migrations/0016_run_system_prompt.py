from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0015_follow_ups")]

    operations = [
        migrations.AddField(model_name="run", name="system_prompt", field=models.TextField(blank=True, null=True)),
    ]
