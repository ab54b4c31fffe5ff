import django.db.models.deletion
import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0002_engine'),
    ]

    operations = [
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('dedupe_key', models.CharField(help_text='Their webhookId, or a digest where there is none.', max_length=100)),
                ('kind', models.CharField(choices=[('marketplace', 'Of the app, signed'), ('workflow', 'Of a workflow, at a secret address')], max_length=12)),
                ('topic', models.CharField(help_text='Their type in snake case, such as contact_create.', max_length=64)),
                ('body', models.BinaryField(help_text='As received. Personal: never shown whole. Empty once it was erased.')),
                ('received_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(help_text='As they say.', null=True)),
                ('correlation_id', models.CharField(max_length=64)),
                ('contact_id', models.CharField(blank=True, max_length=100)),
                ('object_id', models.CharField(blank=True, help_text='Of what it is about.', max_length=100)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('leased', 'In hand'), ('done', 'Done'), ('dead', 'Dead letter'), ('ignored', 'Ignored')], default='waiting', max_length=8)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('is_redrive', models.BooleanField(default=False, help_text='A person has given it one more try.')),
                ('fence', models.PositiveIntegerField(default=0)),
                ('next_at', models.DateTimeField()),
                ('code', models.CharField(blank=True, help_text='Why it was ignored, or failed last.', max_length=32)),
                ('processed_at', models.DateTimeField(null=True)),
                ('location', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='webhooks', to='sync.location')),
            ],
            options={
                'ordering': ['-received_at', '-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['next_at', 'id'], name='webhook_due'), models.Index(condition=models.Q(('state', 'leased')), fields=['next_at'], name='webhook_lease_ends'), models.Index(condition=models.Q(('state', 'dead')), fields=['received_at'], name='webhook_dead'), models.Index(fields=['location', 'received_at'], name='webhook_by_location'), models.Index(fields=['received_at', 'id'], name='webhook_by_time'), models.Index(fields=['correlation_id'], name='webhook_by_correlation_id'), models.Index(condition=models.Q(('contact_id', ''), _negated=True), fields=['contact_id'], name='webhook_by_contact')],
                'constraints': [models.UniqueConstraint(fields=('dedupe_key',), name='a_webhook_is_stored_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['marketplace', 'workflow'])), name='webhook_kind_is_known'), models.CheckConstraint(condition=models.Q(models.Q(('processed_at__isnull', True), ('state__in', ['waiting', 'leased'])), models.Q(('processed_at__isnull', False), ('state__in', ['done', 'dead', 'ignored'])), _connector='OR'), name='webhook_is_processed_when_it_ended'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['dead', 'ignored']), _negated=True), models.Q(('code', ''), _negated=True), _connector='OR'), name='a_dropped_webhook_says_why'), models.CheckConstraint(condition=models.Q(('tries__lte', 6)), name='webhook_has_at_most_six_tries'), models.CheckConstraint(condition=django.db.models.lookups.LessThanOrEqual(models.Func(models.F('body'), function='octet_length', output_field=models.IntegerField()), 1048576), name='webhook_body_is_bounded')],
            },
        ),
        migrations.CreateModel(
            name='WorkflowAddress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='SHA-256 of the secret, in hex.', max_length=64)),
                ('issued_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(null=True)),
                ('location', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='workflow_addresses', to='sync.location')),
            ],
            options={
                'ordering': ['-issued_at'],
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('digest',), name='a_workflow_address_leads_to_one_location'), models.CheckConstraint(condition=models.Q(('digest__regex', '^[0-9a-f]{64}$')), name='workflow_address_is_a_digest')],
            },
        ),
    ]
