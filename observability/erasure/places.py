"""Where the observer may hold a person's id. `sync` declares its own places.

The rule: events are pseudonymised, for counts must stay right; what only helps to find mistakes
(log lines, refused events, results of tasks) is deleted. An update leaves an event's `xid` as it is,
so that neither counts nor forwarder see the event again.
"""

import re
from collections.abc import Iterable, Iterator

from django.db.models import Exists, OuterRef
from django_q.models import Task

from observability import partitions
from observability.erasure import mention
from observability.erasure.rows import Searched
from observability.models import QuarantinedEvent, QuarantineGroup
from trainu.partitioned_table import PartitionedTable
from trainu.personal_data import Place, register

_REJECTIONS = Searched("observability_forwardrejection", ("uuid",), {"reason": 200})
_HISTORY = Searched("django_admin_log", ("id",), {"object_repr": 200, "change_message": 0, "object_id": 0})
_REFUSED = Searched(
    "observability_quarantinedevent", ("uuid",), {"payload": 0, "message": 0, "correlation_id": 64}
)
_PEOPLE = Searched("observability_person", ("number",), {"distinct_id": 0, "trainer_id": 64})
_BOOKINGS = Searched(
    "observability_booking", ("booking_id",), {"booking_id": 64, "client_id": 64, "trainer_id": 64}
)
_DRAFTS = Searched(
    "observability_draftedmessage", ("draft_id",), {"draft_id": 64, "client_id": 64, "trainer_id": 64}
)
_ANSWERS = Searched("observability_inboundmessage", ("client_id", "received_at"), {"client_id": 64})
_CELLS = Searched("observability_daycell", ("subject", "zone", "level", "day", "a", "b"), {"a": 64, "b": 64})
_GROUPS = Searched(
    "observability_quarantinegroup", ("id",), {"event": 200, "property": 200, "message": 0, "suggestion": 200}
)


def declare() -> None:
    """Register the observer's places; a second call changes nothing."""
    register("observability", places)


def places() -> Iterator[Place]:
    """Yield every place there is now: partitions each by itself, oldest first."""
    yield from _events()
    for name, label, rows in (
        ("people", "People as dashboards know them", _PEOPLE),
        ("bookings", "Bookings as they stand", _BOOKINGS),
        ("drafted_messages", "Drafts on their way", _DRAFTS),
        ("inbound_messages", "Times of messages that clients have written", _ANSWERS),
        ("counted_days", "Counts of days by trainer", _CELLS),
    ):
        yield Place(name, label, rows.count, rows.pseudonymise)
    yield from _lines("application_logs", "Application logs", partitions.LOGS)
    yield from _lines("error_logs", "Error logs", partitions.ERROR_LOGS)
    yield Place(
        "forward_rejections", "Reasons of PostHog's refusals", _REJECTIONS.count, _REJECTIONS.pseudonymise
    )
    yield Place("admin_history", "History of records in the admin", _HISTORY.count, _HISTORY.pseudonymise)
    yield Place("quarantine", "Refused events in quarantine", _REFUSED.count, _delete_refused)
    yield Place("quarantine_groups", "Kinds of refused events", _GROUPS.count, _delete_groups)
    yield Place("tasks", "Results of tasks", lambda contact_id: len(_tasks(contact_id)), _delete_tasks)


def _each_day(table: PartitionedTable) -> Iterable[str]:
    # A day that is half removed may come back: it is searched as well.
    return [table.partition(day) for day, _ in table.standing()]


def _events() -> Iterator[Place]:
    for name in _each_day(partitions.EVENTS):
        day = Searched(name, ("timestamp", "uuid"), {"distinct_id": 0, "correlation_id": 0}, ("properties",))
        yield Place("product_events", "Product events", day.count, day.pseudonymise, part=name)


def _lines(name: str, label: str, table: PartitionedTable) -> Iterator[Place]:
    for partition in _each_day(table):
        day = Searched(
            partition, ("logged_at", "id"), {"user_id": 0, "event": 0, "correlation_id": 0}, ("rest",)
        )
        yield Place(name, label, day.count, day.delete, part=partition)


def _delete_refused(contact_id: str) -> int:
    """Delete refused events; groups that then wait for nothing are empty."""
    deleted = _REFUSED.delete(contact_id)
    left = QuarantinedEvent.objects.filter(group=OuterRef("pk"))
    QuarantineGroup.objects.filter(~Exists(left), state=QuarantineGroup.State.OPEN).update(
        state=QuarantineGroup.State.EMPTY
    )
    return deleted


def _delete_groups(contact_id: str) -> int:
    """Delete kinds of mistake that were named after the person, and what waits in them."""
    keys = [key[0] for key in _GROUPS.keys(contact_id)]
    QuarantineGroup.objects.filter(pk__in=keys).delete()
    return len(keys)


def _tasks(contact_id: str) -> list[str]:
    """Return the ids of finished tasks that were given the id, or returned it."""
    found = re.compile(mention.pattern(contact_id))
    rows = Task.objects.order_by().values_list("id", "args", "kwargs", "result")
    return [key for key, *pickled in rows.iterator() if found.search(repr(pickled))]


def _delete_tasks(contact_id: str) -> int:
    keys = _tasks(contact_id)
    Task.objects.filter(pk__in=keys).delete()
    return len(keys)
