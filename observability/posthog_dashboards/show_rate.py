"""Show-rate: of bookings that were due, how many the clients have come to, and who of the missed comes back.

The rule of all queries: a booking is as its last change says and counts once, at its last start; it is due
when that start has passed and it was not canceled. Of two changes in the same instant the later uuid is last.
"""

from observability.posthog_dashboards import queries
from observability.posthog_dashboards.declared import Dashboard, Insight, words

_BOOKINGS = """(
    select
        properties.booking_id as booking,
        argMax(event, (timestamp, uuid)) as state,
        argMax(toDateTime(properties.starts_at), (timestamp, uuid)) as start,
        argMax(properties.segment, (timestamp, uuid)) as segment,
        argMax(properties.trainer_id, (timestamp, uuid)) as trainer,
        argMax(properties.client_id, (timestamp, uuid)) as client
    from events
    where event in (
        'booking_scheduled', 'booking_confirmed', 'booking_rescheduled', 'no_show', 'booking_canceled'
    ) and timestamp >= now() - interval 400 day
    group by booking
)"""

BY_WEEK = f"""
select
    toStartOfWeek(start, 1) as week,
    countIf(state != 'no_show') / count() as show_rate,
    count() as due,
    countIf(state = 'no_show') as no_shows
from {_BOOKINGS}
where start <= now() and start >= toStartOfWeek(now() - interval 180 day, 1) and state != 'booking_canceled'
group by week
order by week
limit 100
"""

BY_SEGMENT = f"""
select
    segment,
    count() as due,
    countIf(state != 'no_show') / count() as show_rate
from {_BOOKINGS}
where start <= now() and start >= now() - interval 90 day and state != 'booking_canceled'
group by segment
order by due desc
limit 50
"""

BY_TRAINER = f"""
select
    trainer,
    count() as due,
    countIf(state != 'no_show') / count() as show_rate
from {_BOOKINGS}
where start <= now() and start >= now() - interval 90 day and state != 'booking_canceled'
group by trainer
having due >= 30
order by due desc
limit 50
"""

CANCELED = f"""
select
    toStartOfWeek(start, 1) as week,
    countIf(state = 'booking_canceled') / count() as canceled
from {_BOOKINGS}
where start <= now() and start >= toStartOfWeek(now() - interval 180 day, 1)
group by week
order by week
limit 100
"""

RECOVERY = f"""
select
    toStartOfWeek(missed_at, 1) as week,
    countIf(again > 0) / count() as recovered
from (
    select
        missed.booking as booking,
        any(missed.start) as missed_at,
        countIf(anew.booked_at > missed.start and anew.booked_at <= missed.start + interval 7 day) as again
    from {_BOOKINGS} as missed
    left join (
        select properties.client_id as client, timestamp as booked_at
        from events
        where event = 'booking_scheduled' and timestamp >= now() - interval 190 day
    ) as anew on anew.client = missed.client
    where missed.state = 'no_show' and missed.start >= toStartOfWeek(now() - interval 180 day, 1)
        and missed.start < toStartOfDay(now() - interval 7 day)
    group by booking
)
group by week
order by week
limit 100
"""

SHOW_RATE = Dashboard(
    key="show_rate",
    name="TrainU: Show-rate",
    means="Of bookings that were due, how many the clients have come to, and who of the missed comes back.",
    insights=(
        Insight(
            "by_week",
            "Show-rate by week",
            words("show_rate", also="By week of that start."),
            queries.sql(BY_WEEK, x="week", y=("show_rate",)),
        ),
        Insight(
            "due",
            "Due bookings and no-shows",
            words("due", "no_shows", also="By week of the start."),
            queries.sql(BY_WEEK, x="week", y=("due", "no_shows"), display="ActionsBar"),
        ),
        Insight(
            "by_segment",
            "Show-rate by segment",
            words("show_rate_segments", also="Of bookings due in the last 90 days."),
            queries.sql(BY_SEGMENT),
        ),
        Insight(
            "by_trainer",
            "Show-rate by trainer",
            "Show-rate by trainer, of bookings due in the last 90 days, those with most of them first. With"
            " fewer than 30 a trainer is left out: so few tell nothing.",
            queries.sql(BY_TRAINER),
        ),
        Insight(
            "canceled",
            "Canceled bookings",
            words("canceled", also="By week of the start."),
            queries.sql(CANCELED, x="week", y=("canceled",)),
        ),
        Insight(
            "recovery",
            "No-shows that book again",
            words("recovery", also="By week of the missed start."),
            queries.sql(RECOVERY, x="week", y=("recovered",)),
        ),
        Insight(
            "changes",
            "Changes of bookings",
            "What has been reported of bookings, by week of the report: booked, confirmed, moved, called off,"
            " missed.",
            queries.trends(
                queries.event("booking_scheduled", label="Booked"),
                queries.event("booking_confirmed", label="Confirmed"),
                queries.event("booking_rescheduled", label="Moved"),
                queries.event("booking_canceled", label="Called off"),
                queries.event("no_show", label="Missed"),
                interval="week",
            ),
        ),
    ),
)
