"""What a rule demands and what a measure says, in words for pages and the API.

The rule: a value stands in its measure's unit; shares are written, and entered, in per cent.
"""

from datetime import timedelta
from typing import cast, get_args

from observability.alerts import measures
from observability.alerts.measures import Measure
from observability.charts.formatting import write
from observability.dashboards.panels import Unit
from observability.models import AlertRule

_UNITS = get_args(Unit)


def unit(rule: AlertRule) -> Unit:
    """Return the unit of a rule's measure; a number where the measure is not known."""
    measure = measures.find(rule.code)
    return cast(Unit, measure.unit) if measure and measure.unit in _UNITS else "number"


def in_words(value: float | None, rule: AlertRule) -> str:
    """Return a value of the rule's measure, such as 5 % or 15 min."""
    return write(value, unit(rule))


def what(rule: AlertRule) -> str:
    """Return what is measured, in the measure's own words."""
    measure = measures.find(rule.code)
    return measure.words if measure else "Its measure is not known to this version of the service"


def demanded(rule: AlertRule) -> str:
    """Return when a rule fires, in a sentence without its subject: above 5 % over 15 minutes, …"""
    measure = measures.find(rule.code)
    parts = [f"above {in_words(rule.threshold, rule)}" if rule.threshold else "any at all"]
    # A level is what was said last, whatever the window.
    if measure and measure.kind != "level":
        parts[0] += f" {'over' if rule.window_minutes > 1 else 'in'} {_minutes(rule.window_minutes)}"
    if rule.for_minutes:
        parts.append(f"for {_minutes(rule.for_minutes)} on end")
    if rule.min_sample and _is_rate(measure):
        parts.append(f"of at least {rule.min_sample:,} cases")
    if rule.min_bad:
        parts.append(f"{rule.min_bad:,} of them bad" if _is_rate(measure) else f"at least {rule.min_bad:,}")
    if rule.needs_confidence and _is_rate(measure):
        parts.append("and not by chance alone")
    return ", ".join(parts)


def recovery(rule: AlertRule) -> str:
    """Return when it is well again: at or below 3 % for 5 minutes, or none for 5 minutes."""
    lasting = f" for {_minutes(rule.recovery_minutes)}" if rule.recovery_minutes else ""
    return f"{f'at or below {in_words(rule.recovery, rule)}' if rule.recovery else 'none'}{lasting}"


def told(rule: AlertRule) -> str:
    """Return who is told of it, and how often."""
    names = {"slack": "Slack", "pagerduty": "PagerDuty", "email": "email"}
    channels = [names[one] for one in rule.channels]
    if not channels:
        return "nobody; it stands on these pages only"
    repeated = (
        f", again every {_minutes(rule.repeat_minutes)} until it is acknowledged"
        if rule.repeat_minutes
        else ", once"
    )
    if rule.severity == "SEV3":
        repeated = ", in the daily digest" if channels == ["email"] else repeated
    *first, last = channels
    return f"{', '.join(first)}{' and ' if first else ''}{last}{repeated}"


def lasting(duration: timedelta) -> str:
    """Return a duration in one or two units."""
    return write(max(duration.total_seconds(), 0.0), "seconds")


def _is_rate(measure: Measure | None) -> bool:
    return measure is not None and measure.kind == "rate"


def _minutes(number: int) -> str:
    if number == 1:
        return "a minute"
    for name, size in (("day", 1_440), ("hour", 60)):
        if number >= size and number % size == 0:
            count = number // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{number} minutes"
