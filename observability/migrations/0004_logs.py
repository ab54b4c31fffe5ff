from django.db import migrations, models

# Django cannot declare a partitioned table. No DEFAULT partition (it forbids DETACH CONCURRENTLY). The
# b-tree on time is what lets a page read the newest lines of any filter in order and stop after fifty:
# a block-range index finds a range of time, but no order. The id comes from a sequence, not an identity
# column, which no partition may carry that is made apart and attached.
CREATE_LOGLINE = """
create sequence observability_logline_id_seq;
create table observability_logline (
    logged_at timestamptz not null,
    id bigint not null default nextval('observability_logline_id_seq'),
    kind text not null,
    level text not null,
    service text not null,
    logger text not null,
    event text not null,
    correlation_id text not null,
    user_id text,
    rest jsonb not null default '{}',
    constraint logline_level_is_known check (level in ('debug', 'info', 'warn', 'error')),
    constraint logline_errors_lie_apart check ((kind = 'error') = (level = 'error')),
    constraint logline_rest_is_an_object check (jsonb_typeof(rest) = 'object')
) partition by list (kind);
alter sequence observability_logline_id_seq owned by observability_logline.id;
create index observability_logline_by_time on observability_logline (logged_at, id);
create index observability_logline_by_correlation_id on observability_logline (correlation_id);
create table observability_logline_application partition of observability_logline
    for values in ('application') partition by range (logged_at);
create table observability_logline_error partition of observability_logline
    for values in ('error') partition by range (logged_at);
create index observability_logline_application_warnings on observability_logline_application (logged_at, id)
    where level in ('warn', 'error');
"""


class Migration(migrations.Migration):

    dependencies = [
        ("observability", "0003_errors"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_LOGLINE, "drop table observability_logline cascade")],
            state_operations=[
                migrations.CreateModel(
                    name="LogLine",
                    fields=[
                        ("pk", models.CompositePrimaryKey("logged_at", "id", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("logged_at", models.DateTimeField(help_text="When it was logged, UTC; decides the partition.")),
                        ("id", models.BigIntegerField(help_text="In the order of storing; tells lines of one moment apart.")),
                        ("kind", models.TextField(choices=[("application", "Application"), ("error", "Error")], help_text="Which retention it falls under.")),
                        ("level", models.TextField(choices=[("debug", "Debug"), ("info", "Info"), ("warn", "Warn"), ("error", "Error")])),
                        ("service", models.TextField(help_text="The process that logged it.")),
                        ("logger", models.TextField(help_text="The module that logged it.")),
                        ("event", models.TextField(help_text="The message.")),
                        ("correlation_id", models.TextField(help_text="The unit of work in hand, or the process outside of any.")),
                        ("user_id", models.TextField(help_text="The account in whose name it worked, if any.", null=True)),
                        ("rest", models.JSONField(help_text="Everything else on the line, the exception's text among it.")),
                    ],
                    options={
                        "db_table": "observability_logline",
                        "default_permissions": ("view",),
                    },
                ),
            ],
        ),
    ]
