"""What PostgreSQL counts about our database, carried over into our own minutes.

The rule: deadlocks count whoever met them, other clients of the database included; those that a retry
has mended stand among the transaction retries besides.
"""

from datetime import datetime

from django.db import connection

from observability import counters
from observability.counters import Counter
from observability.models import Reading
from trainu.transactions import atomic_retry


@atomic_retry
def read(*, now: datetime) -> int:
    """Count the deadlocks since the last reading, and return how many they were.

    The first reading only notes where PostgreSQL's own count stands. That count starts again after a
    crash of the server or a reset of its statistics.
    """
    with connection.cursor() as cursor:
        # Statistics are otherwise held for the length of a transaction.
        cursor.execute("select pg_stat_clear_snapshot()")
        cursor.execute("select deadlocks from pg_stat_database where datname = current_database()")
        [standing] = cursor.fetchone()
    reading, is_first = Reading.objects.select_for_update().get_or_create(
        name=Counter.DEADLOCK.value, defaults={"value": standing, "read_at": now}
    )
    if is_first:
        return 0
    since_then = standing - reading.value if standing >= reading.value else standing
    Reading.objects.filter(pk=reading.pk).update(value=standing, read_at=now)
    if since_then:
        counters.add(Counter.DEADLOCK, "database", since_then, now=now)
    return int(since_then)
