"""Make the digests that are due, each once.

The rules: a trainer's clock is that of the location of their newest draft, else of their newest insight. Who
has had neither for four weeks gets none. A week that passed while nothing ran is not told of later: only the
last one is.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from uuid_utils.compat import uuid7

from sync.drafts.digest import composing, week
from sync.models import Draft, Insight, TrainerDigest
from sync.webhooks.fields import zone_of

LATELY = timedelta(days=28)
AT_ONCE = 500
EMAIL_OFF = "email_off"
# Where a Monday begins first.
_EAST = timezone(timedelta(hours=14))

# From trainer to trainer by the index, past however many drafts each of them has.
_TRAINERS = """
with recursive trainer(id) as (
    select (select min(trainer_id) from {table} where trainer_id > %(after)s)
    union all
    select (select min(trainer_id) from {table} where trainer_id > trainer.id)
    from trainer where trainer.id is not null
)
select id from trainer where id is not null limit %(most)s
"""


def make_due(now: datetime) -> int:
    """Write each trainer's digest of the last week where it is due and not there; return how many were."""
    made = 0
    for trainers in _batches():
        for trainer_id, where in _lacking(trainers, now):
            made += _make(trainer_id, week.due(now, where), where, now)
    return made


def _make(trainer_id: str, monday: date, where: tzinfo, now: datetime) -> bool:
    if TrainerDigest.objects.filter(trainer_id=trainer_id, week=monday).exists():
        return False
    # None is sent on the day on which email is turned on: it would be an old one.
    mailed: dict[str, Any] = {"next_at": now} if settings.EMAIL_URL else {"code": EMAIL_OFF}
    _, is_new = TrainerDigest.objects.get_or_create(
        trainer_id=trainer_id,
        week=monday,
        defaults={
            "id": UUID(int=uuid7().int),
            "content": composing.compose(trainer_id, monday, where),
            "created_at": now,
            **mailed,
        },
    )
    return is_new


def _batches() -> Iterator[list[str]]:
    """Yield all trainers there are, so many at a time, in their order."""
    after = ""
    while True:
        found: set[str] = set()
        for model in (Draft, Insight):
            with connection.cursor() as cursor:
                table = model._meta.db_table
                cursor.execute(_TRAINERS.format(table=table), {"after": after, "most": AT_ONCE})
                found |= {row[0] for row in cursor.fetchall()}
        # Each of the two was cut by itself: what lies beyond comes with the next batch.
        batch = sorted(found)[:AT_ONCE]
        if not batch:
            return
        yield batch
        after = batch[-1]


def _lacking(trainers: list[str], now: datetime) -> Iterator[tuple[str, tzinfo]]:
    """Yield who may lack a digest, with their time zone."""
    latest = week.due(now, _EAST)
    done = TrainerDigest.objects.filter(trainer_id__in=trainers, week__gte=latest)
    wanted = set(trainers) - set(done.values_list("trainer_id", flat=True))
    if not wanted:
        return
    # Drafts have the last word.
    zones = _zones(Insight.objects.all(), wanted, now) | _zones(Draft.objects.all(), wanted, now)
    for trainer_id in sorted(zones):
        yield trainer_id, zone_of(zones[trainer_id], "")


def _zones(rows: Any, trainers: set[str], now: datetime) -> dict[str, str | None]:
    newest = (
        rows.filter(trainer_id__in=trainers, created_at__gte=now - LATELY)
        .order_by("trainer_id", "-created_at", "-id")
        .distinct("trainer_id")
    )
    return dict(newest.values_list("trainer_id", "location__timezone"))
