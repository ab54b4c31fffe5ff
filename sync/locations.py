"""Locations: added, held back and let go again, with their limits.

The rule: a location changes its state under its row's lock, and whoever changed it by hand is in the audit
log. A held location loses nothing: its jobs wait. How it is entered stands in `sync.connections`.
"""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction

from sync import signals
from sync.models import Location
from sync.signals import Act, Trouble

State = Location.State
TARGET_KIND = "sync.location"
# GoHighLevel refuses whatever is above.
MOST_IN_TEN_SECONDS = 100
MOST_A_DAY = 200_000
LONGEST_REASON = 300
LONGEST_PAUSE = timedelta(days=366)
_HELD = ["state", "state_reason", "paused_until", "held_since"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


class Refused(ValueError):
    """What was asked of a location cannot be done. code: a word for machines; str(): why, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def add(
    location_id: str, name: str, *, timezone: str = "UTC", now: datetime, actor: str | None = None
) -> Location:
    """Take a location on. It has no token yet, so its jobs wait until it gets one.

    location_id: GoHighLevel's own. timezone: such as Europe/Berlin. Raises Refused.
    """
    check_id(location_id)
    name = name.strip()
    if not name or len(name) > 120 or "\x00" in name:
        raise Refused("invalid_name", "Give the location a name of up to 120 characters.")
    if not is_timezone(timezone):
        raise Refused("invalid_timezone", "There is no such time zone. One is called Europe/Berlin.")
    try:
        with transaction.atomic():
            row = Location.objects.create(pk=location_id, name=name, timezone=timezone, created_at=now)
            _told("location.add", row.pk, actor=actor)
    except IntegrityError:
        raise Refused("known_location", "There already is a location with this id.") from None
    return row


@transaction.atomic
def pause(
    location_id: str, reason: str, *, until: datetime | None = None, now: datetime, actor: str | None = None
) -> Location:
    """Send nothing for a location until then, or until somebody resumes it. Webhooks come in all the same.

    Raises Refused, also for one that is misconfigured: nothing is sent for that in any case.
    """
    reason = _reason(reason)
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise Refused("invalid_until", "A pause ends within a year from now, or when somebody resumes it.")
    row = locked(location_id)
    if row.state == State.MISCONFIGURED:
        raise Refused(
            "misconfigured",
            "Nothing is sent for this location, for its token is refused. Enter a valid one first; then"
            " pause it, if it is to wait longer.",
        )
    before = (row.state, row.paused_until)
    if not is_held(row, now):
        row.held_since = now
    row.state, row.state_reason, row.paused_until = State.PAUSED, reason, until
    row.save(update_fields=_HELD)
    changes = _changed({"state": (before[0], row.state), "paused_until": (before[1], until)})
    _told("location.pause", location_id, reason=reason, actor=actor, changes=changes)
    return row


@transaction.atomic
def resume(location_id: str, *, reason: str = "", actor: str | None = None) -> bool:
    """Let a held location's jobs go on; return whether it was held. With a bad token it soon is again."""
    row = locked(location_id)
    if row.state == State.ACTIVE:
        return False
    before = row.state
    let_go(row)
    _told("location.resume", location_id, reason=reason, actor=actor, changes={"state": (before, row.state)})
    return True


@transaction.atomic
def hold(location_id: str, code: str, words: str, *, now: datetime) -> bool:
    """Hold a location because it is set up wrong; return whether that is new. Only then somebody is told.

    code: of `trainu.faults.SyncCode`. words: what is wrong, for staff. One that is paused stays paused: it
    sends nothing, and what is wrong comes up again when it goes on.
    """
    row = locked(location_id)
    if is_held(row, now):
        return False
    row.state, row.state_reason, row.paused_until = State.MISCONFIGURED, words[:LONGEST_REASON], None
    row.held_since = now
    row.save(update_fields=_HELD)
    signals.troubled.send(sender=None, troubles=[Trouble("sync", code, location_id, words)])
    return True


@transaction.atomic
def edit_limits(
    location_id: str,
    *,
    burst_limit: int,
    daily_limit: int,
    reason: str = "",
    actor: str | None = None,
) -> bool:
    """Set how many requests may go in any ten seconds and in a day (UTC); return whether that is new.

    Holds for the next claim of every lane. Raises Refused.
    """
    if not 1 <= burst_limit <= MOST_IN_TEN_SECONDS:
        raise Refused("invalid_burst_limit", f"In ten seconds 1 to {MOST_IN_TEN_SECONDS} requests may go.")
    if not 1 <= daily_limit <= MOST_A_DAY:
        raise Refused("invalid_daily_limit", f"In a day 1 to {MOST_A_DAY:,} requests may go.")
    row = locked(location_id)
    limits = {"burst_limit": burst_limit, "daily_limit": daily_limit}
    changes = _changed({name: (getattr(row, name), value) for name, value in limits.items()})
    if not changes:
        return False
    row.burst_limit, row.daily_limit = burst_limit, daily_limit
    row.save(update_fields=["burst_limit", "daily_limit"])
    _told("configuration.change", location_id, reason=reason, actor=actor, changes=changes)
    return True


def check_id(location_id: str) -> None:
    """Raise Refused for what cannot be an id of GoHighLevel's."""
    if not _ID.fullmatch(location_id):
        raise Refused(
            "invalid_location",
            "A location's id is made of up to 64 letters and digits. In GoHighLevel it stands in the address"
            " of the location's pages, behind /location/.",
        )


def is_held(row: Location, now: datetime) -> bool:
    """Whether nothing is sent for a location. A pause that has run out holds nobody."""
    if row.state == State.PAUSED:
        return row.paused_until is None or row.paused_until > now
    return row.state == State.MISCONFIGURED


def locked(location_id: str) -> Location:
    """Return a location under its row's lock, inside the caller's transaction. Raises Refused.

    Whoever enqueues for it refers to its row; this lock lets them.
    """
    row = Location.objects.select_for_update(no_key=True).filter(pk=location_id).first()
    if row is None:
        raise unknown()
    return row


def unknown() -> Refused:
    """Return the refusal of an id that no location has."""
    return Refused("unknown_location", "There is no such location. Add it in the admin first.")


def is_timezone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        return len(name) <= 64 and bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def let_go(row: Location) -> None:
    """Write that a locked location is held no longer. Says nothing to anybody."""
    row.state, row.state_reason, row.paused_until, row.held_since = State.ACTIVE, "", None, None
    row.save(update_fields=_HELD)


def _reason(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST_REASON or "\x00" in text:
        raise Refused(
            "no_reason", f"Say why, in up to {LONGEST_REASON} characters: whoever finds it paused needs it."
        )
    return text


def _changed(changes: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    return {name: change for name, change in changes.items() if change[0] != change[1]}


def _told(action: str, location_id: str, *, actor: str | None, **said: Any) -> None:
    act = Act(action=action, target_kind=TARGET_KIND, target_id=location_id, actor=actor, **said)
    signals.acted.send(sender=None, acts=[act])
