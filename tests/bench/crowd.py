"""A crowd for the dashboards' benchmark: 90 days of 20,000 people and 500 trainers, written in bulk.

The rule: events are as apps and sync would report them, coherent from sign-up to no-show; PostgreSQL makes
them itself, a day a statement, so that ten million take minutes. Roll-ups are left to the roll-ups.
"""

import sys
from datetime import UTC, date, datetime, time, timedelta

import psycopg

PEOPLE = 20_000
TRAINERS = 500
DAYS = 90

# Half of the people have signed up before, the others evenly over the days.
_DAY = """
insert into observability_event (timestamp, uuid, event, distinct_id, properties, correlation_id, source)
select least(at, %(day)s::timestamptz + interval '86399 seconds'), gen_random_uuid(), event, distinct_id,
       jsonb_strip_nulls(properties), '', 'bench'
from (
    -- What people, sync and measurements do all day long; few people do most of it.
    select %(day)s::timestamptz + interval '6 hours'
               + (1 - power(random(), 2) * 0.98) * interval '18 hours' as at,
           case when r < 0.12 then 'user_logged_in' when r < 0.36 then 'page_load_time'
                when r < 0.42 then 'trainer_profile_viewed' when r < 0.50 then 'progress_logged'
                when r < 0.52 then 'file_uploaded' when r < 0.53 then 'template_applied'
                when r < 0.54 then 'weekly_digest_viewed' when r < 0.545 then 'insight_created'
                when r < 0.80 then 'sync_ok' when r < 0.81 then 'sync_retry'
                when r < 0.812 then 'sync_dropped'
                when r < 0.90 then 'webhook_received' else 'api_response_time' end as event,
           case when r < 0.545 then 'client:c' || p else 'location:l' || t end as distinct_id,
           jsonb_build_object('user_id', 'c' || p, 'client_id', 'c' || p, 'trainer_id', 't' || t,
               'location_id', 'l' || t, 'role', 'client', 'goal_id', 'g' || p, 'kind', 'strength',
               'operation',
               (array['contact.upsert', 'note.create', 'message.send', 'contact.tags'])[1 + i %% 4],
               'topic', (array['inbound_message', 'contact_update', 'contact_update'])[1 + i %% 3],
               'code', case when r between 0.80 and 0.812
                            then (array['timeout', 'status_503'])[1 + i %% 2] end,
               'duration_ms', round((20 + random() * 900)::numeric, 1),
               'settled_after_s', round((random() * 9)::numeric, 3)) as properties
    from (select i, random() as r, floor(power(random(), 1.6) * %(people)s::int)::int as p
          from generate_series(1, %(many)s::int) i) drawn
    cross join lateral (select p %% %(trainers)s::int as t) theirs
    union all
    -- Appointments of the day, with what has become of them.
    select change.at, change.event, 'client:c' || p,
           jsonb_build_object('booking_id', 'b-' || %(number)s::text || '-' || i, 'client_id', 'c' || p,
               'trainer_id', 't' || p %% %(trainers)s::int, 'starts_at', to_jsonb(starts_at),
               'segment', (array['new', 'regular', 'returning'])[1 + p %% 3])
    from (select i, floor(power(random(), 1.6) * %(people)s::int)::int as p, random() as fate,
                 %(day)s::timestamptz + interval '6 hours'
                     + floor(random() * 56) * interval '15 minutes' as starts_at
          from generate_series(1, %(bookings)s::int) i) drawn
    cross join lateral (values
        (starts_at - interval '5 hours', 'booking_scheduled', true),
        (starts_at - interval '4 hours', 'booking_confirmed', fate < 0.9),
        (starts_at - interval '1 hour', 'booking_canceled', fate between 0.8 and 0.88),
        (starts_at + interval '20 minutes', 'no_show', fate < 0.16)) change (at, event, has_happened)
    where change.has_happened
    union all
    -- Drafts of the day.
    select change.at, change.event, 'client:c' || p,
           jsonb_build_object('draft_id', 'd-' || %(number)s::text || '-' || i, 'client_id', 'c' || p,
               'trainer_id', 't' || p %% %(trainers)s::int, 'kind', 'weekly_checkin', 'channel', 'sms',
               'edited', case when change.event = 'trainer_approved' then fate < 0.2 end)
    from (select i, floor(power(random(), 1.6) * %(people)s::int)::int as p, random() as fate,
                 %(day)s::timestamptz + random() * interval '22 hours' as at
          from generate_series(1, %(drafts)s::int) i) drawn
    cross join lateral (values
        (at, 'message_drafted', true), (at + interval '20 minutes', 'trainer_approved', fate < 0.85),
        (at + interval '21 minutes', 'message_sent', fate < 0.84)) change (at, event, has_happened)
    where change.has_happened
    union all
    -- Who signs up on this day.
    select %(day)s::timestamptz + interval '9 hours' + p %% 600 * interval '1 minute' + change.later,
           change.event,
           'client:c' || p,
           jsonb_build_object('user_id', 'c' || p, 'client_id', 'c' || p,
               'trainer_id', 't' || p %% %(trainers)s::int, 'role', 'client',
               'step', change.step, 'position', change.position,
               'segment', (array['new', 'regular', 'returning'])[1 + p %% 3], 'duration_s', 900)
    from generate_series(%(first_new)s::int, %(last_new)s::int) p
    cross join lateral (values
        (interval '0', 'user_registered', null, null, 100),
        (interval '5 minutes', 'onboarding_step_completed', 'profile', 1, 93),
        (interval '9 minutes', 'onboarding_step_completed', 'goals', 2, 86),
        (interval '15 minutes', 'client_onboarded', null, null, 78)
    ) change (later, event, step, position, share)
    where p * 7 %% 100 < change.share
) told
"""


def gather(connection: psycopg.Connection, *, events: int, until: date) -> None:
    """Store about so many events of the DAYS days up to and with `until`."""
    from observability import partitions

    first = until - timedelta(days=DAYS - 1)
    partitions.EVENTS.ensure([first + timedelta(days=i) for i in range(-1, DAYS + 2)])
    connection.execute("select setseed(0.5)")
    each = events // DAYS
    newcomers = PEOPLE // 2 // DAYS
    for i in range(DAYS):
        connection.execute(
            _DAY,
            {
                "day": datetime.combine(first + timedelta(days=i), time(), UTC),
                "number": i,
                "people": PEOPLE,
                "trainers": TRAINERS,
                "bookings": each * 2 // 100,
                "drafts": each * 15 // 1000,
                "many": max(1, each * 91 // 100 - newcomers * 3),
                "first_new": PEOPLE // 2 + i * newcomers,
                "last_new": PEOPLE // 2 + (i + 1) * newcomers - 1,
            },
        )
        if i % 10 == 9:
            print(f"{i + 1} of {DAYS} days of events", file=sys.stderr, flush=True)
    connection.execute("analyze observability_event")
