from django.db import migrations, models

# Django cannot declare a partitioned table. No DEFAULT partition (it forbids DETACH CONCURRENTLY).
CREATE_ENTRY = """
create table observability_auditentry (
    recorded_at timestamptz not null,
    id uuid not null,
    actor_kind text not null,
    actor_id text not null,
    action text not null,
    target_type text not null,
    target_id text not null,
    reason text not null,
    correlation_id text not null,
    changes jsonb not null,
    primary key (recorded_at, id),
    constraint audit_actor_kind_is_known
        check (actor_kind in ('staff', 'key', 'command', 'system', 'anonymous')),
    constraint audit_actor_is_of_its_kind check (split_part(actor_id, ':', 1) = actor_kind),
    constraint audit_action_is_dotted check (action ~ '^[a-z_]+[.][a-z_]+$'),
    constraint audit_changes_are_an_object check (jsonb_typeof(changes) = 'object')
) partition by range (recorded_at);
create index observability_auditentry_by_actor on observability_auditentry (actor_id, recorded_at);
create index observability_auditentry_by_target on observability_auditentry (target_id, target_type);
create index observability_auditentry_by_correlation_id on observability_auditentry (correlation_id);
"""

# Row triggers of the parent are cloned to every partition when it is attached; triggers on TRUNCATE are
# not, so `observability.partitions.AUDIT` puts one on each partition that it makes.
GUARD = """
create function observability_audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'The audit log only grows: % of % is refused.', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end
$$;
create trigger audit_only_grows before update or delete on observability_auditentry
    for each row execute function observability_audit_refuse();
create trigger audit_is_never_emptied before truncate on observability_auditentry
    for each statement execute function observability_audit_refuse();
create trigger audit_only_grows before update or delete on observability_auditcheckpoint
    for each row execute function observability_audit_refuse();
create trigger audit_is_never_emptied before truncate on observability_auditcheckpoint
    for each statement execute function observability_audit_refuse();

-- Links are written by the chaining trigger alone, and removed by a cut alone, which has been signed before.
create function observability_audit_guard_link() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' and pg_trigger_depth() > 1 then
        return new;
    end if;
    if tg_op = 'DELETE'
        and old.seq <= coalesce(nullif(current_setting('trainu.audit_cut', true), ''), '0')::bigint
        and exists (
            select from observability_auditcheckpoint
            where reason = 'retention' and seq >= old.seq and entries_before > old.recorded_at
        )
    then
        return old;
    end if;
    raise exception 'The audit chain only grows: % of % is refused.', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end
$$;
create trigger audit_only_grows before insert or update or delete on observability_auditlink
    for each row execute function observability_audit_guard_link();
create trigger audit_is_never_emptied before truncate on observability_auditlink
    for each statement execute function observability_audit_refuse();
"""

# The same bytes are put together by `observability.audit.seals`, which checks them without this function:
# whoever can rewrite the log can rewrite its functions too.
CHAIN = """
create function observability_audit_digest(parts text[]) returns bytea language sql immutable as $$
    select sha256(string_agg(convert_to(octet_length(part) || ':' || part || ',', 'UTF8'), ''::bytea order by place))
    from unnest(parts) with ordinality as listed (part, place)
$$;

create function observability_audit_append() returns trigger language plpgsql as $$
declare
    head observability_auditlink%rowtype;
    place bigint;
    before bytea;
begin
    -- Taken at commit, after every lock of the act itself, and so for microseconds.
    perform pg_advisory_xact_lock(x'747261696e750002'::bigint);
    select * into head from observability_auditlink order by seq desc limit 1;
    place := coalesce(head.seq, 0) + 1;
    before := coalesce(head.hash, decode(repeat('00', 32), 'hex'));
    insert into observability_auditlink (seq, entry_id, recorded_at, previous, hash) values (
        place, new.id, new.recorded_at, before,
        observability_audit_digest(array[
            '1', place::text, encode(before, 'hex'), new.id::text,
            (extract(epoch from new.recorded_at) * 1000000)::bigint::text,
            new.actor_kind, new.actor_id, new.action, new.target_type, new.target_id, new.reason,
            new.correlation_id, new.changes::text
        ])
    );
    return null;
exception when unique_violation then
    if current_setting('transaction_isolation') = 'read committed' then
        raise;
    end if;
    -- A snapshot from before another act: this transaction sees an old head of the chain.
    raise exception 'Another act was audited meanwhile: run this % transaction again.',
        current_setting('transaction_isolation')
        using errcode = 'serialization_failure';
end
$$;
create constraint trigger audit_is_chained after insert on observability_auditentry
    deferrable initially deferred
    for each row execute function observability_audit_append();

-- The one door through which links go: behind a signed checkpoint, and never while they are young.
create function observability_audit_cut(last bigint, least_days integer) returns bigint language plpgsql as $$
declare
    signed observability_auditcheckpoint%rowtype;
    removed bigint;
begin
    select * into signed from observability_auditcheckpoint order by number desc limit 1;
    if signed.reason is distinct from 'retention' or signed.seq <> last then
        raise exception 'Sign the cut of the audit chain first: the newest checkpoint does not stand at %.', last
            using errcode = 'restrict_violation';
    end if;
    if least_days < 1 or exists (
        select from observability_auditlink
        where seq <= last
            and recorded_at >= least(signed.entries_before, now() - make_interval(days => least_days))
    ) then
        raise exception 'The audit log is kept for % days at least.', least_days
            using errcode = 'restrict_violation';
    end if;
    perform set_config('trainu.audit_cut', last::text, true);
    delete from observability_auditlink where seq <= last;
    get diagnostics removed = row_count;
    perform set_config('trainu.audit_cut', '', true);
    return removed;
end
$$;
"""

REMOVE_FUNCTIONS = """
drop function observability_audit_cut(bigint, integer);
drop function observability_audit_append() cascade;
drop function observability_audit_digest(text[]);
drop function observability_audit_guard_link() cascade;
drop function observability_audit_refuse() cascade;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("observability", "0004_logs"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_ENTRY, "drop table observability_auditentry cascade")],
            state_operations=[
                migrations.CreateModel(
                    name="AuditEntry",
                    fields=[
                        ("pk", models.CompositePrimaryKey("recorded_at", "id", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("recorded_at", models.DateTimeField(help_text="When it was done, UTC; decides the partition.")),
                        ("id", models.UUIDField()),
                        ("actor_kind", models.TextField(choices=[("staff", "Staff"), ("key", "API key"), ("command", "Command"), ("system", "The service itself"), ("anonymous", "Not signed in")])),
                        ("actor_id", models.TextField(help_text="staff:12, key:3, command:purge, system or anonymous.")),
                        ("action", models.TextField(help_text="A word of observability.audit.actions.")),
                        ("target_type", models.TextField(help_text="Model of what it was done to; may be empty.")),
                        ("target_id", models.TextField(help_text="Its id; may be empty.")),
                        ("reason", models.TextField(help_text="What the actor gave as the reason, redacted.")),
                        ("correlation_id", models.TextField(help_text="The unit of work in which it was done.")),
                        ("changes", models.JSONField(help_text="By field: [before, after], or null where the values are not for showing.")),
                    ],
                    options={
                        "db_table": "observability_auditentry",
                        "default_permissions": ("view",),
                        "permissions": [("export_auditentry", "Can export the audit log")],
                        "verbose_name_plural": "audit entries",
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("entry_id", models.UUIDField(unique=True)),
                ("recorded_at", models.DateTimeField(help_text="The entry's own, which decides its partition.")),
                ("previous", models.BinaryField(max_length=32)),
                ("hash", models.BinaryField(max_length=32)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("number", models.BigIntegerField(help_text="Counted without gaps.", primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField()),
                ("reason", models.CharField(choices=[("daily", "Daily"), ("retention", "Retention")], max_length=9)),
                ("seq", models.BigIntegerField(help_text="The last link it vouches for; of a cut, the last one removed.")),
                ("hash", models.BinaryField(help_text="The hash of that link.", max_length=32)),
                ("entries_before", models.DateTimeField(help_text="Of a cut: older entries may be gone.", null=True)),
                ("hmac", models.BinaryField(max_length=32)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("entries_before__isnull", False), ("reason", "retention")),
                            models.Q(("entries_before__isnull", True), ("reason", "daily")),
                            _connector="OR",
                        ),
                        name="audit_checkpoint_of_a_cut_says_before_when",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditVerification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("verified_at", models.DateTimeField()),
                ("seconds", models.FloatField()),
                ("entries", models.BigIntegerField(help_text="Links that were checked.")),
                ("head_seq", models.BigIntegerField(help_text="The newest link; 0 in an empty chain.")),
                ("findings", models.PositiveIntegerField(help_text="0: nothing was tampered with.")),
                ("first_findings", models.JSONField(default=list, help_text="Kind, place and entry of the first ones.")),
            ],
            options={
                "default_permissions": (),
                "ordering": ["-verified_at"],
                "indexes": [models.Index(fields=["-verified_at"], name="audit_verification_newest")],
            },
        ),
        migrations.RunSQL(GUARD + CHAIN, REMOVE_FUNCTIONS),
    ]
