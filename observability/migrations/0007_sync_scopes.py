import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('observability', '0006_retention'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='apikey',
            name='api_key_scopes_are_known',
        ),
        migrations.AlterField(
            model_name='apikey',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('events:write', 'Report events'), ('events:backfill', 'Report events up to two years old'), ('health:read', 'Read the details of health'), ('sync:write', 'Enqueue jobs for GoHighLevel'), ('sync:read', 'Read jobs, dead letters and bulk operations'), ('sync:operate', 'Redrive, discard, reconcile, pause')], max_length=32), help_text='What it may do.', size=None),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['events:write', 'events:backfill', 'health:read', 'sync:write', 'sync:read', 'sync:operate'])), name='api_key_scopes_are_known'),
        ),
    ]
