"""The dashboards' main questions, asked of the raw events: what a page would cost without roll-ups.

The rule: each is the same question that a page answers, over the same days, as one would write it by hand.
"""

import time
from datetime import date

import psycopg

# Whoever waits longer than this has gone; what is given up counts as this long.
LIMIT_S = 60

_PERIOD = "timestamp >= %(first)s::date and timestamp < %(last)s::date + 1"
_HUMAN = (
    "event in ('user_logged_in', 'trainer_profile_viewed', 'progress_logged', 'file_uploaded',"
    " 'template_applied', 'weekly_digest_viewed', 'booking_scheduled', 'booking_confirmed',"
    " 'booking_canceled', 'trainer_approved', 'user_registered', 'client_onboarded',"
    " 'onboarding_step_completed')"
)
QUESTIONS: dict[str, list[str]] = {
    "activation": [
        f"""
        with people as (
            select properties->>'user_id' as id, min(timestamp) as signed_up_at
            from observability_event
            where event = 'user_registered' and {_PERIOD} group by 1
        ), booked as (
            select properties->>'client_id' as id, min(timestamp) as at
            from observability_event where event = 'booking_scheduled' group by 1
        ), seen as (
            select properties->>'client_id' as id, min(timestamp) as at
            from observability_event where event = 'insight_created' group by 1
        )
        select count(*), count(b.at), count(s.at),
               percentile_cont(array[0.5, 0.75, 0.9]) within group (order by b.at - signed_up_at)
        from people left join booked b using (id) left join seen s using (id)
        """
    ],
    "engagement": [
        f"""
        select timestamp::date, count(distinct distinct_id)
        from observability_event where {_HUMAN} and {_PERIOD} group by 1
        """,
        f"""
        select count(distinct distinct_id) from observability_event
        where {_HUMAN} and timestamp >= %(last)s::date - 29 and timestamp < %(last)s::date + 1
        """,
        f"""
        select extract(isodow from timestamp), extract(hour from timestamp),
               count(distinct (distinct_id, timestamp::date))
        from observability_event where {_HUMAN} and {_PERIOD} group by 1, 2
        """,
    ],
    "show_rate": [
        f"""
        with latest as (
            select distinct on (properties->>'booking_id') event,
                   (properties->>'starts_at')::timestamptz as starts_at, properties->>'trainer_id' as trainer,
                   properties->>'segment' as segment
            from observability_event
            where event in ('booking_scheduled', 'booking_confirmed', 'booking_rescheduled',
                            'booking_canceled', 'no_show') and {_PERIOD}
            order by properties->>'booking_id', timestamp desc, uuid desc
        )
        select date_trunc('week', starts_at), trainer, segment, count(*) filter (where event <> 'no_show'),
               count(*)
        from latest where event <> 'booking_canceled' and starts_at <= now() group by 1, 2, 3
        """
    ],
    "sync_health": [
        f"""
        select timestamp::date, event, properties->>'code', count(*),
               percentile_cont(array[0.5, 0.95, 0.99])
                   within group (order by (properties->>'settled_after_s')::float8)
        from observability_event
        where event in ('sync_ok', 'sync_retry', 'sync_dropped') and {_PERIOD} group by 1, 2, 3
        """
    ],
}


def ask(connection: psycopg.Connection, name: str, first: date, last: date) -> float:
    """Ask a dashboard's questions of the raw table; return how many milliseconds that took."""
    taken_ms = 0.0
    for question in QUESTIONS[name]:
        started = time.perf_counter()
        try:
            with connection.transaction():
                connection.execute(f"set local statement_timeout = '{LIMIT_S}s'")
                connection.execute(question, {"first": first, "last": last}).fetchall()
        except psycopg.errors.QueryCanceled:
            pass
        taken_ms += (time.perf_counter() - started) * 1e3
    return round(taken_ms, 1)
