"""Sync health: how jobs towards GoHighLevel end, why attempts fail, how long it takes, what comes in.

Numbers that must be exact count different uuids: PostHog may hold an event twice until it merges its tables.
"""

from observability.posthog_dashboards import queries
from observability.posthog_dashboards.declared import Dashboard, Insight, words

SUCCESS = """
select
    toStartOfDay(timestamp) as day,
    uniqExactIf(uuid, event = 'sync_ok') / uniqExact(uuid) as success_rate
from events
where event in ('sync_ok', 'sync_dropped') and timestamp >= now() - interval 30 day
group by day
order by day
limit 100
"""

RETRY_RATE = """
select
    toStartOfDay(timestamp) as day,
    uniqExactIf(uuid, event = 'sync_retry') / uniqExact(uuid) as retry_rate
from events
where event in ('sync_ok', 'sync_retry', 'sync_dropped') and timestamp >= now() - interval 30 day
group by day
order by day
limit 100
"""

LOCATIONS = """
select
    properties.location_id as location,
    uniqExact(uuid) as settled,
    uniqExactIf(uuid, event = 'sync_dropped') as given_up,
    uniqExactIf(uuid, event = 'sync_ok') / uniqExact(uuid) as success_rate
from events
where event in ('sync_ok', 'sync_dropped') and timestamp >= now() - interval 24 hour
group by location
order by given_up desc, settled desc
limit 50
"""

_SETTLED = "settled_after_s"

SYNC_HEALTH = Dashboard(
    key="sync_health",
    name="TrainU: Sync health",
    means="How jobs towards GoHighLevel end, why attempts fail, how long it takes, and what comes in.",
    insights=(
        Insight(
            "success",
            "Success rate",
            words("sync_success", also="By day; the target is 99.5 %."),
            queries.sql(SUCCESS, x="day", y=("success_rate",)),
        ),
        Insight(
            "outcomes",
            "Attempts by outcome",
            "Attempts by day: succeeded, tried again, given up.",
            queries.trends(
                queries.event("sync_ok", label="Succeeded"),
                queries.event("sync_retry", label="Tried again"),
                queries.event("sync_dropped", label="Given up"),
                interval="day",
                since="-30d",
                display="ActionsAreaGraph",
            ),
        ),
        Insight(
            "errors",
            "Errors by cause",
            "Attempts that failed, by day and cause: those that are tried again, and those given up.",
            queries.trends(
                queries.event("sync_retry", label="Tried again"),
                queries.event("sync_dropped", label="Given up"),
                interval="day",
                since="-30d",
                breakdown="code",
            ),
        ),
        Insight(
            "retry_rate",
            "Retry rate",
            words("retry_rate", also="By day."),
            queries.sql(RETRY_RATE, x="day", y=("retry_rate",)),
        ),
        Insight(
            "latency",
            "From enqueueing to success",
            "From enqueueing of a job to its success, by day, in seconds: half of the jobs, 95 and 99 of 100"
            " need no longer.",
            queries.trends(
                queries.event("sync_ok", math="median", of=_SETTLED, label="Median"),
                queries.event("sync_ok", math="p95", of=_SETTLED, label="p95"),
                queries.event("sync_ok", math="p99", of=_SETTLED, label="p99"),
                interval="day",
                since="-30d",
            ),
        ),
        Insight(
            "locations",
            "Locations of the last 24 hours",
            "By location: jobs settled in the last 24 hours, given up, and the share that succeeded; those"
            " with most given up first.",
            queries.sql(LOCATIONS),
        ),
        Insight(
            "webhooks",
            "Webhooks by topic",
            words("webhooks_received", also="By day and topic."),
            queries.trends(
                queries.event("webhook_received"), interval="day", since="-30d", breakdown="topic"
            ),
        ),
    ),
)
