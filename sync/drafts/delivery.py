"""When an approved draft may be sent, and what becomes of it: quiet hours, the cap of a day, and consent.

The rules: hours and days are the client's own. What may not go now waits at no cost; what the client does
not want is not sent at all. It is asked when a draft is approved, and again when its job is about to go.
"""

from datetime import datetime, time, timedelta, tzinfo

from django.conf import settings

from sync.models import Draft
from sync.webhooks.fields import zone_of

QUIET, CAP = "quiet_hours", "daily_cap"


def zone(draft: Draft) -> tzinfo:
    """Return the client's time zone: as the app says, else the location's, else UTC."""
    client = draft.context.get("client")
    named = client.get("time_zone") if isinstance(client, dict) else None
    return zone_of(named, draft.location.timezone)


def end_of_quiet(now: datetime, where: tzinfo, hours: tuple[time, time]) -> datetime:
    """Return when quiet hours that are on now end; now where they are not. hours: from, until."""
    first, last = hours
    here = now.astimezone(where)
    clock = here.time().replace(tzinfo=None)
    is_quiet = first <= clock < last if first <= last else clock >= first or clock < last
    if not is_quiet:
        return now
    day = here.date() + timedelta(days=1 if first > last and clock >= first else 0)
    return datetime.combine(day, last, where).astimezone(now.tzinfo)


def first_moment(draft: Draft, *, now: datetime) -> tuple[datetime, str]:
    """Return when a draft may go first, and what holds it until then: quiet_hours or an empty text."""
    ends = end_of_quiet(now, zone(draft), settings.QUIET_HOURS)
    return ends, QUIET if ends > now else ""


def check_consent(draft: Draft) -> None:
    """Raise Refused "opted_out" where the client does not want messages on this channel."""
