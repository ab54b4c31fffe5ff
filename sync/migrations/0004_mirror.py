import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0003_webhooks'),
    ]

    operations = [
        migrations.CreateModel(
            name='AppointmentState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('location', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='appointment_states', to='sync.location')),
                ('appointment_id', models.CharField(max_length=100)),
                ('contact_id', models.CharField(blank=True, max_length=100)),
                ('calendar_id', models.CharField(blank=True, max_length=100)),
                ('assigned_user_id', models.CharField(blank=True, max_length=100)),
                ('status', models.CharField(choices=[('new', 'New'), ('confirmed', 'Confirmed'), ('active', 'Active'), ('canceled', 'Canceled'), ('invalid', 'Invalid'), ('no_show', 'No show'), ('showed', 'Showed'), ('completed', 'Completed'), ('unknown', 'Unknown')], default='unknown', max_length=12)),
                ('starts_at', models.DateTimeField(null=True)),
                ('ends_at', models.DateTimeField(null=True)),
                ('added_at', models.DateTimeField(help_text='When it was booked, as they say.', null=True)),
                ('updated_at', models.DateTimeField(help_text='Of the version that counts as the last one.', null=True)),
                ('first_seen_at', models.DateTimeField()),
                ('is_deleted', models.BooleanField(default=False)),
                ('is_ours', models.BooleanField(default=False, help_text='One of our jobs has booked it.')),
                ('is_doubtful', models.BooleanField(default=False, help_text='Reconciliation will read it again.')),
                ('history', models.JSONField(default=dict, help_text='Versions seen, and what was told. See sync.mirror.')),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ContactState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('location', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='contact_states', to='sync.location')),
                ('contact_id', models.CharField(max_length=100)),
                ('added_at', models.DateTimeField(help_text='When it was made there, as they say.', null=True)),
                ('updated_at', models.DateTimeField(help_text='Of what was seen last, as they say.', null=True)),
                ('first_seen_at', models.DateTimeField()),
                ('is_deleted', models.BooleanField(default=False)),
                ('ours_since', models.DateTimeField(help_text='A job of ours, taken in then, has written this contact.', null=True)),
                ('lead', models.CharField(choices=[('open', 'Not decided'), ('told', 'Told as a lead'), ('ours', 'Made by us'), ('old', 'There before we looked')], default='open', max_length=4)),
                ('decide_at', models.DateTimeField(null=True)),
                ('lead_source', models.CharField(blank=True, max_length=64)),
                ('correlation_id', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='syncjob',
            index=models.Index(condition=models.Q(('fence__gt', 0), ('operation', 'contact.upsert'), ('state__in', ['waiting', 'leased'])), fields=['location', 'created_at'], name='job_making_a_contact'),
        ),
        migrations.AddIndex(
            model_name='appointmentstate',
            index=models.Index(fields=['location', 'starts_at'], name='appointment_by_start'),
        ),
        migrations.AddIndex(
            model_name='appointmentstate',
            index=models.Index(fields=['starts_at'], name='appointment_by_age'),
        ),
        migrations.AddIndex(
            model_name='appointmentstate',
            index=models.Index(condition=models.Q(('contact_id', ''), _negated=True), fields=['contact_id'], name='appointment_by_contact'),
        ),
        migrations.AddIndex(
            model_name='appointmentstate',
            index=models.Index(condition=models.Q(('is_doubtful', True)), fields=['location'], name='appointment_doubtful'),
        ),
        migrations.AddConstraint(
            model_name='appointmentstate',
            constraint=models.UniqueConstraint(fields=('appointment_id', 'location'), name='one_state_an_appointment'),
        ),
        migrations.AddConstraint(
            model_name='appointmentstate',
            constraint=models.CheckConstraint(condition=models.Q(('appointment_id', ''), _negated=True), name='appointment_state_has_an_id'),
        ),
        migrations.AddConstraint(
            model_name='appointmentstate',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['new', 'confirmed', 'active', 'canceled', 'invalid', 'no_show', 'showed', 'completed', 'unknown'])), name='appointment_status_is_known'),
        ),
        migrations.AddIndex(
            model_name='contactstate',
            index=models.Index(condition=models.Q(('decide_at__isnull', False)), fields=['decide_at'], name='contact_undecided'),
        ),
        migrations.AddIndex(
            model_name='contactstate',
            index=models.Index(fields=['first_seen_at'], name='contact_by_age'),
        ),
        migrations.AddConstraint(
            model_name='contactstate',
            constraint=models.UniqueConstraint(fields=('contact_id', 'location'), name='one_state_a_contact'),
        ),
        migrations.AddConstraint(
            model_name='contactstate',
            constraint=models.CheckConstraint(condition=models.Q(('contact_id', ''), _negated=True), name='contact_state_has_an_id'),
        ),
        migrations.AddConstraint(
            model_name='contactstate',
            constraint=models.CheckConstraint(condition=models.Q(('lead__in', ['open', 'told', 'ours', 'old'])), name='contact_lead_is_known'),
        ),
        migrations.AddConstraint(
            model_name='contactstate',
            constraint=models.CheckConstraint(condition=models.Q(('lead', 'open'), ('decide_at__isnull', True), _connector='OR'), name='contact_is_decided_once'),
        ),
    ]
