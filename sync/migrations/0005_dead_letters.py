import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

# A group's counters move with its letters, whoever moves them. Groups are locked in the order of their ids.
LETTERS_ARE_COUNTED = """
create function sync_count_letters() returns trigger language plpgsql as $$
declare
    all_groups bigint[] = '{}'; all_states text[] = '{}'; all_signs int[] = '{}';
    all_deaths timestamptz[] = '{}'; all_ends timestamptz[] = '{}';
begin
    if tg_op <> 'INSERT' then
        select coalesce(array_agg(group_id), '{}'), coalesce(array_agg(state), '{}'),
               coalesce(array_agg(-1), '{}'), coalesce(array_agg(null::timestamptz), '{}'),
               coalesce(array_agg(null::timestamptz), '{}')
        into all_groups, all_states, all_signs, all_deaths, all_ends from gone;
    end if;
    if tg_op <> 'DELETE' then
        select all_groups || coalesce(array_agg(group_id), '{}'),
               all_states || coalesce(array_agg(state::text), '{}'), all_signs || coalesce(array_agg(1), '{}'),
               all_deaths || coalesce(array_agg(died_at), '{}'),
               all_ends || coalesce(array_agg(resolved_at), '{}')
        into all_groups, all_states, all_signs, all_deaths, all_ends from come;
    end if;
    perform from sync_causegroup where id = any(all_groups) order by id for update;
    update sync_causegroup cause_group
    set open = cause_group.open + moved.open, redriving = cause_group.redriving + moved.redriving,
        recovered = cause_group.recovered + moved.recovered,
        discarded = cause_group.discarded + moved.discarded,
        superseded = cause_group.superseded + moved.superseded, total = cause_group.total + moved.total,
        last_seen_at = greatest(cause_group.last_seen_at, moved.died_at),
        -- What died anew, or came from another group, adds to the total; what was restored does not.
        state = case
            when cause_group.open + moved.open + cause_group.redriving + moved.redriving = 0 then 'resolved'
            when cause_group.state <> 'resolved' then cause_group.state
            when cause_group.is_proven and moved.total > 0 then 'regressed'
            else 'open' end,
        is_proven = case
            when cause_group.state = 'resolved' and moved.open + moved.redriving > 0 then false
            else cause_group.is_proven or moved.recovered > 0 end,
        resolved_at = case
            when cause_group.state <> 'resolved'
                and cause_group.open + moved.open + cause_group.redriving + moved.redriving = 0
            then coalesce(moved.resolved_at, now())
            else cause_group.resolved_at end
    from (
        select group_id, coalesce(sum(sign) filter (where state = 'open'), 0) as open,
               coalesce(sum(sign) filter (where state = 'redriving'), 0) as redriving,
               coalesce(sum(sign) filter (where state = 'recovered'), 0) as recovered,
               coalesce(sum(sign) filter (where state = 'discarded'), 0) as discarded,
               coalesce(sum(sign) filter (where state = 'superseded'), 0) as superseded,
               sum(sign) as total, max(died_at) as died_at, max(resolved_at) as resolved_at
        from unnest(all_groups, all_states, all_signs, all_deaths, all_ends)
            as m(group_id, state, sign, died_at, resolved_at)
        group by group_id
    ) moved
    where cause_group.id = moved.group_id
      and (moved.open, moved.redriving, moved.recovered, moved.discarded, moved.superseded)
          is distinct from (0, 0, 0, 0, 0);
    return null;
end $$;
create trigger new_letters_are_counted after insert on sync_deadletter
    referencing new table as come for each statement execute function sync_count_letters();
create trigger moved_letters_are_counted after update on sync_deadletter
    referencing old table as gone new table as come for each statement execute function sync_count_letters();
create trigger gone_letters_are_counted after delete on sync_deadletter
    referencing old table as gone for each statement execute function sync_count_letters();
"""
NO_LETTERS = """
drop trigger new_letters_are_counted on sync_deadletter;
drop trigger moved_letters_are_counted on sync_deadletter;
drop trigger gone_letters_are_counted on sync_deadletter;
drop function sync_count_letters();
"""

# Of items that were removed with an old letter, the operation goes on saying how they ended.
ITEMS_ARE_COUNTED = """
create function sync_count_bulk_items() returns trigger language plpgsql as $$
declare
    all_operations bigint[] = '{}'; all_states text[] = '{}'; all_counts int[] = '{}';
begin
    if tg_op = 'UPDATE' then
        select coalesce(array_agg(operation_id), '{}'), coalesce(array_agg(state), '{}'),
               coalesce(array_agg(-count), '{}')
        into all_operations, all_states, all_counts
        from (select operation_id, state, count(*)::int as count from gone group by 1, 2) gone;
    end if;
    select all_operations || coalesce(array_agg(operation_id), '{}'),
           all_states || coalesce(array_agg(state::text), '{}'), all_counts || coalesce(array_agg(count), '{}')
    into all_operations, all_states, all_counts
    from (select operation_id, state, count(*)::int as count from come group by 1, 2) come;
    update sync_bulkoperation operation
    set pending = operation.pending + moved.pending, sent = operation.sent + moved.sent,
        recovered = operation.recovered + moved.recovered,
        failed_same_cause = operation.failed_same_cause + moved.failed_same_cause,
        failed_new_cause = operation.failed_new_cause + moved.failed_new_cause,
        superseded = operation.superseded + moved.superseded, skipped = operation.skipped + moved.skipped,
        canceled = operation.canceled + moved.canceled,
        needs_decision = operation.needs_decision + moved.needs_decision, done = operation.done + moved.done,
        total = operation.total + moved.total
    from (
        select operation_id, coalesce(sum(count) filter (where state = 'pending'), 0) as pending,
               coalesce(sum(count) filter (where state = 'sent'), 0) as sent,
               coalesce(sum(count) filter (where state = 'recovered'), 0) as recovered,
               coalesce(sum(count) filter (where state = 'failed_same_cause'), 0) as failed_same_cause,
               coalesce(sum(count) filter (where state = 'failed_new_cause'), 0) as failed_new_cause,
               coalesce(sum(count) filter (where state = 'superseded'), 0) as superseded,
               coalesce(sum(count) filter (where state = 'skipped'), 0) as skipped,
               coalesce(sum(count) filter (where state = 'canceled'), 0) as canceled,
               coalesce(sum(count) filter (where state = 'needs_decision'), 0) as needs_decision,
               coalesce(sum(count) filter (where state = 'done'), 0) as done,
               sum(count) as total
        from unnest(all_operations, all_states, all_counts) as m(operation_id, state, count)
        group by operation_id
    ) moved
    where operation.id = moved.operation_id;
    return null;
end $$;
create trigger new_bulk_items_are_counted after insert on sync_bulkitem
    referencing new table as come for each statement execute function sync_count_bulk_items();
create trigger moved_bulk_items_are_counted after update on sync_bulkitem
    referencing old table as gone new table as come
    for each statement execute function sync_count_bulk_items();
"""
NO_ITEMS = """
drop trigger new_bulk_items_are_counted on sync_bulkitem;
drop trigger moved_bulk_items_are_counted on sync_bulkitem;
drop function sync_count_bulk_items();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '__first__'),
        ('sync', '0004_mirror'),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('pending', 'Not begun'), ('sent', 'Under way'), ('recovered', 'Recovered'), ('failed_same_cause', 'Failed again, same cause'), ('failed_new_cause', 'Failed again, new cause'), ('superseded', 'Superseded'), ('skipped', 'Skipped'), ('canceled', 'Canceled'), ('needs_decision', 'Needs a decision'), ('done', 'Done')], default='pending', max_length=18)),
                ('words', models.CharField(blank=True, help_text='Why it was left out.', max_length=200)),
                ('step', models.PositiveIntegerField(null=True)),
                ('deaths', models.PositiveIntegerField(help_text='How often the letter had died when it went.', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BulkOperation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('redrive', 'Redrive'), ('discard', 'Discard'), ('restore', 'Restore'), ('assign', 'Assign')], max_length=8)),
                ('state', models.CharField(choices=[('running', 'Running'), ('paused', 'Paused'), ('stopped', 'Stopped by itself'), ('canceled', 'Canceled'), ('done', 'Done')], default='running', max_length=8)),
                ('state_reason', models.CharField(blank=True, help_text='Why it was stopped.', max_length=300)),
                ('chosen', models.JSONField(help_text='The filter as it was given.')),
                ('reason', models.CharField(max_length=300)),
                ('by', models.CharField(max_length=100)),
                ('look_first', models.BooleanField(default=True, help_text='Ask GoHighLevel before sending again.')),
                ('step', models.PositiveIntegerField(default=0, help_text='How many steps there were.')),
                ('step_size', models.PositiveIntegerField(default=0, help_text='Of the last of them: 1, 10, 100, 500.')),
                ('total', models.PositiveIntegerField(default=0)),
                ('pending', models.PositiveIntegerField(default=0)),
                ('sent', models.PositiveIntegerField(default=0)),
                ('recovered', models.PositiveIntegerField(default=0)),
                ('failed_same_cause', models.PositiveIntegerField(default=0)),
                ('failed_new_cause', models.PositiveIntegerField(default=0)),
                ('superseded', models.PositiveIntegerField(default=0)),
                ('skipped', models.PositiveIntegerField(default=0)),
                ('canceled', models.PositiveIntegerField(default=0)),
                ('needs_decision', models.PositiveIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0, help_text='Of kinds other than redrive.')),
                ('started_at', models.DateTimeField()),
                ('looked_at', models.DateTimeField(help_text='When its items were looked at last.')),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('run_bulkoperation', 'Can start, pause, resume and cancel bulk operations')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='CauseGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.CharField(max_length=32)),
                ('version', models.PositiveSmallIntegerField(help_text='Of the way the fingerprint was made.')),
                ('integration', models.CharField(choices=[('ghl', 'GoHighLevel'), ('webhook', 'Webhooks')], max_length=8)),
                ('subject', models.CharField(help_text='Operation of the jobs, or topic of the webhooks.', max_length=64)),
                ('code', models.CharField(max_length=32)),
                ('cause', models.CharField(max_length=16)),
                ('message', models.CharField(blank=True, help_text='What they say, without what differs.', max_length=200)),
                ('state', models.CharField(choices=[('open', 'Open'), ('resolved', 'Resolved'), ('regressed', 'Back again')], default='open', max_length=9)),
                ('is_proven', models.BooleanField(default=False)),
                ('snoozed_until', models.DateTimeField(null=True)),
                ('snoozed_to_count', models.PositiveIntegerField(help_text='Until more than so many are open.', null=True)),
                ('open', models.PositiveIntegerField(default=0)),
                ('redriving', models.PositiveIntegerField(default=0)),
                ('recovered', models.PositiveIntegerField(default=0)),
                ('discarded', models.PositiveIntegerField(default=0)),
                ('superseded', models.PositiveIntegerField(default=0)),
                ('total', models.PositiveIntegerField(default=0, help_text='Of all letters that are kept.')),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField(help_text='When a letter died of it last.')),
                ('resolved_at', models.DateTimeField(help_text='When it was resolved last.', null=True)),
            ],
            options={
                'ordering': ['-last_seen_at', '-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('open', 'Open'), ('redriving', 'Being tried again'), ('recovered', 'Recovered'), ('discarded', 'Discarded'), ('superseded', 'Superseded')], default='open', max_length=10)),
                ('code', models.CharField(help_text='Of its last death, as all that follows.', max_length=32)),
                ('status', models.PositiveSmallIntegerField(help_text='HTTP status, if there was an answer.', null=True)),
                ('words', models.CharField(blank=True, help_text="GoHighLevel's own, redacted.", max_length=500)),
                ('died_at', models.DateTimeField()),
                ('first_died_at', models.DateTimeField()),
                ('deaths', models.PositiveIntegerField(default=1)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('discard_reason', models.CharField(blank=True, max_length=300)),
                ('discarded_by', models.CharField(blank=True, max_length=100)),
                ('snoozed_until', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-died_at', '-id'],
                'permissions': [('redrive_deadletter', 'Can redrive dead letters'), ('edit_deadletter', 'Can redrive dead letters with changed data'), ('discard_deadletter', 'Can discard and restore dead letters'), ('assign_deadletter', 'Can assign, note and snooze dead letters and their groups')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='GroupNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('words', models.CharField(max_length=2000)),
                ('by', models.CharField(max_length=100)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-at', '-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='LedgerCheck',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('checked_at', models.DateTimeField()),
                ('dead', models.PositiveBigIntegerField(help_text='All letters: what has died.')),
                ('open', models.PositiveBigIntegerField()),
                ('redriving', models.PositiveBigIntegerField()),
                ('recovered', models.PositiveBigIntegerField()),
                ('discarded', models.PositiveBigIntegerField()),
                ('superseded', models.PositiveBigIntegerField()),
                ('differences', models.JSONField(default=list, help_text='In words; empty when all is accounted for.')),
            ],
            options={
                'ordering': ['-day'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='LetterNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('words', models.CharField(max_length=2000)),
                ('by', models.CharField(max_length=100)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-at', '-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='syncjob',
            index=models.Index(condition=models.Q(('state', 'dead')), fields=['settled_at'], name='job_dead'),
        ),
        migrations.AddField(
            model_name='bulkoperation',
            name='assignee',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='bulkitem',
            name='operation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='sync.bulkoperation'),
        ),
        migrations.AddField(
            model_name='causegroup',
            name='owner',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='bulkitem',
            name='group',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='sync.causegroup'),
        ),
        migrations.AddField(
            model_name='deadletter',
            name='assigned_to',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='deadletter',
            name='group',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='letters', to='sync.causegroup'),
        ),
        migrations.AddField(
            model_name='deadletter',
            name='job',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='letter', to='sync.syncjob'),
        ),
        migrations.AddField(
            model_name='deadletter',
            name='location',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='letters', to='sync.location'),
        ),
        migrations.AddField(
            model_name='deadletter',
            name='webhook',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='letter', to='sync.webhook'),
        ),
        migrations.AddField(
            model_name='bulkitem',
            name='letter',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bulk_items', to='sync.deadletter'),
        ),
        migrations.AddField(
            model_name='groupnote',
            name='group',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notes', to='sync.causegroup'),
        ),
        migrations.AddConstraint(
            model_name='ledgercheck',
            constraint=models.CheckConstraint(condition=models.Q(('dead', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('open'), '+', models.F('redriving')), '+', models.F('recovered')), '+', models.F('discarded')), '+', models.F('superseded')))), name='ledger_adds_up'),
        ),
        migrations.AddField(
            model_name='letternote',
            name='letter',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notes', to='sync.deadletter'),
        ),
        migrations.AddIndex(
            model_name='bulkoperation',
            index=models.Index(condition=models.Q(('state', 'running'), ('sent__gt', 0), _connector='OR'), fields=['looked_at'], name='bulk_under_way'),
        ),
        migrations.AddConstraint(
            model_name='bulkoperation',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['redrive', 'discard', 'restore', 'assign'])), name='bulk_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='bulkoperation',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['running', 'paused', 'stopped', 'canceled', 'done'])), name='bulk_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='bulkoperation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('state__in', ['canceled', 'done'])), models.Q(('ended_at__isnull', True), ('state__in', ['running', 'paused', 'stopped'])), _connector='OR'), name='bulk_ends_when_it_is_over'),
        ),
        migrations.AddConstraint(
            model_name='bulkoperation',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='bulk_says_why'),
        ),
        migrations.AddConstraint(
            model_name='bulkoperation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'stopped'), _negated=True), models.Q(('state_reason', ''), _negated=True), _connector='OR'), name='a_stopped_bulk_says_why'),
        ),
        migrations.AddConstraint(
            model_name='bulkoperation',
            constraint=models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('pending'), '+', models.F('sent')), '+', models.F('recovered')), '+', models.F('failed_same_cause')), '+', models.F('failed_new_cause')), '+', models.F('superseded')), '+', models.F('skipped')), '+', models.F('canceled')), '+', models.F('needs_decision')), '+', models.F('done')))), name='bulk_loses_no_item'),
        ),
        migrations.AddIndex(
            model_name='causegroup',
            index=models.Index(condition=models.Q(('state', 'resolved'), _negated=True), fields=['-last_seen_at', '-id'], name='cause_group_unresolved'),
        ),
        migrations.AddIndex(
            model_name='causegroup',
            index=models.Index(fields=['-last_seen_at', '-id'], name='cause_group_by_time'),
        ),
        migrations.AddConstraint(
            model_name='causegroup',
            constraint=models.UniqueConstraint(fields=('fingerprint', 'version'), name='one_group_a_cause'),
        ),
        migrations.AddConstraint(
            model_name='causegroup',
            constraint=models.CheckConstraint(condition=models.Q(('integration__in', ['ghl', 'webhook'])), name='cause_group_integration_is_known'),
        ),
        migrations.AddConstraint(
            model_name='causegroup',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'resolved', 'regressed'])), name='cause_group_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='causegroup',
            constraint=models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('open'), '+', models.F('redriving')), '+', models.F('recovered')), '+', models.F('discarded')), '+', models.F('superseded')))), name='cause_group_loses_no_letter'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['state', '-died_at', '-id'], name='letter_by_state'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['group', 'state', '-died_at', '-id'], name='letter_by_group'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['location', 'state', '-died_at', '-id'], name='letter_by_location'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['-died_at', '-id'], name='letter_by_time'),
        ),
        migrations.AddConstraint(
            model_name='deadletter',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'redriving', 'recovered', 'discarded', 'superseded'])), name='letter_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='deadletter',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('job__isnull', True), ('webhook__isnull', False)), models.Q(('job__isnull', False), ('webhook__isnull', True)), _connector='OR'), name='letter_is_of_one_job_or_webhook'),
        ),
        migrations.AddConstraint(
            model_name='deadletter',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', True), ('state__in', ('open', 'redriving'))), models.Q(('resolved_at__isnull', False), ('state__in', ['recovered', 'discarded', 'superseded'])), _connector='OR'), name='letter_is_resolved_when_it_ended'),
        ),
        migrations.AddConstraint(
            model_name='deadletter',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'discarded'), models.Q(('discard_reason', ''), _negated=True), models.Q(('discarded_by', ''), _negated=True)), models.Q(models.Q(('state', 'discarded'), _negated=True), ('discard_reason', ''), ('discarded_by', '')), _connector='OR'), name='a_discarded_letter_says_why_and_by_whom'),
        ),
        migrations.AddConstraint(
            model_name='deadletter',
            constraint=models.CheckConstraint(condition=models.Q(('deaths__gte', 1)), name='letter_has_died'),
        ),
        migrations.AddIndex(
            model_name='bulkitem',
            index=models.Index(fields=['operation', 'state', 'id'], name='bulk_item_by_state'),
        ),
        migrations.AddIndex(
            model_name='bulkitem',
            index=models.Index(condition=models.Q(('step__isnull', False)), fields=['operation', 'step'], name='bulk_item_of_step'),
        ),
        migrations.AddConstraint(
            model_name='bulkitem',
            constraint=models.UniqueConstraint(fields=('operation', 'letter'), name='a_letter_is_once_in_a_bulk'),
        ),
        migrations.AddConstraint(
            model_name='bulkitem',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ('pending', 'sent', 'recovered', 'failed_same_cause', 'failed_new_cause', 'superseded', 'skipped', 'canceled', 'needs_decision', 'done'))), name='bulk_item_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='bulkitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('state__in', ('pending', 'sent'))), models.Q(('ended_at__isnull', False), ('state__in', ('recovered', 'failed_same_cause', 'failed_new_cause', 'superseded', 'skipped', 'canceled', 'needs_decision', 'done'))), _connector='OR'), name='bulk_item_ends_when_it_is_over'),
        ),
        migrations.AddConstraint(
            model_name='bulkitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), models.Q(('deaths__isnull', False), ('step__isnull', False)), _connector='OR'), name='a_sent_bulk_item_knows_its_step'),
        ),
        migrations.AddConstraint(
            model_name='groupnote',
            constraint=models.CheckConstraint(condition=models.Q(('words', ''), _negated=True), name='group_note_says_something'),
        ),
        migrations.AddConstraint(
            model_name='letternote',
            constraint=models.CheckConstraint(condition=models.Q(('words', ''), _negated=True), name='letter_note_says_something'),
        ),
        migrations.RunSQL(LETTERS_ARE_COUNTED, NO_LETTERS),
        migrations.RunSQL(ITEMS_ARE_COUNTED, NO_ITEMS),
    ]
