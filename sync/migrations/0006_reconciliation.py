import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0005_dead_letters'),
    ]

    operations = [
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('location', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='reconciliations', to='sync.location')),
                ('started_by', models.CharField(help_text='schedule, silence, command, or who asked for it.', max_length=64)),
                ('reason', models.CharField(blank=True, help_text='Why it stopped.', max_length=300)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('state', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('failed', 'Stopped')], default='running', max_length=8)),
                ('cursor', models.JSONField(default=dict, help_text='Where it goes on.')),
                ('fence', models.PositiveIntegerField(default=0)),
                ('failures', models.PositiveSmallIntegerField(default=0, help_text='Of the request in hand, in a row.')),
                ('next_at', models.DateTimeField()),
                ('requests', models.PositiveIntegerField(default=0)),
                ('contacts_read', models.PositiveIntegerField(default=0)),
                ('appointments_read', models.PositiveIntegerField(default=0)),
                ('missed', models.PositiveIntegerField(default=0, help_text='Contacts and appointments that were repaired.')),
                ('told', models.PositiveIntegerField(default=0, help_text='Events that had been missed.')),
                ('correlation_id', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
                'permissions': [('start_reconciliation', 'Can start reconciliations')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Silence',
            fields=[
                ('location', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='sync.location')),
                ('last_at', models.DateTimeField(help_text='When the last webhook came in.')),
                ('noticed_at', models.DateTimeField()),
                ('polled_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='reconciliation',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['next_at'], name='reconciliation_due'),
        ),
        migrations.AddIndex(
            model_name='reconciliation',
            index=models.Index(fields=['location', 'created_at'], name='reconciliation_by_location'),
        ),
        migrations.AddIndex(
            model_name='reconciliation',
            index=models.Index(fields=['ended_at'], name='reconciliation_by_end'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'running')), fields=('location', 'started_by'), name='one_reconciliation_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('state', 'running')), models.Q(('ended_at__isnull', False), ('state__in', ['done', 'failed'])), _connector='OR'), name='reconciliation_ends_once'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'failed'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='a_stopped_reconciliation_says_why'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.CheckConstraint(condition=models.Q(('since__lt', models.F('until'))), name='reconciliation_has_a_span'),
        ),
    ]
