"""Whether GoHighLevel answers, as the engine's attempts have shown it, or a question for want of these.

The rule: nobody asks GoHighLevel here. Of the attempts only the newest are looked at, by their key and no
further back than LOOKED_BACK; what was before is not known, and None.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from sync.breaker import UNREACHABLE

# With less than this since an attempt has told, nobody needs to ask.
RECENT = timedelta(minutes=5)
LOOKED_BACK = timedelta(hours=1)
MOST = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was asked for want of traffic. code: why there was no answer, or empty."""

    at: datetime
    answers: bool
    code: str


@dataclass(frozen=True, slots=True)
class Answering:
    """answered_at, failed_at: when an attempt last showed that it answers, or does not; failed_code: how.

    answered, failed: how many of the newest attempts did so within RECENT. opened, ramping: breakers.
    can_be_asked: some location works and has a token. asked: the last question, None for never.
    """

    answered_at: datetime | None
    failed_at: datetime | None
    failed_code: str
    answered: int
    failed: int
    opened: int
    ramping: int
    can_be_asked: bool
    asked: Asked | None

    def is_idle(self, now: datetime) -> bool:
        """Whether no attempt has told within RECENT."""
        told = [at for at in (self.answered_at, self.failed_at) if at]
        return not told or now - max(told) >= RECENT


# A refusal is an answer; a job that was held back or had no token has asked nothing.
_NEWEST = """
with newest as (
    select started_at + duration_ms * interval '1 millisecond' as ended_at, code,
           code = any(%(unreachable)s) as failed,
           status is not null and code <> all(%(unreachable)s) as answered
    from sync_attempt where started_at > %(looked_back)s
    order by started_at desc limit %(most)s
)
select max(ended_at) filter (where answered), max(ended_at) filter (where failed),
       coalesce((array_agg(code order by ended_at desc) filter (where failed))[1], ''),
       count(*) filter (where answered and ended_at > %(recent)s),
       count(*) filter (where failed and ended_at > %(recent)s)
from newest
"""
_STANDING = """
select (select count(*) from sync_breaker where state = 'open'),
       (select count(*) from sync_breaker where state = 'ramping'),
       exists (
           select from sync_location join sync_credential on location_id = id
           where state = 'active' or (state = 'paused' and paused_until <= %(now)s)
       )
"""
_ASKED = "select asked_at, answers, code from sync_idleprobe"


def look(*, now: datetime) -> Answering:
    """Return what is known."""
    with connection.cursor() as cursor:
        cursor.execute(
            _NEWEST,
            {
                "unreachable": sorted(code.value for code in UNREACHABLE),
                "looked_back": now - LOOKED_BACK,
                "recent": now - RECENT,
                "most": MOST,
            },
        )
        known: list[Any] = [*cursor.fetchone()]
        cursor.execute(_STANDING, {"now": now})
        known += cursor.fetchone()
        cursor.execute(_ASKED)
        asked = cursor.fetchone()
    known.append(Asked(*asked) if asked else None)
    return Answering(*known)
