"""What a reconciliation asks next, and what it makes of the answer.

The rules: one request a step, and the cursor tells which. First the contacts that were changed in its
span, by pages; then each calendar's appointments by windows, for they can be asked for by their start
only: from a week before the span to two months after it, since what is changed lies mostly there; last,
one by one, those that should have been among them and were not, and those in doubt. So a late change of
an appointment that began more than a week before the span is not found, nor a contact that was deleted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sync.ghl import reads
from sync.ghl.errors import Code, Verdict
from sync.ghl.request import Request
from sync.ghl.response import Answer, object_at, objects_at
from sync.mirror import appointments, contacts
from sync.mirror.noted import Noted
from sync.mirror.seen import AppointmentSeen, Status
from sync.models import AppointmentState, Reconciliation
from sync.reconciliation import reading

CONTACTS, CALENDARS, EVENTS, APPOINTMENTS, END = "contacts", "calendars", "events", "appointments", "end"
BEHIND = timedelta(days=7)
AHEAD = timedelta(days=60)
WINDOW_DAYS = 10.0
SHORTEST_WINDOW_DAYS = 0.05
# Read one by one in a run; the next run goes on with the rest.
MOST_SINGLE = 300
MOST_CALENDARS = 500
_OPEN = (Status.NEW, Status.CONFIRMED, Status.ACTIVE, Status.UNKNOWN)


class NoList(Exception):
    """An answer lacks the list that was asked for: nothing may be concluded from it."""


def first() -> dict[str, Any]:
    """Return the cursor of a run that has not begun."""
    return {"stage": CONTACTS}


def has_ended(run: Reconciliation) -> bool:
    return bool(run.cursor["stage"] == END)


def request(run: Reconciliation) -> Request:
    """Return what is to be asked next."""
    cursor, location_id = run.cursor, run.location.pk
    match cursor["stage"]:
        case "contacts":
            return reads.contacts(location_id, since=run.since, until=run.until, cursor=cursor.get("after"))
        case "calendars":
            return reads.calendars(location_id)
        case "events":
            start, end = _window(run)
            calendar_id = cursor["calendars"][cursor["place"]]
            return reads.events(location_id, start=start, end=end, calendar_id=calendar_id)
    return reads.appointment(cursor["ids"][0])


def take_in(run: Reconciliation, answer: Answer, *, now: datetime) -> None:
    """Note what an answer says, count it, and move the cursor on. Inside the caller's transaction.

    Raises NoList.
    """
    match run.cursor["stage"]:
        case "contacts":
            _contacts(run, answer, now)
        case "calendars":
            _calendars(run, answer)
        case "events":
            _events(run, answer, now)
        case _:
            document = object_at(answer.body, "event") or object_at(answer.body, "appointment")
            _appointment(run, [reading.appointment(document, run.location, **_now(run, now))], now)


def pass_over(run: Reconciliation, verdict: Verdict, *, now: datetime) -> bool:
    """Go on behind what GoHighLevel says is not there (any more); return whether that is what it says."""
    if verdict.code is not Code.TARGET_GONE:
        return False
    if run.cursor["stage"] == EVENTS:
        _next_window(run, whole_calendar=True)
        return True
    if run.cursor["stage"] == APPOINTMENTS:
        _appointment(run, [reading.gone(run.cursor["ids"][0], run.location, **_now(run, now))], now)
        return True
    return False


def narrow(run: Reconciliation) -> bool:
    """Ask for half as long a window, after an answer that was too long; return whether that can be done."""
    if run.cursor["stage"] != EVENTS or run.cursor["days"] <= SHORTEST_WINDOW_DAYS:
        return False
    run.cursor = run.cursor | {"days": run.cursor["days"] / 2}
    return True


def _contacts(run: Reconciliation, answer: Answer, now: datetime) -> None:
    _must_list(answer, "contacts")
    page = reads.contacts_page(answer)
    seen = [
        one for one in (reading.contact(it, run.location, **_now(run, now)) for it in page.contacts) if one
    ]
    _count(run, contacts.note(seen, now=now))
    run.contacts_read += len(seen)
    goes_on = page.cursor is not None and page.cursor != run.cursor.get("after")
    run.cursor = {"stage": CONTACTS, "after": page.cursor} if goes_on else {"stage": CALENDARS}


def _calendars(run: Reconciliation, answer: Answer) -> None:
    _must_list(answer, "calendars")
    calendars = sorted(set(reads.calendar_ids(answer)))[:MOST_CALENDARS]
    # Those of calendars that are gone are in no list.
    elsewhere = _known(run, run.since - BEHIND, run.until + AHEAD).exclude(calendar_id__in=calendars)
    run.cursor = {
        "stage": EVENTS,
        "calendars": calendars,
        "place": 0,
        "from": (run.since - BEHIND).isoformat(),
        "days": WINDOW_DAYS,
        "missing": list(elsewhere.values_list("appointment_id", flat=True)[:MOST_SINGLE]),
    }
    if not calendars:
        _begin_single(run)


def _events(run: Reconciliation, answer: Answer, now: datetime) -> None:
    _must_list(answer, "events")
    start, end = _window(run)
    documents = objects_at(answer.body, "events")
    seen = [
        one for one in (reading.appointment(it, run.location, **_now(run, now)) for it in documents) if one
    ]
    _count(run, appointments.note(seen, now=now))
    run.appointments_read += len(seen)
    calendar_id = run.cursor["calendars"][run.cursor["place"]]
    listed = [one.appointment_id for one in seen]
    absent = _known(run, start, end).filter(calendar_id=calendar_id).exclude(appointment_id__in=listed)
    room = MOST_SINGLE - len(run.cursor["missing"])
    if room > 0:
        ids = list(absent.values_list("appointment_id", flat=True)[:room])
        run.cursor = run.cursor | {"missing": [*run.cursor["missing"], *ids]}
    _next_window(run)


def _appointment(run: Reconciliation, seen: Sequence[AppointmentSeen | None], now: datetime) -> None:
    found = [one for one in seen if one]
    _count(run, appointments.note(found, now=now))
    run.appointments_read += len(found)
    rest = run.cursor["ids"][1:]
    run.cursor = {"stage": APPOINTMENTS, "ids": rest} if rest else {"stage": END}


def _next_window(run: Reconciliation, *, whole_calendar: bool = False) -> None:
    cursor = dict(run.cursor)
    _, end = _window(run)
    if end < run.until + AHEAD and not whole_calendar:
        run.cursor = cursor | {"from": end.isoformat()}
        return
    if cursor["place"] + 1 < len(cursor["calendars"]):
        begin = (run.since - BEHIND).isoformat()
        run.cursor = cursor | {"place": cursor["place"] + 1, "from": begin, "days": WINDOW_DAYS}
        return
    _begin_single(run)


def _begin_single(run: Reconciliation) -> None:
    """Go on to what has to be read one by one. What was listed elsewhere meanwhile is read all the same."""
    doubtful = AppointmentState.objects.filter(location=run.location, is_doubtful=True, is_deleted=False)
    ids = dict.fromkeys(run.cursor["missing"])
    ids |= dict.fromkeys(doubtful.order_by("id").values_list("appointment_id", flat=True)[:MOST_SINGLE])
    run.cursor = {"stage": APPOINTMENTS, "ids": list(ids)} if ids else {"stage": END}


def _known(run: Reconciliation, start: datetime, end: datetime) -> Any:
    """Return the appointments that, as far as we know, stand between two moments."""
    return AppointmentState.objects.filter(
        location=run.location,
        starts_at__gte=start,
        starts_at__lt=end,
        is_deleted=False,
        status__in=[one.value for one in _OPEN],
    ).order_by("id")


def _window(run: Reconciliation) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(run.cursor["from"])
    return start, min(start + timedelta(days=run.cursor["days"]), run.until + AHEAD)


def _must_list(answer: Answer, name: str) -> None:
    if not isinstance(answer.body, dict) or not isinstance(answer.body.get(name), list):
        raise NoList


def _count(run: Reconciliation, noted: Noted) -> None:
    run.missed += noted.missed
    run.told += noted.told


def _now(run: Reconciliation, now: datetime) -> dict[str, Any]:
    return {"seen_at": now, "correlation_id": run.correlation_id}
