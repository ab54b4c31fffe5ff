"""A history as the service holds it: stored as it came in, and taken into the roll-ups.

The rule: whatever was there before is taken out first, since one test asks of many histories.
"""

from django.db import connection

from observability import capture, models
from observability.store import Origin
from tests.observability.dashboards.histories import History
from tests.observability.test_rollups import roll_all

_EMPTIED = (
    models.Event,
    models.SeenUuid,
    models.BackfilledDay,
    models.EventMinute,
    models.EventHour,
    models.Person,
    models.SampleLevel,
    models.PeopleQuarter,
    models.ActiveDay,
    models.Booking,
    models.DraftedMessage,
    models.InboundMessage,
    models.SyncQuarter,
    models.LatencyQuarter,
    models.TouchedDay,
    models.CountedDay,
    models.DayCell,
)


def rolled(history: History) -> None:
    """Store a history batch by batch, and roll after each. Not in a transaction: roll-ups go by their ids."""
    with connection.cursor() as cursor:
        for model in _EMPTIED:
            cursor.execute(f"delete from {model._meta.db_table}")
    for batch in history.batches:
        capture.persist(batch, Origin("python", ""))
        roll_all()
