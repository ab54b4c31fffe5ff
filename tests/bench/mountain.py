"""A mountain of dead letters for the admin's benchmark: written in bulk, counted as the engine counts them.

The rule: rows are as the engine leaves them, so that indexes and pages meet what they would meet; ninety in a
hundred letters are open, of forty causes of very different size.
"""

import sys
from datetime import UTC, datetime, timedelta

import psycopg

LOCATIONS = 200
CAUSES = 40
DAYS = 30
BATCH = 50_000
WAITING = 20_000
BULK_ITEMS = 10_000

_LOCATIONS = """
insert into sync_location (id, name, state, state_reason, timezone, burst_limit, daily_limit, created_at)
select 'studio' || lpad(n::text, 14, '0'), 'Studio ' || n, 'active', '', 'UTC', 80, 180000, now()
from generate_series(0, %(locations)s - 1) n
"""
_CAUSES = """
insert into sync_causegroup (fingerprint, version, integration, subject, code, cause, message, state,
    acknowledged_by, is_proven, open, redriving, recovered, discarded, superseded, total, first_seen_at,
    last_seen_at)
select md5(n::text), 1, 'ghl',
    (array['contact.update', 'contact.upsert', 'note.create', 'message.send'])[n %% 4 + 1],
    (array['status_422', 'status_503', 'target_gone', 'timeout', 'status_400'])[n %% 5 + 1],
    (array['refused', 'exhausted', 'refused', 'check_by_hand', 'refused'])[n %% 5 + 1], 'said number ' || n,
    'open', '', false, 0, 0, 0, 0, 0, 0, now() - interval '30 days', now() - interval '30 days'
from generate_series(1, %(causes)s) n
"""
# Of what dies, much is of few causes.
_JOBS = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at, settled_at)
select md5('job ' || n)::uuid, 'studio' || lpad((n %% %(locations)s)::text, 14, '0'), 'contact.update',
    jsonb_build_object('contact_id', 'contact' || n %% 300000, 'city', 'Ulm', 'first_name', 'Ada ' || n), '',
    'contact:contact' || n %% 300000, '{city,first_name}', 'dead', 'refused', 'status_422', false, false,
    false, 5, 0, 5, %(since)s + n * %(step)s, '{}', 'journey-' || n,
    %(since)s + n * %(step)s - interval '1 hour', %(since)s + n * %(step)s
from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
_LETTERS = """
insert into sync_deadletter (job_id, group_id, location_id, state, code, status, words, died_at,
    first_died_at, deaths, resolved_at, discard_reason, discarded_by)
select md5('job ' || n)::uuid, (select min(id) from sync_causegroup)
           + floor(power(hashtext(n::text) / 4294967296.0 + 0.5, 3) * %(causes)s)::int,
    'studio' || lpad((n %% %(locations)s)::text, 14, '0'),
    case when n %% 20 = 0 then 'recovered' when n %% 20 = 1 then 'discarded' else 'open' end, 'status_422',
    case when n %% 1000 = 0 then 409 else 422 end, 'phone must be a valid phone number',
    %(since)s + n * %(step)s, %(since)s + n * %(step)s, case when n %% 50 = 0 then 3 else 1 end,
    case when n %% 20 < 2 then %(since)s + n * %(step)s end, case when n %% 20 = 1 then 'Too old' else '' end,
    case when n %% 20 = 1 then 'staff:1' else '' end
from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
_ATTEMPTS = """
insert into sync_attempt (started_at, job_id, fence, kind, outcome, code, status, duration_ms, trace_id,
    request, response)
select %(since)s + n * %(step)s - fence * interval '2 minutes', md5('job ' || n)::uuid, fence, 'send',
    'transient', 'status_503', 503, 120.5, md5(n::text),
    '{"method": "PUT", "path": "/contacts/c", "query": [], "body": {"city": "[masked]"}}',
    '{"content": "json", "body": {"statusCode": 503, "message": "Service Unavailable"}}'
from generate_series(%(first)s::bigint, %(last)s::bigint) n, generate_series(1, %(each)s) fence
"""
_WAITING = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at)
select md5('waiting ' || n)::uuid, 'studio' || lpad((n %% %(locations)s)::text, 14, '0'), 'contact.add_tags',
    '{"contact_id": "c-1", "tags": ["vip"]}', '', '', '{}', 'waiting', '', 'status_503', false, false, false,
    n %% 6, 0, n %% 6, now() + n * interval '2 seconds', '{}', 'journey-w' || n, now() - interval '1 hour'
from generate_series(1, %(waiting)s) n
"""


def raise_it(connection: psycopg.Connection, *, letters: int, attempts: int) -> None:
    """Write so many letters and attempts, and what stands around them."""
    from sync import attempt_log

    since = datetime.now(UTC) - timedelta(days=DAYS)
    attempt_log.TABLE.ensure({(since + timedelta(days=day)).date() for day in range(-1, DAYS + 2)})
    given = {
        "locations": LOCATIONS,
        "causes": CAUSES,
        "waiting": WAITING,
        "since": since,
        "step": timedelta(days=DAYS) / letters,
        "each": max(1, attempts // letters),
    }
    for statement in (_LOCATIONS, _CAUSES, _WAITING):
        connection.execute(statement, given)
    connection.execute("alter table sync_deadletter disable trigger moved_letters_are_counted")
    for first in range(0, letters, BATCH):
        part = given | {"first": first, "last": min(first + BATCH, letters) - 1}
        for statement in (_JOBS, _LETTERS, _ATTEMPTS):
            connection.execute(statement, part)
        print(f"{first + BATCH:,} of {letters:,} letters", file=sys.stderr, flush=True)
    connection.execute("alter table sync_deadletter enable trigger moved_letters_are_counted")
    connection.execute("vacuum analyze")
