"""Engagement: who is active, what becomes of the agent's drafts, who answers, and which features are used."""

from observability.catalog import CATALOG
from observability.posthog_dashboards import queries
from observability.posthog_dashboards.declared import Dashboard, Insight, words

# What makes a person active; a new event of the catalog is in it by itself, with the next run.
_HUMAN = ", ".join(f"'{name}'" for name, event in CATALOG.items() if event.human)

# A day without anybody counts as 0: the average is over 30 days, not over those that have a row.
ACTIVE_PEOPLE = f"""
select
    uniqExact(distinct_id, toStartOfDay(timestamp)) / 30 as average_day,
    uniqExactIf(distinct_id, timestamp >= toStartOfDay(now()) - interval 7 day) as week,
    uniqExact(distinct_id) as month,
    average_day / nullIf(month, 0) as stickiness
from events
where event in ({_HUMAN})
    and timestamp >= toStartOfDay(now()) - interval 30 day and timestamp < toStartOfDay(now())
limit 1
"""

ACTIVE_BY_DAY = f"""
select toStartOfDay(timestamp) as day, uniqExact(distinct_id) as people
from events
where event in ({_HUMAN})
    and timestamp >= toStartOfDay(now()) - interval 90 day and timestamp < toStartOfDay(now())
group by day
order by day
limit 100
"""

# One answer to several messages answers each of them. Days are those of the project's zone.
RESPONSE_RATE = """
select
    toStartOfWeek(message_at, 1) as week,
    countIf(was_answered and seconds <= 172800) / count() as answered,
    quantileIf(0.5)(floor(seconds / 60), was_answered and seconds <= 172800) as median_minutes
from (
    select
        sent.message as message,
        any(sent.sent_at) as message_at,
        countIf(inbound.came_at > sent.sent_at) > 0 as was_answered,
        minIf(dateDiff('second', sent.sent_at, inbound.came_at), inbound.came_at > sent.sent_at) as seconds
    from (
        select uuid as message, properties.client_id as client, timestamp as sent_at
        from events
        where event = 'message_sent'
            and timestamp >= toStartOfWeek(now() - interval 90 day, 1)
            and timestamp < toStartOfDay(now() - interval 48 hour)
    ) as sent
    left join (
        select properties.client_id as client, timestamp as came_at
        from events
        where event = 'webhook_received' and properties.topic = 'inbound_message'
            and timestamp >= toStartOfWeek(now() - interval 90 day, 1)
    ) as inbound on inbound.client = sent.client
    group by message
)
group by week
order by week
limit 100
"""

GOALS = f"""
select
    toStartOfWeek(timestamp, 1) as week,
    uniqExactIf(distinct_id, event in ('goal_updated', 'progress_logged', 'goal_achieved'))
        / nullIf(uniqExact(distinct_id), 0) as with_goal
from events
where event in ({_HUMAN}) and startsWith(distinct_id, 'client:')
    and timestamp >= toStartOfWeek(now() - interval 90 day, 1)
group by week
order by week
limit 100
"""

ENGAGEMENT = Dashboard(
    key="engagement",
    name="TrainU: Engagement",
    means="Who is active, what becomes of the agent's drafts, who answers, and which features are used.",
    insights=(
        Insight(
            "active_people",
            "Active people: day, week, month",
            words("wau", "mau", "stickiness", also="Up to yesterday."),
            queries.sql(ACTIVE_PEOPLE),
        ),
        Insight(
            "active_by_day",
            "Active people by day",
            "Different people active on each day that is over. A person is active with at least one event"
            " made by a human: not by sync, agent or measurement.",
            queries.sql(ACTIVE_BY_DAY, x="day", y=("people",)),
        ),
        Insight(
            "inbox",
            "Drafts: created, approved, sent",
            words("inbox_funnel", also="Of the last 90 days; approval and sending within 90 days of it."),
            queries.funnel(
                queries.event("message_drafted"),
                queries.event("trainer_approved"),
                queries.event("message_sent"),
                within_days=90,
                by="properties.draft_id",
            ),
        ),
        Insight(
            "edited",
            "Approved drafts, changed or not",
            "Drafts that a trainer has approved, by week, and whether the trainer had changed the text.",
            queries.trends(
                queries.event("trainer_approved"), interval="week", breakdown="edited", display="ActionsBar"
            ),
        ),
        Insight(
            "response_rate",
            "Messages answered within 48 hours",
            words("response_rate", also="By week of the message."),
            queries.sql(RESPONSE_RATE, x="week", y=("answered",)),
        ),
        Insight(
            "response_median",
            "Time to the first answer",
            words("response_median", also="By week of the message."),
            queries.sql(RESPONSE_RATE, x="week", y=("median_minutes",)),
        ),
        Insight(
            "goals",
            "Clients with a goal",
            "Of clients active in a week: the share with at least one goal set, changed, worked on or reached"
            " in it, by themselves.",
            queries.sql(GOALS, x="week", y=("with_goal",)),
        ),
        Insight(
            "features",
            "Features by week",
            "By week: different people who have booked, worked on goals, put in files, applied templates,"
            " approved drafts or read a digest.",
            queries.trends(
                queries.event("booking_scheduled", math="dau", label="Booking"),
                queries.event("goal_updated", math="dau", label="Goals"),
                queries.event("progress_logged", math="dau", label="Progress"),
                queries.event("file_uploaded", math="dau", label="Files"),
                queries.event("template_applied", math="dau", label="Templates"),
                queries.event("trainer_approved", math="dau", label="Approving drafts"),
                queries.event("weekly_digest_viewed", math="dau", label="Weekly digest"),
                interval="week",
            ),
        ),
    ),
)
