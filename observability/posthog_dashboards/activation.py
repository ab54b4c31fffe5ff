"""Activation: who signs up, and how soon they book, have an insight and are through onboarding.

A person is a distinct id, as on the dashboards of the admin; a sign-up is its first registration.
"""

from observability.posthog_dashboards import queries
from observability.posthog_dashboards.declared import Dashboard, Insight, words

_CLIENTS_AND_FIRST_BOOKING = """(
    select
        distinct_id,
        minIf(timestamp, event = 'user_registered') as signed_up_at,
        minIf(timestamp, event = 'booking_scheduled') as booked_at,
        countIf(event = 'booking_scheduled') > 0 as has_booked,
        greatest(dateDiff('second', signed_up_at, booked_at), 0) / 3600 as hours
    from events
    where event in ('user_registered', 'booking_scheduled')
    group by distinct_id
    having countIf(event = 'user_registered' and properties.role = 'client') > 0
)"""

FIRST_BOOKING = f"""
select
    toStartOfWeek(signed_up_at, 1) as week,
    quantileIf(0.5)(hours, has_booked) as median_hours,
    quantileIf(0.75)(hours, has_booked) as p75_hours,
    quantileIf(0.9)(hours, has_booked) as p90_hours
from {_CLIENTS_AND_FIRST_BOOKING}
where signed_up_at >= toStartOfWeek(now() - interval 90 day, 1)
group by week
order by week
limit 100
"""

FIRST_BOOKING_IN_TIME = f"""
select
    toStartOfWeek(signed_up_at, 1) as week,
    countIf(has_booked and hours <= 24) / count() as in_time
from {_CLIENTS_AND_FIRST_BOOKING}
where signed_up_at >= toStartOfWeek(now() - interval 90 day, 1) and signed_up_at <= now() - interval 24 hour
group by week
order by week
limit 100
"""

FIRST_INSIGHT_IN_TIME = """
select
    toStartOfWeek(signed_up_at, 1) as week,
    countIf(has_insight and insight_at <= signed_up_at + interval 7 day) / count() as in_time
from (
    select
        coalesce(properties.client_id, properties.user_id) as client,
        minIf(timestamp, event = 'user_registered') as signed_up_at,
        minIf(timestamp, event = 'insight_created') as insight_at,
        countIf(event = 'insight_created') > 0 as has_insight
    from events
    where event in ('user_registered', 'insight_created')
    group by client
    having countIf(event = 'user_registered' and properties.role = 'client') > 0
)
where signed_up_at >= toStartOfWeek(now() - interval 90 day, 1) and signed_up_at <= now() - interval 7 day
group by week
order by week
limit 100
"""

ONBOARDED = """
select
    toStartOfWeek(signed_up_at, 1) as week,
    countIf(is_client and finished_as_client) / nullIf(countIf(is_client), 0) as clients,
    countIf(is_trainer and finished_as_trainer) / nullIf(countIf(is_trainer), 0) as trainers
from (
    select
        distinct_id,
        minIf(timestamp, event = 'user_registered') as signed_up_at,
        countIf(event = 'user_registered' and properties.role = 'client') > 0 as is_client,
        countIf(event = 'user_registered' and properties.role = 'trainer') > 0 as is_trainer,
        countIf(event = 'client_onboarded') > 0 as finished_as_client,
        countIf(event = 'trainer_onboarded') > 0 as finished_as_trainer
    from events
    where event in ('user_registered', 'client_onboarded', 'trainer_onboarded')
    group by distinct_id
    having is_client or is_trainer
)
where signed_up_at >= toStartOfWeek(now() - interval 90 day, 1)
group by week
order by week
limit 100
"""

ACTIVATION = Dashboard(
    key="activation",
    name="TrainU: Activation",
    means="Who signs up, and how soon they book, have an insight and are through onboarding.",
    insights=(
        Insight(
            "sign_ups",
            "Sign-ups",
            words("clients_signed_up", "trainers_signed_up", also="By week."),
            queries.trends(
                queries.event(
                    "user_registered", math="first_time_for_user", label="Clients", where={"role": "client"}
                ),
                queries.event(
                    "user_registered", math="first_time_for_user", label="Trainers", where={"role": "trainer"}
                ),
                interval="week",
                display="ActionsBar",
            ),
        ),
        Insight(
            "funnel",
            "From sign-up to the first insight",
            "Clients who signed up; of these, who have booked within 90 days of it; of these, who have had an"
            " insight after that. Whoever booked before signing up is not counted here.",
            queries.funnel(
                queries.event("user_registered", where={"role": "client"}),
                queries.event("booking_scheduled"),
                queries.event("insight_created"),
                within_days=90,
                by="coalesce(properties.client_id, properties.user_id)",
            ),
        ),
        Insight(
            "first_booking",
            "Time to first booking",
            words(
                "first_booking_median", "first_booking_p75", "first_booking_p90", also="By week, in hours."
            ),
            queries.sql(FIRST_BOOKING, x="week", y=("median_hours", "p75_hours", "p90_hours")),
        ),
        Insight(
            "first_booking_in_time",
            "First booking within 24 hours",
            words("first_booking_in_time", also="By week of the sign-up."),
            queries.sql(FIRST_BOOKING_IN_TIME, x="week", y=("in_time",)),
        ),
        Insight(
            "first_insight_in_time",
            "First insight within 7 days",
            words("first_insight_in_time", also="By week of the sign-up."),
            queries.sql(FIRST_INSIGHT_IN_TIME, x="week", y=("in_time",)),
        ),
        Insight(
            "onboarded",
            "Onboarding finished",
            words("onboarded_clients", "onboarded_trainers", also="By week of the sign-up."),
            queries.sql(ONBOARDED, x="week", y=("clients", "trainers")),
        ),
        Insight(
            "directory",
            "From search to booking",
            "Visitors who have searched the directory; of these, who have viewed a trainer's profile; of"
            " these, who have clicked to book; of these, who have booked, all within 14 days.",
            queries.funnel(
                queries.event("directory_search"),
                queries.event("trainer_profile_viewed"),
                queries.event("booking_cta_clicked"),
                queries.event("booking_scheduled"),
                within_days=14,
            ),
        ),
        Insight(
            "rebooking",
            "Who books again",
            "People by the week of their first booking, and the share that books in the weeks after it.",
            queries.retention("booking_scheduled", "booking_scheduled", weeks=8),
        ),
    ),
)
