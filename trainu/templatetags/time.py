"""How long ago, in words a person can read and with the exact time one hover away.

The rule: every time on a page is a `<time>` element in UTC. `{{ job.created_at|ago|default:"never" }}`
"""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

JUST_NOW = timedelta(seconds=5)
# Beyond this a date says more than a number of days.
OLD = timedelta(days=30)

_UNITS = (
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """Return a `<time>` element; an empty string for None, so that `default` works after it."""
    if value is None:
        return ""
    utc = value.astimezone(UTC)
    exact = f"{utc.day} {utc:%b %Y, %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(timespec="seconds"),
        exact,
        in_words(utc, timezone.now()),
    )


def in_words(value: datetime, now: datetime) -> str:
    """Return the distance in its largest unit: "5 minutes ago", "in 2 hours"; a date when it is far."""
    distance = abs(now - value)
    if distance < JUST_NOW:
        return "just now"
    if distance >= OLD:
        return f"{value.day} {value:%b %Y}"
    name, unit = next((name, unit) for name, unit in _UNITS if distance >= unit)
    count = distance // unit
    words = f"{count} {name}{'' if count == 1 else 's'}"
    return f"{words} ago" if value <= now else f"in {words}"
