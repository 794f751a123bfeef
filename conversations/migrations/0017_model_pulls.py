import chatserver.ids
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0016_run_system_prompt'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ModelPull',
            fields=[
                ('id', models.UUIDField(default=chatserver.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('server', models.CharField(max_length=100)),
                ('model', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('queued', 'queued'), ('pulling', 'pulling'), ('done', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='queued', max_length=10)),
                ('message', models.CharField(blank=True, default='', max_length=200)),
                ('completed', models.PositiveBigIntegerField(default=0, verbose_name='bytes there')),
                ('total', models.PositiveBigIntegerField(default=0, verbose_name='bytes in all')),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('error', models.JSONField(blank=True, null=True)),
                ('by_name', models.CharField(blank=True, default='', max_length=150, verbose_name='asked for by')),
                ('cancelled_by', models.CharField(blank=True, default='', max_length=150)),
                ('holder', models.CharField(blank=True, default='', max_length=64)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'permissions': [('manage_models', 'Can pull, load, unload and delete models on their servers')],
                'indexes': [models.Index(condition=models.Q(('status__in', ['pulling', 'queued'])), fields=['created_at'], name='pull_open'), models.Index(fields=['-created_at'], name='pull_latest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'pulling')), fields=('server',), name='one_pull_at_once_a_server'), models.UniqueConstraint(condition=models.Q(('status__in', ['pulling', 'queued'])), fields=('server', 'model'), name='one_open_pull_a_model')],
            },
        ),
    ]
